"""Exports: one ticket and one download each, another ticket after a failure, and never by accident."""

from __future__ import annotations

import logging

import pytest

from .conftest import CONTACTS, EXPORT_ROWS, EXPORTS

FILE = "/api/v2/contacts/exports/mailing/*"
HARBOR = {"street": "12 Harbor Rd\nApt 4", "city": "Portland", "state": "ME", "postal_code": "04101"}
HEADER = (
    "Contact Name,Greeting,Envelope Greeting,Mailing Street Address,Mailing City,Mailing State,Mailing Postal Code,"
    "Mailing Country,Address Block\n"
)


@pytest.fixture
def audience(make):
    return make(
        {"name": "Bauer, Lena", "addresses": [{"city": "Berlin", "country": "Germany"}], "send_newsletter": "Both"},
        {"name": "Albright, Tom", "addresses": [{**HARBOR, "country": "United States"}], "send_newsletter": "Physical"},
        {"name": "Castillo Church", "send_newsletter": "Physical"},
        {"name": "E-mail only", "send_newsletter": "Email"},
        {"name": "Hidden", "send_newsletter": "Both", "status": "Never Ask"},
    )


def downloads(wire):
    return [
        one.url.path.rpartition("/")[2].removesuffix(".csv") for one in wire.requests if one.url.path.endswith(".csv")
    ]


def used(mpdx):
    return [log["used"] for log in mpdx.exports()]


@pytest.mark.parametrize("streams", [(EXPORTS, EXPORT_ROWS), (EXPORTS,), (EXPORT_ROWS,)])
def test_a_run_makes_one_export_and_fetches_it_once(audience, home, sandbox, read, streams):
    wire, mpdx = read.wire, sandbox.mpdx
    run = read(*streams)
    assert run.error is None
    assert wire.bodies("contacts/exports/mailing") == [
        {
            "type": "export_logs",
            "attributes": {
                "params": {"filter": {"newsletter": "address", "status": "active", "account_list_id": home}}
            },
        }
    ]
    (log,) = mpdx.exports()
    assert downloads(wire) == [log["id"]]
    assert (log["used"], log["formats"]) == (True, ["csv"])
    for record in run.records(EXPORTS):
        assert (record["id"], record["kind"], record["row_count"]) == (log["id"], "Contacts Mailing", 3)
        assert record["filter"] == f'{{"newsletter":"address","status":"active","account_list_id":"{home}"}}'
        assert record["created_at"] <= record["exported_at"]
        assert (record["account_list_id"], record["user_id"]) == (home, log["user"])
    for place, record in enumerate(run.records(EXPORT_ROWS), 1):
        assert (record["export_id"], record["row_number"]) == (log["id"], place)
        assert record["id"] == f"{log['id']}:{place}"
    assert {len(run.records(stream)) for stream in streams} <= {1, 3}


def test_the_rows_are_those_of_the_file(audience, read):
    first, second, third = read(EXPORT_ROWS).records(EXPORT_ROWS)
    expected = {
        "contact_name": "Albright, Tom",
        "greeting": "Tom",
        "envelope_greeting": "Tom Albright",
        "mailing_street_address": "12 Harbor Rd\nApt 4",
        "mailing_postal_code": "04101",
        "mailing_country": None,
        "country_code": "US",
        "address_block": "Tom Albright\n12 Harbor Rd\nApt 4\nPortland ME  04101",
    }
    assert {name: first[name] for name in expected} == expected
    assert (second["mailing_country"], second["country_code"]) == ("Germany", "DE")
    assert (third["contact_name"], third["country_code"]) == ("Castillo Church", None)


@pytest.mark.slow
def test_each_account_list_has_its_own_export(audience, home, mpdx, read):
    other = mpdx.add_account_list("Up north", "Canada")
    mpdx.add_contacts(
        [{"account_list": other, "name": "North", "send_newsletter": "Both", "addresses": [{"city": "X"}]}]
    )
    run = read(EXPORTS, EXPORT_ROWS)
    assert [(record["account_list_id"], record["row_count"]) for record in run.records(EXPORTS)] == [
        (home, 3),
        (other, 1),
    ]
    (north,) = [record for record in run.records(EXPORT_ROWS) if record["account_list_id"] == other]
    assert (north["row_number"], north["country_code"]) == (1, "CA")
    assert len(read(EXPORTS, mpdx_account_lists=["Up north"]).records(EXPORTS)) == 1


def test_the_filter_is_a_setting_and_its_values_are_sent_as_text(audience, wire, read):
    chosen = {"ids": audience[3:], "status": "active,hidden,null", "any_tags": True}
    run = read(EXPORT_ROWS, mpdx_export_filter=chosen)
    assert [record["contact_name"] for record in run.records(EXPORT_ROWS)] == ["E-mail only", "Hidden"]
    sent = wire.bodies("contacts/exports/mailing")[0]["attributes"]["params"]["filter"]
    assert sent["ids"] == ",".join(audience[3:])
    assert sent["any_tags"] == "true"


