"""Who leaves a destination that is replaced as a whole: each counts once there, and none that leaves is missed."""

from __future__ import annotations

from contextlib import closing

import pytest
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.journal import Journal
from target_mailing.journal.removals import JournalRemovals
from target_mailing.journal.stores import MemoryStore, PostgresStore
from target_mailing.journal.streams import UNKNOWN

HERE, THERE = 7_000_000_000_000_000_001, -5


@pytest.fixture(params=["memory", "postgresql"])
def journal(request, tmp_path):
    if request.param == "memory":
        store = MemoryStore()
    else:
        store = PostgresStore(request.getfixturevalue("postgresql_url"), str(tmp_path))
    with closing(Journal(store)) as journal:
        yield journal


def next_run(journal):
    journal.removals = JournalRemovals(journal._connection, journal._meta, journal._transaction)
    return journal.removals


def of_a_former_version(journal, contacts):
    rows = [
        {"n": n, "id": contact, "fingerprint": 0, "confirmed_at": 1.0, "streams": UNKNOWN}
        for n, contact in enumerate(contacts)
    ]
    with journal._transaction():
        journal._connection.execute(sa.insert(tables.contacts), rows)


def taken_off(journal):
    with journal._reading():
        return journal._connection.execute(sa.select(tables.removed.c.contact, tables.removed.c.destination)).all()


def test_p9_whom_a_former_version_delivered_may_leave_each_of_several_lists(journal):
    of_a_former_version(journal, [5, -6, 1 << 62])
    of_a_row = {"contact": 5, "destination": THERE, "is_move": False, "allowance": 0, "at": 1.0}
    with journal._transaction():
        journal._connection.execute(sa.insert(tables.removed), [of_a_row])
    for _ in range(2):  # the second run continues the first one
        removals = next_run(journal)
        sizes = [removals.expect_contents(one, 10.0) for one in (HERE, THERE)]
        assert sizes == [3, 3]
        assert [removals.counts(one).removals for one in (HERE, THERE)] == [3, 3]
        removals.note_contents(HERE, allowance=1)
        assert removals.made([1]) == 0
    assert (5, THERE) in taken_off(journal)
    removals.contents.forget(HERE, 10.0)
    removals = next_run(journal)
    assert removals.expect_contents(HERE, 20.0) == 0
    assert removals.expect_contents(THERE, 20.0) == 3
    assert (removals.counts(HERE).now, removals.counts(THERE).now, removals.made([1])) == (0, 3, 3)
