"""Who leaves a destination that is replaced as a whole: each counts once there, and none that leaves is missed."""

from __future__ import annotations

from contextlib import closing
from uuid import uuid4

import pytest
import sqlalchemy as sa

from target_mailing.contacts.contact import EncodedContact
from target_mailing.journal import run_contacts, tables
from target_mailing.journal.journal import Journal
from target_mailing.journal.removals import JournalRemovals
from target_mailing.journal.stores import MemoryStore, PostgresStore
from target_mailing.journal.streams import UNKNOWN
from target_mailing.rows.row import Row

HERE, THERE = 7_000_000_000_000_000_001, -5


@pytest.fixture(params=["memory", "postgresql"])
def journal(request, tmp_path):
    if request.param == "memory":
        store = MemoryStore()
    else:
        # The folder of a test that passed may have been removed: the next one has its name again.
        store = PostgresStore(request.getfixturevalue("postgresql_url"), f"{tmp_path} {uuid4()}")
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


@pytest.mark.slow
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


def deliver(journal, contacts, *, at, replaces=True, destination=HERE):
    """A run that began at this moment delivers contacts, each of a household (its key)."""
    held = EncodedContact("", "", b"")
    rows = [
        Row(1, b"", "people", None if home is None else b"home %3d" % home, contact, "add", 0, held)
        for contact, home in contacts
    ]
    journal.removals.contents.hold(rows, destination, at=at, replaces=replaces)


def homes(*sizes, first=0):
    """Contacts, as many of each household; `first` is the number of the first one in it."""
    return [(1000 * home + n, home) for home, size in enumerate(sizes, 1) for n in range(first, first + size)]


def leaving(journal, *, at):
    removals = next_run(journal)
    removals.expect_contents(HERE, at)
    return removals.counts(HERE).now


@pytest.mark.parametrize(
    ("comes", "leaves"),
    [
        (homes(1, 1, 1), 27),  # of those who were there
        (homes(1, 1, 1, first=50), 27),  # with other content
        (homes(9, 9, 9), 3),
        (homes(9, 9, 9, first=1), 3),
        (homes(10, 10, 10, first=50), 0),
        (homes(10, 10, 20, first=5), 0),
        (homes(10, 10), 10),
        ([(contact, None) for contact, _ in homes(10, first=50)], 30),
    ],
)
def test_p9_of_a_key_with_several_contacts_as_many_are_replaced_as_came_new(journal, comes, leaves):
    deliver(journal, homes(10, 10, 10), at=10.0, replaces=False)
    deliver(journal, homes(20, first=500), at=10.0, destination=THERE)
    deliver(journal, comes, at=20.0)
    assert leaving(journal, at=20.0) == leaves


def test_p9_a_contact_that_replaces_another_one_still_does_after_a_run_that_was_refused(journal):
    deliver(journal, homes(1, 1, 10), at=10.0)
    for at in (20.0, 30.0):
        deliver(journal, homes(1, 1, 1, first=50), at=at)
        assert leaving(journal, at=at) == 9


def test_p9_a_contact_that_was_added_beside_another_one_never_replaces_it(journal):
    deliver(journal, homes(1), at=10.0)
    deliver(journal, homes(1, first=50), at=20.0, replaces=False)
    deliver(journal, homes(1, first=50), at=30.0)
    assert leaving(journal, at=30.0) == 1


@pytest.mark.parametrize("most", [1, 16_384], ids=["on disk", "in memory"])
def test_p9_who_opted_out_leaves_uncounted(journal, monkeypatch, most):
    monkeypatch.setattr(run_contacts, "_RECENT", most)
    of_a_former_version(journal, [50, 51, 52])
    deliver(journal, homes(1, 1, 1, 1), at=10.0)
    deliver(journal, homes(1), at=20.0)
    removals = next_run(journal)
    for contact in (1000, 2000, 3000, 50, 99):
        removals.contents.opted_out.add(contact)
    assert removals.expect_contents(HERE, 20.0) == 1 + 3
    assert removals.counts(HERE).now == 3
    removals.note_contents(HERE, allowance=0)
    assert len(taken_off(journal)) == 3
