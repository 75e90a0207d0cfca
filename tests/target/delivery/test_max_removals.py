"""P9: `max_removals` stops a run before it takes too many people off: the rest is delivered, STATE stays before it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from target_mailing.delivery.errors import TooManyRemovalsError
from target_mailing.delivery.removal_limit import removal_limit
from tests.target.conftest import COLUMNS, people, person, schema, state

OTHER = "Summer readers"
GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}


def gone(numbers, *, stream="people"):
    rows = [{"id": number, "_sdc_deleted_at": "2026-01-01T00:00:00Z"} for number in numbers]
    return [{"type": "RECORD", "stream": stream, "record": row} for row in rows]


def moved(numbers):
    return [person(number, email=f"moved{number}@example.com") for number in numbers]


@pytest.fixture
def readers(mailjet):
    """The account, with sixty people on its list."""
    mailjet.config["batch_rows"] = 20
    assert mailjet.deliver([schema(), *people(range(60)), state(1)]).states == [1]
    return mailjet


def numbers_on(mailjet, name="Spring readers"):
    return {int(email.removeprefix("person").split("@")[0]) for email in mailjet.members(name) if "person" in email}


def a_day_later(mailjet):
    with closing(sqlite3.connect(mailjet.config["journal"])) as journal, journal:
        journal.execute("UPDATE removed SET at = at - 86400")


def test_p9_beyond_the_limit_nobody_is_removed_and_all_other_rows_are_delivered(readers):
    rows = [state(2), *gone(range(21)), *people([99]), state(3)]
    result = readers.deliver([schema(), *rows])
    assert isinstance(result.error, TooManyRemovalsError)
    assert result.states == [2]
    assert numbers_on(readers) == {*range(60), 99}
    message = str(result.error)
    assert "Setting `max_removals`: list 'Spring readers' (mailjet:" in message
    assert "21 contacts would be removed; the limit is 20 (10% of its 60 in the journal, but at least 20)." in message
    assert "stream 'people', line 3, id 0; " in message
    assert "`allow_removals_once: 21`" in message
    assert "@" not in message
    assert result.counts() == {"delivered": 1}
    sentence = "22 rows: 1 delivered (added or updated), 21 held back; 21 removals held back by `max_removals`"
    assert sentence in result.log
    assert (result.outcomes["removals_held"], result.outcomes["rows_held"]) == (21, 21)
    table = dict(line.strip().rsplit("  ", 1) for line in result.log.splitlines() if line.startswith("  "))
    table = {words.strip(): int(value) for words, value in table.items() if words.startswith(("held back: ", "rows"))}
    assert table == {"held back: more would leave than max_removals": 21, "rows": 22}


@pytest.mark.slow
def test_p9_whoever_a_run_adds_does_not_let_others_leave(readers):
    """Neither in that run, nor in the one after it that reads the same rows again."""
    rows = [schema(), *people(range(1000, 1250)), *gone(range(22)), *moved(range(30, 60)), state(2)]
    for _ in range(2):
        result = readers.deliver(rows, batch_rows=500)
        assert "22 contacts would be removed and 30 contacts would be moved to a new address" in str(result.error)
        assert "the limit is 20 (10% of its 60 in the journal, but at least 20)" in str(result.error)
        assert len(readers.members()) == 310
    assert readers.deliver(rows, allow_removals_once=52).states == [2]
    assert readers.deliver([schema(), *gone(range(1000, 1028)), state(3)]).states == [3]


@pytest.mark.slow
def test_p9_an_allowance_must_name_the_number_and_is_used_once(readers):
    rows = [schema(), *gone(range(21)), state(2)]
    for number in (20, 22):
        wrong = readers.deliver(rows, allow_removals_once=number)
        assert f"`allow_removals_once: 21` instead of {number}" in str(wrong.error)
    assert readers.deliver(rows, allow_removals_once=21).states == [2]
    assert numbers_on(readers) == {*range(21, 60)}
    # Those that were allowed do not count for the limit of the next day.
    assert readers.deliver([schema(), *gone(range(21, 30)), state(3)], allow_removals_once=21).states == [3]
    assert readers.deliver([schema(), *people(range(21)), state(4)], allow_removals_once=21).states == [4]
    again = readers.deliver(rows, allow_removals_once=21)
    assert "run once without `allow_removals_once: 21`, which is used up" in str(again.error)
    assert readers.deliver(rows).error is not None
    assert readers.deliver(rows, allow_removals_once=21).error is None


def test_p9_removals_of_a_day_count_together(readers):
    assert readers.deliver([schema(), *gone(range(15)), state(2)]).states == [2]
    rows = [schema(), *gone(range(10, 25)), state(3)]
    result = readers.deliver(rows)
    assert "10 contacts would be removed (15 more left within the last 24 hours); the limit is 20" in str(result.error)
    assert numbers_on(readers) == {*range(15, 60)}
    a_day_later(readers)
    assert readers.deliver(rows).states == [3]
    assert numbers_on(readers) == {*range(25, 60)}


def test_p9_whoever_left_without_a_limit_does_not_count_for_a_later_one(readers):
    assert readers.deliver([schema(), *gone(range(30)), state(2)], max_removals="100%").states == [2]
    assert readers.deliver([schema(), *gone(range(50)), state(3)]).states == [3]
    assert numbers_on(readers) == {*range(50, 60)}


@pytest.mark.parametrize("skip", range(4))
def test_p3_a_run_that_fails_among_its_removals_is_repeated_within_the_limit(readers, skip):
    rows = [schema(), *gone(range(30)), state(2)]
    readers.sandbox.faults.add(kind="status", status=403, path="*managemanycontacts*", skip=skip, times=None)
    first = readers.deliver(rows, max_removals=30, batch_rows=10)
    readers.sandbox.faults.clear()
    assert (first.error is None, first.states) == (False, [])
    assert "max_removals" not in str(first.error)
    second = readers.deliver([schema(), *gone(range(31)), state(2)], max_removals=30)
    assert isinstance(second.error, TooManyRemovalsError)
    left = numbers_on(readers)
    assert readers.deliver(rows, max_removals=30).states == [2]
    assert numbers_on(readers) == {*range(30, 60)} <= left


@pytest.mark.parametrize("skip", [1, 3])
def test_p3_an_allowed_run_that_fails_in_the_middle_is_allowed_again(readers, skip):
    rows = [schema(), *gone(range(50)), state(2)]
    readers.sandbox.faults.add(kind="status", status=403, path="*managemanycontacts*", skip=skip, times=None)
    assert readers.deliver(rows, allow_removals_once=50, batch_rows=10).states == []
    readers.sandbox.faults.clear()
    assert numbers_on(readers) > {*range(50, 60)}
    assert readers.deliver(rows, allow_removals_once=50).states == [2]
    assert numbers_on(readers) == {*range(50, 60)}


@pytest.mark.slow
def test_p9_people_who_left_before_are_not_counted_when_their_rows_come_again(readers):
    for day in range(2):
        removed = gone(range(20 * day, 20 * day + 20))
        assert readers.deliver([schema(), *removed, state(day)]).states == [day]
        a_day_later(readers)
    rows = people(range(40), _sdc_deleted_at="2026-01-01T00:00:00Z")
    result = readers.deliver([schema(), *rows, state(3)], send="all")
    assert (result.counts(), result.states) == ({"delivered": 40}, [3])
    assert readers.deliver([schema(), *gone(range(40, 60)), state(4)]).states == [4]


def test_p9_moved_keys_are_counted_apart(readers):
    result = readers.deliver([schema(), *gone(range(20)), *moved(range(20, 40)), state(2)])
    assert result.states == [2]
    assert numbers_on(readers) == {*range(40, 60)}
    assert len(readers.members()) == 40
    result = readers.deliver([schema(), *moved(range(40, 60)), state(3)])
    assert "20 contacts would be moved to a new address (40 more left" in str(result.error)


def test_p5_an_opt_out_is_never_held_back(readers):
    out = people(range(30), subscription_status="unsubscribed")
    assert readers.deliver([schema(), *out, state(2)]).states == [2]
    # Of people who are to be removed, and of one whose key has moved.
    rows = [*gone(range(30, 55)), *people(range(30, 35), subscription_status="unsubscribed")]
    rows.append(person(55, email="moved@example.com", subscription_status="unsubscribed"))
    result = readers.deliver([schema(), *rows, state(3)])
    assert (type(result.error), result.states) == (TooManyRemovalsError, [])
    statuses = readers.statuses()
    assert all(statuses[f"person{number}@example.com"] == "unsubscribed" for number in range(35))
    assert all(statuses[f"person{number}@example.com"] == "subscribed" for number in (*range(35, 55), *range(56, 60)))
    assert statuses["moved@example.com"] == "unsubscribed"
    assert "person55@example.com" not in statuses
    assert "25 contacts would be removed; " in str(result.error)


@pytest.mark.slow
def test_p9_each_destination_has_its_own_limit_for_all_of_its_streams(readers):
    readers.sandbox.mailjet.add_list(OTHER)
    streams = {"others": {"list": OTHER}, "more": {"mapping": {}}}
    start = [schema("others"), *people(range(60), stream="others"), schema("more")]
    assert readers.deliver([*start, *people(range(60, 80), stream="more"), state(2)], streams=streams).states == [2]
    rows = [schema(), *gone(range(12)), schema("more"), *gone(range(60, 72), stream="more")]
    rows += [schema("others"), *gone(range(20), stream="others")]
    result = readers.deliver([*rows, state(3)], streams=streams)
    assert "24 contacts would be removed" in str(result.error)
    assert str(result.error).count("would be") == 1
    assert numbers_on(readers) == {*range(80)}
    assert numbers_on(readers, OTHER) == {*range(20, 60)}
    assert readers.deliver([*rows, state(3)], streams=streams, allow_removals_once=24).states == [3]
    assert numbers_on(readers) == {*range(12, 60), *range(72, 80)}


@pytest.mark.slow
def test_p9_a_share_is_of_the_contacts_of_one_list(readers):
    readers.sandbox.mailjet.add_list(OTHER)
    streams = {"others": {"list": OTHER}}
    many = people(range(220), stream="others")
    start = [schema(), *gone(range(10)), schema("others")]
    assert readers.deliver([*start, *many, state(2)], streams=streams, batch_rows=500).states == [2]
    a_day_later(readers)
    held = readers.deliver([schema(), *gone(range(10, 31)), state(3)], streams=streams)
    assert "the limit is 20 (10% of its 50 in the journal, but at least 20)" in str(held.error)
    assert readers.deliver([schema("others"), *gone(range(22), stream="others"), state(4)], streams=streams).states == [
        4
    ]
    held = readers.deliver([schema("others"), *gone(range(200), stream="others"), state(5)], streams=streams)
    assert "178 contacts would be removed (22 more left within the last 24 hours)" in str(held.error)
    assert "the limit is 20 (10% of its 198 in the journal, but at least 20)" in str(held.error)


def test_p7_no_address_is_in_the_error_where_it_is_the_key(mailjet):
    rows = people(range(3))
    mailjet.deliver([schema(keys=["email"]), *rows, state(1)])
    result = mailjet.deliver([schema(keys=["email"]), *rows, state(2)], action="remove", max_removals=2)
    assert "stream 'people', line 2; " in str(result.error)
    assert "@" not in str(result.error)
    assert len(mailjet.members()) == 3


@pytest.mark.parametrize("value", ["100%", "100 %"])
def test_without_a_limit_nothing_waits(readers, value):
    result = readers.deliver([schema(), *gone(range(60)), *people([5]), state(2)], max_removals=value)
    assert result.states == [2]
    assert numbers_on(readers) == {5}


@pytest.mark.parametrize("value", [-1, "many", "10 rows", "-5%"])
def test_a_wrong_limit_is_refused(mailjet, value):
    assert "max_removals" in str(mailjet.deliver([schema()], max_removals=value).error)


@pytest.mark.parametrize("value", [0, -1])
def test_a_wrong_allowance_is_refused(mailjet, value):
    assert "allow_removals_once" in str(mailjet.deliver([schema()], allow_removals_once=value).error)


def test_p9_whom_a_run_adds_do_not_let_more_people_leave(readers):
    result = readers.deliver([schema(), *people(range(60, 400)), *gone(range(21)), state(2)], batch_rows=200)
    assert "the limit is 20 (10% of its 60 in the journal, but at least 20)" in str(result.error)
    assert numbers_on(readers) == {*range(400)}


def test_p9_people_of_whom_nobody_knows_whether_they_left_count_again(readers):
    assert readers.deliver([schema(), *people(range(15), **GONE), state(2)]).states == [2]
    a_day_later(readers)
    with closing(sqlite3.connect(readers.config["journal"])) as journal, journal:
        journal.execute("UPDATE contacts SET confirmed_at = NULL WHERE streams = 0")
    held = readers.deliver([schema(), *people(range(21), **GONE), state(3)])
    assert "21 contacts would be removed; " in str(held.error)


def test_p5_two_opt_outs_of_one_address_behind_a_removal_go(readers):
    out = people([0, 0], subscription_status="unsubscribed")
    out += people([0], id=70, subscription_status="unsubscribed")
    result = readers.deliver([schema(), *gone([0]), *out, state(2)], max_removals=0)
    assert "1 contact would be removed; the limit is 0." in str(result.error)
    assert (readers.statuses()["person0@example.com"], result.states) == ("unsubscribed", [])


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("7", ", code 7"), ("0b8f5d1e-7f2a-4c11-9d3e-5a1f0c9b7e21", ", code 0b8f5d1e-7f2a-4c11-9d3e-5a1f0c9b7e21"),
        ("ada%40example.com", ""), ("ada\uff20example.com", ""), ("+44 20 7946 0958", ""), ("Ada Lovelace", ""),
        ("7" * 500, ""),
    ],
)  # fmt: skip
def test_p7_a_key_is_in_the_error_only_if_it_names_nobody(mailjet, key, shown):
    table = schema(columns=COLUMNS | {"code": {"type": "string"}}, keys=["code"])
    mailjet.deliver([table, person(1, code=key), state(1)])
    result = mailjet.deliver([table, person(1, code=key, **GONE), state(2)], max_removals=0)
    assert str(result.error).endswith(f" The first rows that take somebody off: stream 'people', line 2{shown}.")


@pytest.mark.parametrize(
    ("value", "known", "most"),
    [
        ("29%", 100, 29),
        ("57%", 100, 57),
        ("0.1%", 30_000, 30),
        ("10%", 199, 20),
        ("10%", 219, 21),
        ("0%", 500, 0),
        (7, 9, 7),
    ],
)
def test_a_share_is_of_whole_contacts(value, known, most):
    assert removal_limit(value).most(known) == most
