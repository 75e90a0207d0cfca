"""Rows of one address in one batch: all of them are in the rejects file, and many of them cost no more than others."""

from __future__ import annotations

import json

import pytest

from target_mailing.contacts.contact import EncodedContact
from target_mailing.rows.row import Row
from tests.target.conftest import person, schema, state

WHO = "ada@example.com"


def row(line: int) -> Row:
    raw = json.dumps({"type": "RECORD", "stream": "people", "record": {"id": line}}).encode()
    return Row(line, raw, "people", b"k%d" % line, 1, "add", line, EncodedContact(WHO, WHO, b"c"))


def replay(mailjet):
    (file,) = mailjet.folder.glob("rejects/*")
    assert mailjet.deliver(file.read_text()).rejects == []


@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_a_refused_row_takes_the_rows_that_it_superseded_into_the_rejects_file(mailjet, route):
    mailjet.config["route"] = route
    rows = [
        person(1, email=WHO, name=None, city="Lyon"),
        person(2, name=None, city="Bonn"),
        person(1, email=WHO, name=None, city=None, visits=7),
        person(3, email=WHO, name=None, city=None),
    ]
    mailjet.sandbox.mailjet.refuse([WHO])
    result = mailjet.deliver([schema(), *rows, state(1)])
    assert result.counts() == {"delivered": 1, "superseded": 2, "rejected": 1}
    assert [(one["record"]["id"], one["record"]["visits"]) for one in map(with_visits, result.rejects)] == [
        (1, None),
        (1, 7),
        (3, None),
    ]
    mailjet.sandbox.mailjet._account.store.refused.clear()
    replay(mailjet)
    assert mailjet.members()[WHO]["properties"] == {"city": "Lyon", "visits": "7"}


def with_visits(one):
    return one | {"record": {"visits": None} | one["record"]}


def test_a_row_has_the_records_of_the_rows_that_it_superseded_in_their_order():
    rows = [row(line) for line in (1, 5, 3, 6)]
    for one in rows[1:]:
        rows[0].supersede_by(one, b"", 0)
    assert [json.loads(record)["id"] for record, _ in rows[0].records()] == [1, 5, 3, 6]


def test_p8_many_rows_of_one_contact_take_no_copies_of_what_was_gathered():
    first, *others = [row(line) for line in range(1, 1_001)]
    first.supersede_by(others[0], b"", 0)
    gathered = id(first.lines), id(first.extras.superseded), id(first.also), id(first.tickets)
    for one in others[1:]:
        first.supersede_by(one, b"", 0)
    assert (id(first.lines), id(first.extras.superseded), id(first.also), id(first.tickets)) == gathered
    assert (len(first.lines), len(first.also), len({*first.resources})) == (1_000, 999, 1_001)


@pytest.mark.slow
@pytest.mark.parametrize("keys", [1, 2, 500])
def test_500_rows_of_one_address_are_one_job(mailjet, keys):
    rows = [person(number % keys, email=WHO, name=None, visits=number) for number in range(500)]
    result = mailjet.deliver([schema(), *rows, state(1)])
    assert result.counts() == {"delivered": 1, "superseded": 499}
    assert len(mailjet.sandbox.mailjet.jobs()) == 1
    gone = [
        {"type": "RECORD", "stream": "people", "record": {"id": number, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}}
        for number in range(keys)
    ]
    mailjet.deliver([schema(), *gone, state(2)])
    assert mailjet.statuses() == {}
