"""The rejects file piped back in: exactly its rows go, attempts are counted, and what is still wrong comes back."""

from __future__ import annotations

import json

import pytest

from tests.target.conftest import person, schema, state

GONE = "2026-01-01T00:00:00Z"


def newest(mailjet):
    return max(mailjet.folder.glob("rejects/*")).read_text()


def bulk_rows(mailjet):
    return sorted(row["contact"]["Email"] for row in mailjet.received())


@pytest.mark.slow
def test_attempts_count_up_from_file_to_file_until_the_row_is_delivered(mailjet):
    bad = [person(1, properties={"shoe_size": 44}), person(2, email="nobody"), person(3, properties={"height": 1.7})]
    result = mailjet.deliver([schema(), person(0), *bad, state(1)])
    for attempt in (1, 2, 3):
        assert {(one["record"]["id"], one["record"]["_reject_attempt"]) for one in result.rejects} == {
            (1, attempt), (2, attempt), (3, attempt),
        }  # fmt: skip
        result = mailjet.deliver(newest(mailjet))
    mailjet.sandbox.mailjet.add_property("shoe_size", "int")
    result = mailjet.deliver(newest(mailjet))
    assert result.counts() == {"delivered": 1, "rejected": 2}
    assert {one["record"]["id"]: one["record"]["_reject_attempt"] for one in result.rejects} == {2: 5, 3: 5}
    mended = newest(mailjet).replace('"nobody"', '"somebody@example.com"')
    mailjet.sandbox.mailjet.add_property("height", "float")
    assert mailjet.deliver(mended).counts() == {"delivered": 2}
    assert bulk_rows(mailjet) == [
        "person0@example.com", "person1@example.com", "person3@example.com", "somebody@example.com",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_record_is_the_one_that_came_however_often_it_is_rejected(mailjet):
    record = {"id": 1, "email": "no", "odd": {"a": [1, {"b": None}], "ü": 2**60}, "visits": 1.25, "city": ["x"]}
    result = mailjet.deliver([schema(), {"type": "RECORD", "stream": "people", "record": record}])
    for _ in range(3):
        (reject,) = result.rejects
        assert {name: value for name, value in reject["record"].items() if not name.startswith("_reject_")} == record
        result = mailjet.deliver(newest(mailjet))


def test_several_streams_go_back_to_their_own_lists(mailjet):
    mailjet.sandbox.mailjet.add_list("Firms")
    streams = {"firms": {"list": "Firms", "mapping": {"email": "contact"}, "properties": []}}
    columns = {"no": {"type": "string"}, "contact": {"type": "string"}, "shoe_size": {"type": "string"}}
    firm = {"no": "A7", "contact": "office@example.com", "shoe_size": "many"}
    first = mailjet.deliver(
        [
            schema(),
            schema("firms", columns, ["no"]),
            person(1, email="nobody"),
            {"type": "RECORD", "stream": "firms", "record": firm | {"contact": "office"}},
            {"type": "RECORD", "stream": "firms", "record": {"contact": "second@example.com"}},
            person(2, visits="many"),
        ],
        streams=streams,
    )
    assert first.outcomes["reasons"] == {"bad_address": 2, "missing_key": 1, "wrong_type": 1}
    mended = newest(mailjet).replace('"nobody"', '"person1@example.com"').replace('"office"', '"office@example.com"')
    mended = mended.replace('"many"', "7").replace('{"contact":"second', '{"no":"B1","contact":"second')
    again = mailjet.deliver(mended, streams=streams)
    assert again.counts() == {"delivered": 4}
    assert mailjet.statuses().keys() == {"person1@example.com", "person2@example.com"}
    assert mailjet.statuses("Firms").keys() == {"office@example.com", "second@example.com"}


def test_a_row_mended_in_the_file_is_remembered_under_its_key(mailjet):
    mailjet.deliver([schema(), person(1, visits="many"), person(2, email="nobody")])
    mended = newest(mailjet).replace('"many"', "7").replace('"nobody"', '"person2@example.com"')
    assert mailjet.deliver(mended).counts() == {"delivered": 2}
    result = mailjet.deliver(
        [
            schema(),
            person(1, email="new@example.com"),
            {"type": "RECORD", "stream": "people", "record": {"id": 2, "_sdc_deleted_at": GONE}},
        ]
    )
    assert result.counts() == {"delivered": 2}
    assert mailjet.statuses().keys() == {"new@example.com"}


def test_a_replay_without_the_key_is_still_rejected(mailjet):
    mailjet.deliver([schema(), person(None)])
    again = mailjet.deliver(newest(mailjet))
    assert again.outcomes["reasons"] == {"missing_key": 1}


def test_a_stream_with_maps_is_kept_before_them_and_mapped_again(mailjet):
    maps = {"people": {"__alias__": "crm_contacts", "email": "mail", "city": "city.upper()", "__filter__": "id > 1"}}
    columns = {
        "id": {"type": "integer"},
        "mail": {"type": ["string", "null"]},
        "city": {"type": ["string", "null"]},
        "visits": {"type": ["integer", "string", "null"]},
    }
    config = {"stream_maps": maps, "streams": {"crm_*": {"properties": ["city", "visits"]}}, "properties": None}
    rows = [
        {"type": "RECORD", "stream": "people", "record": {"id": at, "mail": mail, "city": "Lyon", "visits": visits}}
        for at, mail, visits in ((1, "no", 1), (2, "b@example.com", "many"), (3, "c@example.com", 3))
    ]
    first = mailjet.deliver([schema(columns=columns), *rows], **config)
    assert first.error is None
    assert first.counts() == {"skipped": 1, "delivered": 1, "rejected": 1}
    (reject,) = first.rejects
    assert reject["stream"] == "people"
    assert reject["record"]["city"] == "Lyon"
    again = mailjet.deliver(newest(mailjet).replace('"many"', "7"), **config)
    assert again.counts() == {"delivered": 1}
    assert mailjet.members()["b@example.com"]["properties"] == {"city": "LYON", "visits": "7"}


def test_a_delete_of_an_unknown_key_goes_back_when_its_row_was_delivered(mailjet):
    gone = {"type": "RECORD", "stream": "people", "record": {"id": 1, "_sdc_deleted_at": GONE}}
    first = mailjet.deliver([schema(), gone, state(1)])
    assert first.outcomes["reasons"] == {"unknown_key": 1}
    file = newest(mailjet)
    mailjet.deliver([schema(), person(1)])
    assert mailjet.deliver(file).counts() == {"delivered": 1}
    assert mailjet.statuses() == {}


def test_p5_a_replayed_row_obeys_its_status(mailjet):
    mailjet.deliver([schema(), person(1, visits="many", subscription_status="unsubscribed"), person(2, visits="many")])
    mailjet.opt_out("person2@example.com")
    mended = newest(mailjet).replace('"many"', "7")
    assert mailjet.deliver(mended, action="addforce").counts() == {"delivered": 2}
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed", "person2@example.com": "unsubscribed"}


def test_rejects_of_one_key_are_all_kept_for_a_warehouse(mailjet):
    """A key would make a warehouse keep the last of them only, and refuse the row that has none."""
    mailjet.deliver([schema(), person(1, email="a"), person(1, email="b"), person(None)])
    schemas = [one for line in newest(mailjet).splitlines() if (one := json.loads(line))["type"] == "SCHEMA"]
    assert [one["key_properties"] for one in schemas] == [[]]
    assert schemas[0]["schema"]["x-key-properties"] == ["id"]
