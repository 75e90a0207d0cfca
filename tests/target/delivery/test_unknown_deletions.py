"""P9: deleted rows of people of whom the journal knows nothing: as many do not count as it took off and has forgotten.

So a table that keeps its deleted rows is quiet, and a flood of deleted rows after the journal was lost is not.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import FileStore, MemoryStore
from tests.target.conftest import people, schema, state
from tests.target.journal.test_absent import LIST, row

GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}


def gone(numbers, **columns):
    return people(numbers, **GONE, **columns)


@pytest.fixture
def readers(mailjet):
    mailjet.config["batch_rows"] = 50
    return mailjet


@pytest.fixture
def archive(readers):
    """An account to whose list a table with 60 people goes, and which keeps the rows of 40 more who were deleted."""
    first = readers.deliver([schema(), *people(range(60)), *gone(range(100, 140)), state(1)])
    assert "40 contacts would be removed; the limit is 20 " in str(first.error)
    again = [schema(), *people(range(60)), *gone(range(100, 140)), state(1)]
    assert readers.deliver(again, allow_removals_once=40).states == [1]
    return readers


def weeks_later(mailjet):
    """The journal has forgotten whom it took off."""
    with closing(Journal(FileStore(Path(mailjet.config["journal"])))) as journal:
        journal.retention.forget_before(time.time() + 1)
    with closing(sqlite3.connect(mailjet.config["journal"])) as journal, journal:
        journal.execute("UPDATE removed SET at = at - 86400")


def forgotten(mailjet):
    with closing(sqlite3.connect(mailjet.config["journal"])) as journal:
        return [count for (count,) in journal.execute("SELECT forgotten FROM streams ORDER BY number")]


@pytest.mark.parametrize("first", [people([0]), [*people([0]), *gone([1])]], ids=["added", "one deleted"])
def test_p9_after_a_lost_journal_a_good_run_does_not_let_all_others_leave(readers, first):
    assert readers.deliver([schema(), *people(range(41)), state(1)]).states == [1]
    readers.config["journal"] = str(readers.folder / "new.sqlite")
    assert readers.deliver([schema(), *first, state(2)]).states == [2]
    held = readers.deliver([schema(), *gone(range(41)), state(3)])
    assert " would be removed" in str(held.error)
    assert len(readers.members()) == 41 - len(first) + 1


@pytest.mark.slow
def test_p9_a_table_that_keeps_its_deleted_rows_is_quiet_however_many_there_become(archive):
    left = 0
    for week in range(2, 6):
        weeks_later(archive)
        assert forgotten(archive) == [40 + left]
        table = [schema(), *people(range(left + 10, 60)), *gone(range(left + 10)), *gone(range(100, 140)), state(week)]
        assert archive.deliver(table).states == [week]
        left += 10
        assert forgotten(archive) == [0]
        assert archive.deliver(table).states == [week]
    assert len(archive.members()) == 60 - left


@pytest.mark.slow
def test_p9_a_full_refresh_after_runs_that_brought_only_changes_is_quiet(archive):
    for day in range(3):
        assert archive.deliver([schema(), *gone(range(10 * day, 10 * day + 10)), state(day)]).states == [day]
        weeks_later(archive)
    table = [schema(), *people(range(30, 60)), *gone(range(30)), *gone(range(100, 140)), state(9)]
    assert archive.deliver(table).states == [9]
    weeks_later(archive)
    more = archive.deliver([*table[:-1], *gone(range(200, 221)), state(10)])
    assert "21 contacts would be removed; " in str(more.error)


@pytest.mark.parametrize("is_late", [False, True])
def test_p9_runs_with_other_unknown_people_do_not_add_up(archive, is_late):
    if is_late:
        weeks_later(archive)
        assert archive.deliver([schema(), *gone(range(200, 240)), state(2)]).states == [2]
    for number in (240, 280):
        held = archive.deliver([schema(), *gone(range(number, number + 40)), state(3)])
        assert "40 contacts would be removed; " in str(held.error)


@pytest.mark.slow
def test_p9_the_order_of_rows_changes_no_number(archive):
    old, other = gone(range(100, 140)), gone(range(200, 240))
    for rows in ([*old, *other], [*other, *old]):
        assert "40 contacts would be removed; " in str(archive.deliver([schema(), *rows, state(2)]).error)
    weeks_later(archive)
    for rows in ([*old, *other], [*other, *old]):
        assert "40 contacts would be removed" in str(archive.deliver([schema(), *rows, state(2)], max_removals=0).error)


@pytest.mark.slow
def test_p9_people_who_come_and_go_count_once(archive):
    for day in range(3):
        assert archive.deliver([schema(), *gone(range(10)), state(day)]).states == [day]
        assert archive.deliver([schema(), *people(range(10)), state(day)]).states == [day]
        with closing(sqlite3.connect(archive.config["journal"])) as journal, journal:
            journal.execute("UPDATE removed SET at = at - 86400")
    weeks_later(archive)
    assert forgotten(archive) == [40]


@pytest.mark.slow
@pytest.mark.parametrize("keys", [["id"], []], ids=["keyed", "without key"])
def test_p9_who_opted_out_and_stays_counts_once(readers, keys):
    assert readers.deliver([schema(keys=keys), *people(range(30)), state(1)]).states == [1]
    for number in range(25):
        readers.opt_out(f"person{number}@example.com")
    table = [schema(keys=keys), *people(range(25, 30)), *gone(range(25)), state(2)]
    assert "25 contacts would be removed" in str(readers.deliver(table).error)
    assert readers.deliver(table, allow_removals_once=25).counts() == {"unchanged": 5, "withheld": 25}
    for _ in range(2):
        again = readers.deliver(table)
        assert (again.error, again.counts()["withheld"]) == (None, 25)
        weeks_later(readers)
    # Whoever is put there again counts again.
    back = [schema(keys=keys), *people(range(25), city="Nice"), state(3)]
    assert readers.deliver(back, action="addforce", consent="force").counts() == {"delivered": 25}
    assert "25 contacts would be removed" in str(readers.deliver(table).error)


@pytest.mark.slow
def test_p9_deleted_rows_without_a_key_are_forgotten_and_quiet_too(readers):
    table = [schema(keys=()), *people(range(30)), *gone(range(100, 140)), state(1)]
    assert readers.deliver(table).error is not None
    assert readers.deliver(table, allow_removals_once=40).states == [1]
    for _ in range(2):
        weeks_later(readers)
        assert readers.deliver(table).states == [1]


@pytest.mark.slow
def test_p9_a_run_that_fails_forgets_nobody(archive):
    weeks_later(archive)
    for number in (59, 60):
        table = [schema(), *gone(range(100, 140)), *gone(range(200, 200 + number)), state(2)]
        held = archive.deliver(table)
        assert f"{number} contacts would be removed; " in str(held.error)
        assert forgotten(archive) == [0]
    assert archive.deliver(table, allow_removals_once=60).states == [2]
    weeks_later(archive)
    assert forgotten(archive) == [100]
    assert archive.deliver(table).states == [2]


def test_p9_a_run_without_a_limit_notes_whom_it_took_off(readers):
    rows = [schema(), *people(range(60)), *gone(range(100, 140)), state(1)]
    assert readers.deliver(rows, max_removals="100%").states == [1]
    weeks_later(readers)
    assert readers.deliver(rows).states == [1]


@pytest.mark.slow
def test_p9_each_stream_has_a_number_of_its_own(archive):
    weeks_later(archive)
    other = [schema("others"), *gone(range(100, 140), stream="others"), state(2)]
    assert archive.deliver([schema("others"), *people([0], stream="others"), state(2)]).states == [2]
    assert "40 contacts would be removed; " in str(archive.deliver(other).error)
    assert archive.deliver([schema(), *gone(range(100, 140)), state(3)]).states == [3]


@pytest.mark.slow
def test_p9_a_plan_counts_as_the_delivery_and_notes_nothing(archive):
    weeks_later(archive)
    few = [schema(), *gone(range(100, 140)), *gone(range(200, 210)), state(2)]
    assert archive.deliver(few, mode="plan").error is None
    assert forgotten(archive) == [40]
    rows = [schema(), *gone(range(100, 140)), *gone(range(200, 221)), state(2)]
    for config in ({"mode": "plan"}, {}):
        assert "21 contacts would be removed; " in str(archive.deliver(rows, **config).error)


def of_an_earlier_version(mailjet):
    with closing(sqlite3.connect(mailjet.config["journal"])) as journal, journal:
        journal.execute("ALTER TABLE streams DROP COLUMN forgotten")
        journal.execute("DROP TABLE taken_off")


@pytest.mark.slow
@pytest.mark.parametrize("forgets", [True, False])
def test_p9_a_journal_of_an_earlier_version_counts_after_the_first_run_that_ends_well(archive, forgets):
    if forgets:
        weeks_later(archive)
    of_an_earlier_version(archive)
    rows = [schema(), *gone(range(100, 140)), state(2)]
    assert archive.deliver(rows).states == [2]
    weeks_later(archive)
    more = archive.deliver([*rows[:-1], *gone(range(200, 221)), state(3)])
    assert "21 contacts would be removed; " in str(more.error)
    assert archive.deliver(rows).states == [2]


def test_p9_an_earlier_version_whose_run_did_not_end_well_told_nothing(readers):
    rows = [schema(), *people([500]), *gone(range(100, 140)), state(1)]
    for _ in range(2):
        assert "40 contacts would be removed; " in str(readers.deliver(rows).error)
        of_an_earlier_version(readers)


PEOPLE = st.frozensets(st.integers(0, 8))
EVENTS = st.lists(
    st.tuples(st.sampled_from(["add", "delete", "delete"]), PEOPLE)
    | st.tuples(st.just("forget"), st.just(frozenset())),
    max_size=12,
)


@pytest.mark.slow
@given(EVENTS)
def test_no_more_are_unknown_without_counting_than_were_taken_off_and_forgotten(events):
    """And whoever left and was forgotten is always among them, as long as nobody else takes the place."""
    with closing(Journal(MemoryStore())) as journal:
        journal.absent.begin_stream(LIST, "people", b"", names_lists=False)
        judged = uncounted = 0
        left, is_displaced = set(), False
        for event, numbers in events:
            journal._streams._deletions.clear()  # the next run
            if event == "forget":
                journal.retention.forget_before(time.time() + 1)
                continue
            rows = [row(journal, number, action="remove" if event == "delete" else "add") for number in sorted(numbers)]
            if event == "delete":
                known = {*journal.contacts([one.id for one in rows])}
                known |= {one.id for one in rows if one.key in journal.emails([one.key for one in rows])}
                deletions = journal.deletions(LIST, "people")
                counts = [deletions.counts(is_known=one.id in known) for one in rows if one.id not in known]
                strangers = any(one not in left for one in numbers)
                if not (strangers or is_displaced):
                    assert not any(counts)
                is_displaced = is_displaced or (strangers and not all(counts))
                judged += len(rows) - counts.count(False)
                uncounted += counts.count(False)
                left |= numbers
            else:
                left -= numbers
            batch = journal.begin_batch(LIST, "add", "json", rows)
            ends = {"gone": rows} if event == "delete" else {}
            journal.settle(
                batch, destination=LIST, action="add", route="json", outcomes={}, placed=event == "add",
                confirmed=rows, **ends,
            )  # fmt: skip
            with journal._reading():
                (count,) = journal._streams._forgotten.values()
            assert 0 <= count <= judged + uncounted
