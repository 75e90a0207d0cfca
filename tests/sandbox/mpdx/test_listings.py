"""Paging, sorting, includes, fieldsets and filters of listings."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailing_sandbox.mpdx.records import ACTIVE, HIDDEN

ALL = {"status": "active,hidden,null"}


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_what_was_sent_comes_back_as_text_and_what_was_not_as_numbers(api, make):
    make(*(f"Name {number}" for number in range(30)))
    meta = api.get("contacts").json()["meta"]
    assert meta == {
        "pagination": {"page": 1, "per_page": 25, "total_count": 30, "total_pages": 2},
        "sort": None,
        "filter": {},
    }
    answer = api.get("contacts", page=3, per_page=10, sort="name", **{"filter[status]": "active", "filter[shoe]": "9"})
    assert answer.json()["meta"] == {
        "pagination": {"page": "3", "per_page": "10", "total_count": 30, "total_pages": 3},
        "sort": "name",
        "filter": {"status": "active"},
    }
    assert len(answer.json()["data"]) == 10
    assert api.rows("contacts", page=9) == []


def test_a_page_of_none_has_the_count(api, sandbox, make):
    make("A", "B")
    answer = api.get("contacts", per_page=0).json()
    assert answer["data"] == []
    assert answer["meta"]["pagination"] == {"page": 1, "per_page": "0", "total_count": 2, "total_pages": 0}
    sandbox.switches.change({"mpdx_pages_of_none": 1, "mpdx_max_per_page": 1})
    assert api.get("contacts", per_page=0).json()["meta"]["pagination"]["total_pages"] == 1
    assert len(api.rows("contacts", per_page=500)) == 1


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"page[number]": "1"}, 500),
        ({"page": "0"}, 200),
        ({"page": "two"}, 200),
        ({"page": "-1", "per_page": "many"}, 200),
        ({"sort": "shoe"}, 400),
        ({"sort": "name,created_at"}, 400),
        ({"sort": "-"}, 400),
        ({"sort": ""}, 200),
        ({"sort": "name nulls"}, 200),
        ({"sort": "-name -nulls"}, 200),
        ({"sort": "name last"}, 400),
    ],
)
def test_paging_and_sorting_that_mpdx_does_not_know(api, params, status):
    assert api.get("contacts", **params).status_code == status


def test_names_are_sorted_by_their_bytes_and_created_at_breaks_ties(api, make, sandbox):
    sandbox.clock.freeze()
    for name in ("Chang, Edward", "Chan, Gene", "Éric", "chan", "Zoe"):
        make(name)
        sandbox.clock.advance(1)
    assert api.names() == ["Chang, Edward", "Chan, Gene", "Éric", "chan", "Zoe"]
    assert api.names(sort="name") == ["Chan, Gene", "Chang, Edward", "Zoe", "chan", "Éric"]
    assert api.names(sort="-created_at") == ["Zoe", "chan", "Éric", "Chan, Gene", "Chang, Edward"]
    assert api.get("contacts/people", sort="name").status_code == 400


def test_included_resources_come_once_and_fieldsets_trim_linkage_too(api, make, mpdx):
    address = {"street": "1 Elm St", "city": "Portland"}
    people = [{"first_name": "Tom", "emails": ["tom@example.com"]}]
    first, second = make({"name": "A", "addresses": [address], "people": people}, "B")
    person = mpdx.contacts()[first]["people"][0]["id"]
    mpdx.join_contact(second, person)
    answer = api.get("contacts", include="addresses,people.email_addresses").json()
    assert [row["type"] for row in answer["included"]] == ["addresses", "people", "email_addresses"]
    assert answer["data"][0]["relationships"]["primary_person"] == {"data": {"id": person, "type": "people"}}
    assert answer["data"][0]["relationships"]["spouse"] == {"data": None}
    every = {row["type"] for row in api.get("contacts", include="*").json()["included"]}
    assert every == {"account_lists", "addresses", "people"}
    assert api.get("contacts", include="**").json()["included"] == []
    trimmed = api.get("contacts", include="addresses", **{"fields[contacts]": "name,people"}).json()
    assert trimmed["data"][0].keys() == {"id", "type", "attributes", "relationships"}
    assert trimmed["data"][0]["attributes"].keys() == {"name"}
    assert trimmed["data"][0]["relationships"].keys() == {"people"}
    assert [row["type"] for row in trimmed["included"]] == ["addresses"]
    bare = api.get("contacts", **{"fields[contacts]": "name"}).json()
    assert "relationships" not in bare["data"][0]
    assert "included" not in bare


def test_timestamps_are_whole_seconds_but_compared_with_their_fractions(api, make, sandbox):
    sandbox.clock.freeze()
    sandbox.clock.advance(1 - sandbox.clock.now() % 1 + 0.5)
    make("Half past")
    shown = api.rows("contacts")[0]["attributes"]
    at = sandbox.clock.now()
    assert shown["updated_at"] == shown["updated_in_db_at"] == moment(at)
    assert api.names({"updated_at": f"{moment(at)}..{moment(at)}"}) == []
    assert api.names({"updated_at": f"{moment(at)}..{moment(at + 1)}"}) == ["Half past"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("2024-01-10..2024-01-12", ["10 noon", "11 noon"]),
        ("2024-01-10T00:00:00Z..2024-01-11T12:00:00Z", ["10 noon", "11 noon"]),
        ("2024-01-10T00:00:00Z...2024-01-11T12:00:00Z", ["10 noon"]),
        ("2024-01-10T14:00:00+02:00..2024-01-11T13:59:59+02:00", ["10 noon"]),
        ("2024-01-10", ["10 noon"]),
        # Traps: each of these means the whole day of its first date.
        ("2024-01-10T13:00:00Z", ["10 noon"]),
        ("2024-01-10T13:00:00.000Z..2024-01-12T00:00:00.000Z", ["10 noon"]),
        ("2024-01-10T00:00:00-05:00..2024-01-12T00:00:00-05:00", ["10 noon"]),
        ("2024-01-10T14:00:00 02:00..2024-01-12T14:00:00 02:00", ["10 noon"]),
        ("2024-01-10T13:00:00Z..", ["10 noon"]),
        ("..2024-01-11", ["11 noon"]),
    ],
)
def test_date_ranges_and_their_traps(api, make, mpdx, given, found):
    for day in (9, 10, 11, 12):
        (key,) = make(f"{day} noon")
        mpdx._store.contacts[key].updated = datetime(2024, 1, day, 12, tzinfo=UTC).timestamp()
    assert api.names({"updated_at": given}) == found


@pytest.mark.parametrize("given", ["yesterday", "2016-20-12..2016-21-12", "2024-13-01"])
def test_a_range_without_a_date_is_refused(api, given):
    assert api.get("contacts", **{"filter[updated_at]": given}).status_code == 400


def test_hidden_contacts_are_missing_unless_requested(api, make):
    for status in (*ACTIVE, *HIDDEN, None, ""):
        make({"name": f"<{status}>", "status": status})
    shown = {f"<{status}>" for status in (*ACTIVE, None, "")}
    hidden = {f"<{status}>" for status in HIDDEN}
    assert set(api.names()) == shown
    assert set(api.names({"status": "active"})) == shown
    assert set(api.names({"status": "hidden"})) == hidden
    assert set(api.names({"status": "null"})) == {"<None>", "<>"}
    assert set(api.names(ALL)) == shown | hidden
    assert set(api.names({"status": "Never Ask,Partner - Pray"})) == {"<Never Ask>", "<Partner - Pray>"}
    everyone = {row["attributes"]["name"]: row["id"] for row in api.rows("contacts", ALL)}
    assert api.names({"ids": everyone["<Never Ask>"]}) == []
    assert api.get(f"contacts/{everyone['<Never Ask>']}").status_code == 200


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("all", "Physical Email Both"),
        ("address", "Physical Both"),
        ("email", "Email Both"),
        ("address_only", "Physical"),
        ("email_only", "Email"),
        ("both", "Both"),
        ("none", "None"),
        ("no_value", "unset blank"),
        # Words that MPDX does not know filter nothing, those of the attribute itself among them.
        ("Physical", "Physical Email Both None unset blank"),
        ("Address", "Physical Email Both None unset blank"),
        ("address,email", "Physical Email Both None unset blank"),
        ("everybody", "Physical Email Both None unset blank"),
    ],
)
def test_newsletter_filter(api, make, value, found):
    for newsletter in ("Physical", "Email", "Both", "None"):
        make({"name": newsletter, "send_newsletter": newsletter})
    make({"name": "unset"}, {"name": "blank", "send_newsletter": ""})
    assert api.names({"newsletter": value}) == found.split()


def test_other_filters(api, make):
    home = {"city": "Portland", "state": "ME", "country": "United States"}
    first, second, third = make(
        {"name": "Albright, Tom", "tags": ["a", "b"], "addresses": [home], "people": [{"first_name": "Tom"}]},
        {"name": "Bauer, Lena", "tags": ["b"], "addresses": [{**home, "historic": True}], "church_name": "St Ann"},
        {
            "name": "Castillo Church", "envelope_greeting": "Our friends", "company": True,
            "addresses": [{"city": None, "state": ""}],
        },
    )  # fmt: skip
    one, two, three = "Albright, Tom", "Bauer, Lena", "Castillo Church"
    for filters, found in (
        ({"ids": f"{first},{third}"}, [one, three]),
        ({"not_ids": first}, [two, three]),
        ({"tags": "a,b"}, [one]),
        ({"tags": "A,b"}, [one]),
        ({"exclude_tags": "A"}, [two, three]),
        ({"tags": "a", "city": "none"}, []),
        ({"tags": "a", "city": "none", "any_filter": "true"}, []),
        ({"tags": "a,b", "any_tags": "true"}, [one, two]),
        ({"exclude_tags": "a"}, [two, three]),
        ({"city": "Portland"}, [one]),
        ({"city": "none"}, [three]),
        ({"state": "none"}, []),
        ({"country": "none,United States"}, [one, three]),
        ({"church": "St Ann"}, [two]),
        ({"church": "none"}, [one, three]),
        ({"church": "none,St Ann"}, [one, two, three]),
        ({"contact_type": "person"}, [one, two]),
        ({"contact_type": "company"}, [three]),
        ({"contact_type": "Person"}, [one, two, three]),
        ({"contact_info_addr": "No"}, [two]),
        ({"contact_info_email": "Yes"}, []),
        ({"contact_info_phone": "No"}, [one, two, three]),
        ({"name_like": "cast"}, [three]),
        ({"wildcard_search": "friends"}, [three]),
        ({"reverse_ids": "true", "ids": second}, [one, three]),
        ({"shoe_size": "44"}, [one, two, three]),
        ({"ids": ""}, [one, two, three]),
    ):
        assert api.names(filters) == found, filters
    assert api.get("contacts/tags").json() == {
        "data": [{"id": tag, "type": "tags", "attributes": {"name": tag}} for tag in "ab"]
    }


def test_tags_and_any_filter_by_switches(api, make, sandbox):
    make(
        {"name": "One", "tags": ["a"]},
        {"name": "Two", "church_name": "St Ann"},
        {"name": "Three", "status": "Never Ask"},
    )
    either = {"tags": "A", "church": "St Ann", "any_filter": "true"}
    assert api.names(either) == []
    sandbox.switches.change({"mpdx_any_filter": True})
    assert api.names(either) == ["One", "Two"]
    assert api.names({**either, "any_filter": "false"}) == []
    sandbox.switches.change({"mpdx_tags": "exact"})
    assert api.names(either) == ["Two"]


def test_account_lists_are_those_of_the_user(api, mpdx, make, home, sign_in):
    make("Mine")
    other = mpdx.add_user()
    theirs = mpdx.add_account_list("Theirs", "Canada", other)
    (key,) = mpdx.add_contacts([{"account_list": theirs, "name": "Not mine"}])
    assert [row["attributes"]["home_country"] for row in api.rows("account_lists")] == ["United States"]
    assert api.names() == api.names({"account_list_id": home}) == api.names({"account_list_id": f"{theirs},{home}"})
    answer = api.get("contacts", **{"filter[account_list_id]": theirs})
    assert answer.status_code == 404
    assert "AccountList" in answer.json()["errors"][0]["detail"]
    assert theirs in answer.json()["errors"][0]["detail"]
    assert api.get(f"contacts/{key}").status_code == 403
    assert api.get(f"contacts/{home}").status_code == 404
    assert api.get(f"account_lists/{theirs}").status_code == 404
    assert api.get(f"account_lists/{home}").json()["data"]["attributes"]["name"] == "Stateside"
    assert sign_in(mpdx.token(other)).names() == ["Not mine"]
    links = api.get("user").json()["data"]["relationships"]["account_lists"]["data"]
    assert links == [{"id": home, "type": "account_lists"}]


def test_contacts_have_greetings_of_their_people(api, make):
    people = [{"first_name": "Tom"}, {"first_name": "Nina"}, {"first_name": "Gus", "deceased": True}]
    make({"name": "Albright, Tom and Nina", "people": people}, "Church", {"name": "Stored", "greeting": ""})
    found = [(row["attributes"]["greeting"], row["attributes"]["envelope_greeting"]) for row in api.rows("contacts")]
    assert found == [("Tom and Nina", "Tom and Nina Albright"), ("Church", "Church"), ("Stored", "Stored")]
    spanish = api.get("contacts", {"Accept-Language": "es-MX,es;q=0.9"}).json()["data"][0]
    assert spanish["attributes"]["greeting"] == "Tom y Nina"


@pytest.mark.parametrize(
    ("name", "envelope"),
    [
        ("Smith, John, Jr", "John Smith"),
        ("Smith, John and Jane, Dr", "John and Jane Smith"),
        ("Smith, John & Jane", "John & Jane Smith"),
        ("Smith,", "Smith"),
        ("Smith", "Smith"),
        ("Smith, John (Jack)", "John Smith"),
        ("Smith, John (Jack) and Jane (Jen)", "John and Jane Smith"),
        ("Smith, John & Jane (Doe)", "John Smith and Jane Doe"),
        ("of the Ministry, Friends", "of the Ministry, Friends"),
    ],
)
@pytest.mark.parametrize("stored", [None, "", " "])
def test_an_envelopes_name_is_made_of_the_contacts(api, make, name, envelope, stored):
    make({"name": name, "envelope_greeting": stored, "people": [{"first_name": "John"}]})
    assert api.rows("contacts")[0]["attributes"]["envelope_greeting"] == envelope


@pytest.mark.parametrize(
    ("deceased", "greeting"), [((), "A and B"), ((0,), "B"), ((1,), "A"), ((2,), "A and B"), ((0, 2), "B")]
)
@pytest.mark.parametrize("stored", [None, "", " "])
def test_a_greeting_names_the_living_of_primary_person_and_spouse(api, make, deceased, greeting, stored):
    people = [{"first_name": name, "deceased": place in deceased} for place, name in enumerate("ABC")]
    make({"name": "Smith, A and B", "greeting": stored, "people": people})
    assert api.rows("contacts")[0]["attributes"]["greeting"] == greeting


def test_everything_a_contact_shows_is_in_alphabetical_order(api, make):
    make({"name": "A", "pledge_amount": "100.0", "addresses": [{"city": "X"}], "people": [{"first_name": "T"}]})
    (row,) = api.rows("contacts")
    assert [*row["attributes"]] == sorted(row["attributes"])
    assert row["attributes"]["pledge_amount"] == "100.0"
    assert len(row["attributes"]) == 46
    addresses = api.rows(f"contacts/{row['id']}/addresses")
    assert addresses[0]["type"] == "addresses"
    assert addresses[0]["relationships"] == {"source_donor_account": {"data": None}}
    (person,) = api.rows(f"contacts/{row['id']}/people")
    assert person["attributes"]["parent_contacts"] == [row["id"]]
    assert [row["type"] for row in api.rows("account_lists")] == ["account_lists"]


def test_people_of_hidden_contacts_are_listed_unless_a_switch_says_otherwise(api, make, sandbox):
    make(
        {"name": "Seen", "people": [{"first_name": "Ann"}]},
        {"name": "Hidden", "status": "Never Ask", "people": [{"first_name": "Ben", "deceased": True}]},
    )

    def names(**filters):
        return [row["attributes"]["first_name"] for row in api.rows("contacts/people", filters)]

    assert names() == names(contact_status="active,hidden,null") == ["Ann", "Ben"]
    assert names(contact_status="hidden") == names(deceased="true") == ["Ben"]
    sandbox.switches.change({"mpdx_contact_status": "default"})
    assert names() == ["Ann"]
    assert names(contact_status="active,hidden,null") == ["Ann", "Ben"]
    sandbox.switches.change({"mpdx_contact_status": "ignored"})
    assert names(contact_status="hidden") == ["Ann", "Ben"]
    meta = api.get("contacts/people", **{"filter[contact_status]": "hidden"}).json()["meta"]
    assert meta["filter"] == {}


def test_a_person_in_two_contacts_is_listed_twice_unless_a_switch_says_otherwise(api, make, mpdx, sandbox):
    first, second = make({"name": "One", "people": [{"first_name": "Ann"}]}, "Two")
    mpdx.join_contact(second, mpdx.contacts()[first]["people"][0]["id"])
    found = api.rows("contacts/people")
    assert len(found) == 2
    assert found[0] == found[1]
    assert found[0]["attributes"]["parent_contacts"] == [first, second]
    everybody = {"contact_status": "active,hidden,null"}
    for rule, plain, filtered in (("always", 2, 2), ("unfiltered", 2, 1), ("never", 1, 1)):
        sandbox.switches.change({"mpdx_people_repeated": rule})
        assert [len(api.rows("contacts/people", given)) for given in ({}, everybody)] == [plain, filtered]


def test_emails_and_phones_of_a_person(api, make, mpdx):
    person = {"first_name": "Tom", "emails": ["Tom@Example.COM", "t@example.com"], "phones": ["(207) 555-0142"]}
    (key,) = make({"name": "A", "people": [person]})
    who = mpdx.contacts()[key]["people"][0]["id"]
    emails = api.rows(f"contacts/{key}/people/{who}/email_addresses")
    assert [(row["attributes"]["email"], row["attributes"]["primary"]) for row in emails] == [
        ("tom@example.com", True),
        ("t@example.com", False),
    ]
    (phone,) = api.rows(f"contacts/{key}/people/{who}/phones")
    assert (phone["type"], phone["attributes"]["number"]) == ("phone_numbers", "(207) 555-0142")
    assert api.get(f"contacts/{key}/people/{key}/phones").status_code == 404
