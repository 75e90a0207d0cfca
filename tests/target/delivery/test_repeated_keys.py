"""Keys that are no keys: blank ones are rejected, and one with several addresses takes nobody off."""

from __future__ import annotations

import re

import pytest

from target_mailing.contacts.deletion import tells_changes
from tests.target.conftest import COLUMNS, person, schema, state
from tests.target.postgrid.conftest import household, households, postgrid  # noqa: F401 - a fixture
from tests.target.ses.conftest import _little_patience, _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

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
        assert " a key that several addresses share" in result.log


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


@pytest.mark.parametrize("mine", ["ada@example.com", "bob@example.com", "cy@example.com"])
def test_each_address_of_a_key_of_several_stays_until_all_of_its_rows_are_deleted(mailjet, mine):
    emails = ["ada@example.com", "bob@example.com", "cy@example.com"]
    mailjet.deliver([table(), *(person(0, email=email) for email in emails), person(5, email=mine), state(1)])

    def delete(**columns):
        return {"type": "RECORD", "stream": "people", "record": columns | {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}}

    result = mailjet.deliver([schema(columns=LOG), delete(id=5), state(2)])
    assert (result.counts(), set(mailjet.statuses())) == ({"unchanged": 1}, {*emails})
    mailjet.deliver([schema(columns=LOG), person(5, email=mine), delete(id=0, email=mine), state(3)])
    assert set(mailjet.statuses()) == {*emails}
    mailjet.deliver([schema(columns=LOG), delete(id=5), state(4)])
    assert set(mailjet.statuses()) == {*emails} - {mine}


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
    assert "have another address than the row of their key" not in result.log


# Streams that have Singer's mark of deletion

MARK = "_sdc_deleted_at"


@pytest.mark.parametrize(
    ("columns", "bookmarks", "is_log"),
    [
        (["id", MARK], [], True),
        (["id", "_SDC_DELETED_AT"], [], True),
        (["id", "_sdc_lsn_deleted_at"], ["_sdc_lsn"], True),
        (["id", MARK], ["lsn"], True),
        (["id", MARK], ["scn"], True),
        (["id", MARK], ["updated_at"], False),
        (["id", MARK, "_sdc_batched_at"], [], False),
        (["id", MARK, "_SDC_RECEIVED_AT"], [], False),
        (["id", MARK, "_reject_code"], [], False),
        (["id", "deleted_at"], [], False),
        (["id"], [], False),
    ],
)
def test_a_log_is_told_from_a_table_by_its_columns_and_bookmarks(columns, bookmarks, is_log):
    assert tells_changes(columns, bookmarks) is is_log


TABLES = {
    "loaded by a target": ({"_sdc_batched_at": {}}, {}, {}),
    "incremental": ({"updated_at": {}}, {}, {"bookmark_properties": ["updated_at"]}),
    "of text": ({}, {MARK: ""}, {}),
    "with flags": ({}, {MARK: "false"}, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TABLES)
def test_in_a_table_with_a_mark_of_deletion_nobody_is_taken_off_for_a_repeated_key(mailjet, kind):
    columns, values, message = TABLES[kind]
    rows = [person(1, name=None, email=f"{one}@example.com", **values) for one in "ab"]
    for run in range(3):
        result = mailjet.deliver([schema(columns=LOG | {MARK: {}} | columns) | message, *rows, state(1)])
        assert set(mailjet.statuses()) == {"a@example.com", "b@example.com"}
        assert result.counts() == {"unchanged" if run else "delivered": 2}


@pytest.mark.slow
@pytest.mark.parametrize("people", [2, 3, 7, 12])
def test_in_a_log_a_key_of_several_people_does_not_swing_for_ever(mailjet, people):
    rows = [person(1, name=None, email=f"p{number}@example.com") for number in range(people)]
    everybody = {f"p{number}@example.com" for number in range(people)}
    counts = []
    for _ in range(5):
        result = mailjet.deliver([schema(), *rows, state(1)])
        assert (result.error, result.states) == (None, [1])
        counts.append(result.counts())
    assert set(mailjet.statuses()) == everybody
    assert counts[-1] == {"unchanged": people}
    assert " a key that several addresses share" in result.log


@pytest.mark.slow
@pytest.mark.parametrize("told", [{}, {"email": "a@example.com"}])
def test_in_a_log_the_address_that_a_deleted_row_had_is_none_of_the_keys_next_person(mailjet, told):
    first, *moves = (person(1, name=None, email=f"{one}@example.com") for one in "abc")
    mailjet.deliver([schema(), first, state(1)])
    gone = {"type": "RECORD", "stream": "people", "record": {"id": 1, MARK: "2026-01-01T00:00:00Z"} | told}
    assert mailjet.deliver([schema(), gone, *moves, state(2)], batch_rows=1).error is None
    assert set(mailjet.statuses()) == {"c@example.com"}


@pytest.mark.slow
def test_in_a_log_that_is_told_again_after_a_failed_run_a_former_address_stays_away(mailjet):
    moves = [person(1, name=None, email=f"{one}@example.com") for one in "ab"]
    mailjet.deliver([schema(), *moves, state(1)])
    for _ in range(3):
        failed = mailjet.deliver(mailjet.text([schema(), *moves]) + "no message")
        assert failed.error is not None
        assert set(mailjet.statuses()) == {"b@example.com"}
    back = person(1, name=None, email="a@example.com")
    mailjet.deliver([schema(), back, state(2)])
    assert set(mailjet.statuses()) == {"a@example.com"}


# Other destinations


@pytest.mark.slow
@pytest.mark.parametrize("route", ["import", "direct"])
@pytest.mark.parametrize(("key", "code"), [("", "missing_key"), (" ", "missing_key"), (0, None), ("n/a", None)])
def test_so_it_is_at_ses(ses, route, key, code):  # noqa: F811
    rows = [person(1, id=key, email=f"{one}@example.com") for one in "ab"]
    for run in range(3):
        result = ses.deliver([table(), *rows, state(1)], route=route)
        if code:
            assert (result.counts(), result.outcomes["reasons"]) == ({"rejected": 2}, {code: 2})
            assert ses.contacts() == {}
        else:
            assert result.counts() == {"unchanged" if run else "delivered": 2}
            assert set(ses.contacts()) == {"a@example.com", "b@example.com"}
            assert re.search("(?:1 row has|2 rows have) a key that several addresses share", result.log)


@pytest.mark.slow
@pytest.mark.parametrize("route", ["contacts", "import"])
@pytest.mark.parametrize(("key", "code"), [("", "missing_key"), (0, None), ("n/a", None)])
def test_so_it_is_at_postgrid(postgrid, route, key, code):  # noqa: F811
    message = households() | {"bookmark_properties": ["updated_at"]}
    rows = [household(number, id=key) for number in range(2)]
    for run in range(3):
        result = postgrid.deliver([message, *rows, state(1)], route=route)
        assert result.error is None
        if code:
            assert (result.counts(), result.outcomes["reasons"]) == ({"rejected": 2}, {code: 2})
        elif route == "contacts":
            assert len(postgrid.streets()) == 2
            assert result.counts() == {"unchanged" if run else "delivered": 2}
        else:  # who is on the list stays, so the later one may be a change that cannot be made
            assert result.counts() == {"unchanged" if run else "delivered": 1, "rejected": 1}
            assert result.outcomes["reasons"] == {"cannot_change": 1}