@pytest.mark.slow
def test_exports_are_made_on_demand_only(audience, sandbox, read, tap, caplog):
    mpdx = sandbox.mpdx
    config = {"mpdx_base_url": sandbox.url, "mpdx_token": mpdx.token()}
    chosen = tap.catalog("nothing", config=config)
    for stream in chosen["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"].pop("selected")
    run = tap.run(config, catalog=chosen)
    assert CONTACTS in run.streams
    assert not {EXPORTS, EXPORT_ROWS} & run.streams
    test = read(test=True)
    assert test.error is None
    assert mpdx.exports() == []
    assert f"Not tested, since reading them leaves a trace at the provider: {EXPORT_ROWS}, {EXPORTS}." in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut_body"},
        {"kind": "reply_lost"},
        {"kind": "reset"},
        {"kind": "html"},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 504, "body": "html"},
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 403},
        {"kind": "status", "status": 200, "body": "text", "content": ""},
        {"kind": "status", "status": 200, "body": "text", "content": HEADER + 'A,A,A,,,,,,"A\n  '},
        {"kind": "status", "status": 200, "body": "text", "content": HEADER + 'A,A,A,,,,,,"A\n  \n'},
        {"kind": "status", "status": 200, "body": "text", "content": HEADER + "A,A,A\n"},
        {"kind": "status", "status": 200, "body": "text", "content": HEADER + 'A,A,A,,,,,,"A'},
        {"kind": "status", "status": 200, "body": "text", "content": HEADER + "A,A,A,,,,,,A"},
        {"kind": "status", "status": 200, "body": "text", "content": '"Contact Name"x,\n'},
    ],
)
def test_p6_after_a_failed_download_another_ticket_is_made(audience, sandbox, read, fault):
    wire, mpdx = read.wire, sandbox.mpdx
    sandbox.faults.add(path=FILE, **fault)
    run = read(EXPORTS, EXPORT_ROWS)
    assert run.error is None
    first, second = (log["id"] for log in mpdx.exports())
    assert downloads(wire) == [first, second], "each ticket is fetched once"
    assert run.ids(EXPORTS) == [second]
    assert len(run.records(EXPORT_ROWS)) == 3
    assert {record["export_id"] for record in run.records(EXPORT_ROWS)} == {second}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "cut_body"}, (3, "ProviderFault")),
        ({"kind": "status", "status": 500}, (3, "ProviderFault")),
        ({"kind": "html"}, (3, "UnreadableAnswer")),
        ({"kind": "status", "status": 403}, (2, "PermissionDenied")),
        ({"kind": "status", "status": 404}, (1, "NotFound")),
        ({"kind": "status", "status": 400}, (1, "RequestRefused")),
    ],
)
def test_p6_an_export_that_keeps_failing_fails_both_streams_and_leaves_few_logs(
    audience, sandbox, read, fault, expected
):
    wire, mpdx = read.wire, sandbox.mpdx
    tickets, failure = expected
    sandbox.faults.add(path=FILE, times=None, **fault)
    run = read(EXPORTS, EXPORT_ROWS, CONTACTS)
    assert "2 of 3 streams" in str(run.error)
    assert f"{EXPORT_ROWS}, {EXPORTS} ({failure})" in str(run.error)
    assert len(mpdx.exports()) == len(downloads(wire)) == len(set(downloads(wire))) == tickets
    assert run.records(EXPORT_ROWS) == []
    assert len(run.records(CONTACTS)) == 5


def test_an_account_list_whose_export_fails_leaves_the_others_their_rows(audience, mpdx, sandbox, read):
    mpdx.add_account_list("Up north", "Canada")
    sandbox.faults.add(kind="status", status=404, path=FILE)
    run = read(EXPORTS, EXPORT_ROWS)
    assert "2 of 2 streams" in str(run.error)
    assert [record["row_count"] for record in run.records(EXPORTS)] == [0]


def test_p9_columns_that_are_unknown_are_reported_once(audience, sandbox, read, caplog):
    sandbox.switches.change({"mpdx_csv_columns": "more"})
    run = read(EXPORT_ROWS)
    assert run.error is None
    assert len(run.records(EXPORT_ROWS)) == 3
    (line,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert "does not know: Mailing Region." in line


def test_a_column_that_is_missing_is_null(audience, sandbox, read):
    sandbox.faults.add(kind="status", status=200, body="text", content="Contact Name,Greeting\nA,B\n", path=FILE)
    (record,) = read(EXPORT_ROWS).records(EXPORT_ROWS)
    assert (record["contact_name"], record["greeting"], record["address_block"]) == ("A", "B", None)


def test_a_lost_reply_to_the_making_of_a_ticket_makes_another(audience, mpdx, sandbox, wire, read):
    sandbox.faults.add(kind="reply_lost", method="POST", path="/api/v2/contacts/exports/mailing")
    assert read(EXPORTS).error is None
    assert used(mpdx) == [False, True]
    assert len(downloads(wire)) == 1


def test_a_token_refused_at_the_download_is_not_worth_another_ticket(audience, mpdx, sandbox, wire, read):
    sandbox.faults.add(kind="status", status=401, path=FILE)
    assert "AuthenticationError" in str(read(EXPORTS).error)
    assert used(mpdx) == [False]


def test_a_token_refused_at_the_download_is_renewed_where_that_is_possible(audience, sandbox, read):
    sandbox.faults.add(kind="status", status=401, path=FILE)
    assert read(EXPORTS, mpdx_access_token=sandbox.secret_key).error is None
    assert used(sandbox.mpdx) == [False, True]
    assert len(read.wire.bodies("user/authenticate")) == 2


def test_an_empty_export_has_no_rows(home, read):
    run = read(EXPORTS, EXPORT_ROWS)
    assert [record["row_count"] for record in run.records(EXPORTS)] == [0]
    assert run.records(EXPORT_ROWS) == []
