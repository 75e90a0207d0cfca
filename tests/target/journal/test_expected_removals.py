"""Contacts that a run may take off are counted once each, whatever takes them off first."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
import sqlalchemy as sa

from target_mailing.journal import removals, tables
from target_mailing.journal.journal import Journal
from target_mailing.journal.removals import LATELY
from target_mailing.journal.stores import MemoryStore

HERE, THERE = 1, 2


@pytest.fixture(params=[1, 16_384], ids=["on disk", "in memory"])
def journal(request, monkeypatch):
    monkeypatch.setattr(removals, "_RECENT", request.param)
    with closing(Journal(MemoryStore())) as journal:
        yield journal


@pytest.mark.parametrize("kinds", [(False, True), (True, False), (False, False)])
def test_p9_a_contact_that_is_removed_and_moved_from_counts_as_removed(journal, kinds):
    for is_move in kinds:
        journal.removals.expect(7, HERE, is_move=is_move)
    journal.removals.expect(8, HERE, is_move=True)
    journal.removals.expect(9, THERE, is_move=True)
    counts = journal.removals.counts(HERE)
    assert (counts.removals, counts.moves) == (1, 1)


def test_p9_what_left_within_a_day_counts_unless_it_leaves_again(journal):
    for contact in (7, 8, 9):
        journal.removals.expect(contact, HERE, is_move=contact == 8)
    journal.removals.counts(HERE)
    with journal._transaction():
        journal.removals.note([7, 8, 10], allowance=0)
    counts = journal.removals.counts(HERE)
    assert (counts.now, counts.lately_removed, counts.lately_moved) == (3, 0, 0)
    journal.removals._expected.is_made = False  # as in the next run
    journal.removals.expect(7, HERE, is_move=False)
    counts = journal.removals.counts(HERE)
    assert (counts.now, counts.lately_removed, counts.lately_moved) == (1, 0, 1)
    with journal._transaction():
        journal.removals.forget_before(time.time() + LATELY)
    assert journal.removals.counts(HERE).lately_moved == 0


@pytest.mark.parametrize(("hours", "counts"), [(23.9, 2), (24.1, 0)])
def test_p9_what_left_counts_for_a_day(journal, monkeypatch, hours, counts):
    for contact in (7, 8):
        journal.removals.expect(contact, HERE, is_move=False)
    journal.removals.counts(HERE)
    with journal._transaction():
        journal.removals.note([7, 8], allowance=0)
    journal.removals._expected.is_made = False  # as in the next run
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + hours * 3600)
    assert journal.removals.counts(HERE).lately_removed == counts


def test_p9_what_left_is_kept_for_a_day_whatever_else_is_forgotten(journal, monkeypatch):
    journal.removals.expect(7, HERE, is_move=False)
    journal.removals.counts(HERE)
    with journal._transaction():
        journal.removals.note([7], allowance=0)
    journal.removals._expected.is_made = False  # as in the next run
    now = time.time()
    for hours, left in ((0, 1), (23.9, 1), (24.1, 0)):
        monkeypatch.setattr(time, "time", lambda hours=hours: now + hours * 3600)
        journal.retention.forget_before(time.time())
        rows = journal._connection.execute(sa.select(sa.func.count()).select_from(tables.removed)).scalar_one()
        assert rows == left
