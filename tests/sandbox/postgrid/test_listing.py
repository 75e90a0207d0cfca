"""Listings: paging, search, order."""

from __future__ import annotations

import pytest

PEOPLE = ("Amara", "Noor", "Kwame", "Zoë", "Liang")


@pytest.fixture
def people(sandbox, pg):
    """Contacts a minute apart; the second was posted again at the end."""
    sandbox.clock.freeze()
    rows = {}
    for place, name in enumerate(PEOPLE):
        metadata = {"external_id": f"crm-{place}", "deep": {"er": place}}
        rows[name] = pg.contact(firstName=name, city="New York" if place else "York", metadata=metadata)["id"]
        sandbox.clock.advance(60)
    pg.contact(firstName="Noor", city="New York")
    return rows


def names(page):
    return [row["firstName"] for row in page["data"]]


def test_pages_of_ten_newest_first(pg, people):
    page = pg.get("contacts")
    assert {name: page[name] for name in ("object", "totalCount", "skip", "limit")} == {
        "object": "list", "totalCount": 5, "skip": 0, "limit": 10,
    }  # fmt: skip
    assert names(page) == ["Liang", "Zoë", "Kwame", "Noor", "Amara"]


def test_skip_and_limit(pg, people):
    page = pg.get("contacts", skip=3, limit=100)
    assert (page["totalCount"], page["skip"], page["limit"], names(page)) == (5, 3, 100, ["Noor", "Amara"])
    assert pg.get("contacts", skip=99)["data"] == []


def test_the_switch_for_order(sandbox, pg, people):
    sandbox.postgrid.change(postgrid_order="created_asc")
    assert names(pg.get("contacts")) == list(PEOPLE)
    sandbox.postgrid.change(postgrid_order="updated_desc")
    assert names(pg.get("contacts")) == ["Noor", "Liang", "Zoë", "Kwame", "Amara"]


def test_paging_drifts_when_rows_come_and_go(sandbox, pg, people):
    first = names(pg.get("contacts", limit=2))
    pg.contact(firstName="Priya")
    assert names(pg.get("contacts", limit=2, skip=2)) == [first[1], "Kwame"]
    pg.client.delete(f"/contacts/{people['Liang']}")
    pg.client.delete(f"/contacts/{people['Zoë']}")
    assert names(pg.get("contacts", limit=2, skip=2)) == ["Noor", "Amara"]


@pytest.mark.parametrize("resource", ["contacts", "mailing_lists", "mailing_list_imports"])
@pytest.mark.parametrize("query", [{"limit": 101}, {"limit": -1}, {"limit": "ten"}, {"skip": -1}, {"skip": "1.5"}])
def test_numbers_that_do_not_fit(pg, resource, query):
    assert pg.error(pg.client.get(f"/{resource}", params=query)) == (400, "validation_error")


def test_the_switches_for_limits(sandbox, loose, people):
    assert loose.get("contacts", limit=0)["data"] == []
    sandbox.postgrid.change(postgrid_limit_over_max="clamp", postgrid_limit_zero="default")
    assert loose.get("contacts", limit=1000)["limit"] == 100
    assert loose.get("contacts", limit=0)["limit"] == 10
    sandbox.postgrid.change(postgrid_limit_zero="error")
    assert loose.client.get("/contacts", params={"limit": 0}).status_code == 400


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("york", ["Liang", "Zoë", "Kwame", "Noor", "Amara"]),
        ('"new york"', ["Liang", "Zoë", "Kwame", "Noor"]),
        ("zoë", ["Zoë"]),
        ("nothing", []),
        ('{"firstName":"Noor"}', ["Noor"]),
        ('{"metadata.external_id":"crm-2"}', ["Kwame"]),
        ('{"metadata.deep.er":3}', ["Zoë"]),
        ('{"metadata.deep.er":"3"}', []),
        ('{"city":"NEW YORK","firstName":"Liang"}', ["Liang"]),
        ('{"city":"YORK","firstName":"Liang"}', []),
        ('{"metadata.nothing.at.all":null}', []),
        ('{"firstName":"Noor"', []),
        ('["Noor"]', []),
    ],
)
def test_search(pg, people, search, found):
    page = pg.get("contacts", search=search, limit=100)
    assert (names(page), page["totalCount"]) == (found, len(found))


def test_search_counts_before_it_pages(pg, people):
    page = pg.get("contacts", search='"new york"', limit=1, skip=1)
    assert (names(page), page["totalCount"]) == (["Zoë"], 4)


def test_search_may_lag_behind(sandbox, pg, people):
    sandbox.postgrid.change(postgrid_search_delay_seconds=100)
    assert names(pg.get("contacts", search="liang")) == []
    assert names(pg.get("contacts", search="zoë")) == ["Zoë"]
    assert len(names(pg.get("contacts"))) == 5


def test_unknown_parameters_are_ignored(pg, people):
    assert len(pg.get("contacts", sort="name", updatedAt="2026")["data"]) == 5


def test_lists_and_imports_are_searched_too(pg):
    pg.list(description="Spring donors", metadata={"source": "meltano"})
    pg.list(description="Board")
    pg.upload(description="Batch 1")
    assert pg.get("mailing_lists", search='{"metadata.source":"meltano"}')["totalCount"] == 1
    assert pg.get("mailing_list_imports", search="batch 1")["totalCount"] == 1
    assert pg.get("mailing_list_imports", search="batch 2")["totalCount"] == 0
