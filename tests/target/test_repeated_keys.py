"""Keys that are no keys: blank ones are rejected, and one with several addresses takes nobody off."""

from __future__ import annotations

import pytest

from tests.target.conftest import COLUMNS, person, schema, state

TABLE = {name: column for name, column in COLUMNS.items() if name != "_sdc_deleted_at"} | {
    "id": {"type": ["string", "integer", "null"]}
}
LOG = TABLE | {"_sdc_deleted_at": COLUMNS["_sdc_deleted_at"]}


def table(keys=("id",)):
    return schema(columns=TABLE, keys=keys)


@pytest.mark.parametrize("blank", ["", " ", "\u00a0", None])
@pytest.mark.parametrize("columns", [TABLE, LOG], ids=["table", "log"])
def test_a_blank_key_is_missing(mailjet, blank, columns):
    rows = [person(1, id=blank, email=f"{name}@example.com") for name in "abc"]
    result = mailjet.deliver([schema(columns=columns), *rows, person(4), state(1)])
    assert result.counts() == {"delivered": 1, "rejected": 3}
    assert {one["record"]["_reject_code"] for one in result.rejects} == {"missing_key"}


def test_each_column_of_a_key_must_hold_something(mailjet):
    rows = [person(1, id="x", city=" "), person(2, id="y", city=" z ")]
    result = mailjet.deliver([table(("id", "city")), *rows, state(1)])
    assert result.counts() == {"delivered": 1, "rejected": 1}
    assert result.rejects[0]["record"]["_reject_reason"] == "key column city is missing, null or blank"


@pytest.mark.slow
@pytest.mark.parametrize("route", ["json", "csv", "contact"])
@pytest.mark.parametrize(("key", "people"), [(7, 2), (0, 5), ("n/a", 3)])
def test_people_of_one_key_all_stay_and_an_unchanged_file_changes_nothing(mailjet, route, key, people):
    mailjet.config["route"] = route
    rows = [person(1, id=key, name=None, email=f"p{number}@example.com") for number in range(people)]
    everybody = {f"p{number}@example.com" for number in range(people)} | {"person99@example.com"}
    for run in range(3):
        result = mailjet.deliver([table(), *rows, person(99, name=None), state(1)])
        assert result.error is None
        assert set(mailjet.statuses()) == everybody
        assert result.counts() == {"unchanged" if run else "delivered": people + 1}
        assert " rows have a key that another row has with another address" in result.log


@pytest.mark.slow
def test_somebody_who_comes_with_the_key_of_somebody_known_takes_nobody_off(mailjet):
    first, second = person(1, email="ada@example.com"), person(1, email="bob@example.com")
    mailjet.deliver([table(), first, state(1)])
    for rows in ([first, second], [second, first], [first, second]):
        result = mailjet.deliver([table(), *rows, state(2)])
        assert set(mailjet.statuses()) == {"ada@example.com", "bob@example.com"}
    assert result.counts() == {"unchanged": 2}


@pytest.mark.slow
def test_a_delete_by_a_key_of_several_takes_nobody_off_but_one_with_an_address_does(mailjet):
    rows = [person(1, email="ada@example.com"), person(1, email="bob@example.com")]
    mailjet.deliver([table(), *rows, state(1)])
    gone = {"id": 1, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}
    by_key = mailjet.deliver([schema(columns=LOG), {"type": "RECORD", "stream": "people", "record": gone}, state(2)])
    assert by_key.counts() == {"rejected": 1}
    assert len(mailjet.statuses()) == 2
    named = {"type": "RECORD", "stream": "people", "record": gone | {"email": "bob@example.com"}}
    mailjet.deliver([schema(columns=LOG), named, state(3)])
    assert set(mailjet.statuses()) == {"ada@example.com"}


def test_an_address_that_changed_from_run_to_run_is_a_change(mailjet):
    for email in ("ada@example.com", "bob@example.com"):
        mailjet.deliver([table(), person(1, email=email), person(2), state(1)])
    assert set(mailjet.statuses()) == {"bob@example.com", "person2@example.com"}


def test_in_a_log_a_second_address_of_a_key_is_a_change(mailjet):
    rows = [person(1, email="ada@example.com"), person(1, email="bob@example.com")]
    mailjet.deliver([schema(), *rows, state(1)])
    assert set(mailjet.statuses()) == {"bob@example.com"}


def test_a_key_that_comes_again_with_its_address_is_no_repeated_one(mailjet):
    rows = [person(number % 3, email=f"p{number % 3}@example.com") for number in range(30)]
    result = mailjet.deliver([table(), *rows, state(1)])
    assert "have a key that another row has" not in result.log
