"""P9: deleted rows of people of whom the journal knows nothing: as many as the stream was seen to remove do not count.

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

from target_mailing.journal.deletions import Deletions
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import FileStore
from tests.target.conftest import people, schema, state

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


def noted(mailjet):
    with closing(sqlite3.connect(mailjet.config["journal"])) as journal:
        return [removed for (removed,) in journal.execute("SELECT removed FROM streams ORDER BY number")]


@pytest.mark.parametrize("first", [people([0]), [*people([0]), *gone([1])]], ids=["added", "one deleted"])
def test_p9_after_a_lost_journal_a_good_run_does_not_let_all_others_leave(readers, first):
    assert readers.deliver([schema(), *people(range(41)), state(1)]).states == [1]
    readers.config["journal"] = str(readers.folder / "new.sqlite")
    assert readers.deliver([schema(), *first, state(2)]).states == [2]
    held = readers.deliver([schema(), *gone(range(41)), state(3)])
    assert " would be removed" in str(held.error)
    assert len(readers.members()) == 41 - len(first) + 1


def test_p9_a_table_that_keeps_its_deleted_rows_is_quiet_however_many_there_become(archive):
    left = 0
    for week in range(2, 6):
        weeks_later(archive)
        table = [schema(), *people(range(left + 10, 60)), *gone(range(left + 10)), *gone(range(100, 140)), state(week)]
        assert archive.deliver(table).states == [week]
        left += 10
        assert noted(archive) == [40 + left]
    assert len(archive.members()) == 60 - left


def test_p9_a_full_refresh_after_runs_that_brought_only_changes_is_quiet(archive):
    for day in range(3):
        assert archive.deliver([schema(), *gone(range(10 * day, 10 * day + 10)), state(day)]).states == [day]
        weeks_later(archive)
    table = [schema(), *people(range(30, 60)), *gone(range(30)), *gone(range(100, 140)), state(9)]
    assert archive.deliver(table).states == [9]
    weeks_later(archive)
    more = archive.deliver([*table[:-1], *gone(range(200, 221)), state(10)])
    assert "21 contacts would be removed; " in str(more.error)


def test_p9_a_run_that_fails_notes_nothing(archive):
    for number in (59, 60):
        table = [schema(), *gone(range(100, 140)), *gone(range(200, 200 + number)), state(2)]
        assert f"{number} contacts would be removed; " in str(archive.deliver(table).error)
        assert noted(archive) == [40]
    assert archive.deliver(table, allow_removals_once=60).states == [2]
    assert noted(archive) == [100]
    weeks_later(archive)
    assert archive.deliver(table).states == [2]


def test_p9_a_run_without_a_limit_notes_what_it_took_off(readers):
    rows = [schema(), *people(range(60)), *gone(range(100, 140)), state(1)]
    assert readers.deliver(rows, max_removals="100%").states == [1]
    weeks_later(readers)
    assert readers.deliver(rows).states == [1]
    assert noted(readers) == [40]


def test_p9_each_stream_has_a_number_of_its_own(archive):
    weeks_later(archive)
    other = [schema("others"), *gone(range(100, 140), stream="others"), state(2)]
    assert archive.deliver([schema("others"), *people([0], stream="others"), state(2)]).states == [2]
    assert "40 contacts would be removed; " in str(archive.deliver(other).error)
    assert archive.deliver([schema(), *gone(range(100, 140)), state(3)]).states == [3]


def test_p9_a_plan_counts_as_the_delivery_and_notes_nothing(archive):
    weeks_later(archive)
    rows = [schema(), *gone(range(100, 140)), *gone(range(200, 221)), state(2)]
    for config in ({"mode": "plan"}, {}):
        assert "21 contacts would be removed; " in str(archive.deliver(rows, **config).error)
    few = [schema(), *gone(range(100, 140)), *gone(range(200, 210)), state(2)]
    assert archive.deliver(few, mode="plan").error is None
    assert noted(archive) == [40]


def test_p9_a_journal_of_an_earlier_version_notes_them_in_the_first_run_that_ends_well(archive):
    weeks_later(archive)
    with closing(sqlite3.connect(archive.config["journal"])) as journal, journal:
        journal.execute("ALTER TABLE streams DROP COLUMN removed")
    rows = [schema(), *gone(range(100, 140)), state(2)]
    assert archive.deliver(rows).states == [2]
    weeks_later(archive)
    assert archive.deliver([*rows[:-1], *gone(range(200, 221)), state(3)]).error is not None
    assert archive.deliver(rows).states == [2]


def test_p9_an_earlier_version_whose_run_did_not_end_well_told_nothing(readers):
    rows = [schema(), *people([500]), *gone(range(100, 140)), state(1)]
    for _ in range(2):
        assert "40 contacts would be removed; " in str(readers.deliver(rows).error)
        with closing(sqlite3.connect(readers.config["journal"])) as journal, journal:
            journal.execute("ALTER TABLE streams DROP COLUMN removed")


class Table:
    """A table that keeps its deleted rows, and a journal that forgets whom it took off."""

    def __init__(self):
        self.deleted: set[int] = set()
        self.remembered: set[int] = set()
        self.known = 0

    def run(self, leaving, *, brings, forgets, ends_well):
        """A run brings some of the rows deleted before, and those of people who leave now; returns how many count."""
        self.remembered -= forgets
        deletions, counted = Deletions(self.known), 0
        for number in sorted(self.deleted & brings):
            if number in self.remembered:
                deletions.removed_before()
            else:
                counted += deletions.removes(is_known=False)
        for _ in leaving:
            assert deletions.removes(is_known=True)
        if ends_well:
            self.known = deletions.at_end
            self.deleted |= leaving
            self.remembered |= leaving | self.deleted & brings
        return counted


SOME = st.frozensets(st.integers(0, 30))


@given(st.lists(st.tuples(SOME, SOME, SOME, st.booleans()), max_size=8))
def test_whoever_was_taken_off_before_never_counts_again_however_much_is_forgotten(runs):
    table = Table()
    for leaving, brings, forgets, ends_well in runs:
        counted = table.run(leaving - table.deleted, brings=brings, forgets=forgets, ends_well=ends_well)
        assert counted == 0
        assert table.known >= len(table.deleted)


@given(st.lists(st.tuples(st.lists(st.sampled_from(["known", "unknown", "before"]), max_size=20), st.booleans())))
def test_no_more_are_unknown_without_counting_than_runs_that_ended_well_took_off_or_saw(runs):
    known = most = 0
    for rows, ends_well in runs:
        deletions, counted, others = Deletions(known), 0, 0
        for row in rows:
            if row == "before":
                deletions.removed_before()
                others += 1
            elif deletions.removes(is_known=row == "known"):
                counted += 1
            else:
                others += 1
                assert (row, others <= most) == ("unknown", True)
        if ends_well:
            known = most = max(most + counted, len(rows))
            assert deletions.at_end == most
