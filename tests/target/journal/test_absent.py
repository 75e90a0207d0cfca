"""Who of a stream no line of an input names: what the journal says equals what sets say, over many runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.contacts.contact import EncodedContact
from target_mailing.journal import absent as absent_module
from target_mailing.journal import tables
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import FileStore, MemoryStore
from target_mailing.rows.row import Extras, Row

LIST = "mailjet:list:1"
PEOPLE = st.frozensets(st.integers(0, 6))


def row(journal, number, stream="people", *, action="add", extras=None):
    email = f"person{number}@example.com"
    return Row(
        1, b"", stream, b"%s key %d" % (stream.encode(), number), journal.contact_id(LIST, email), action, number,
        EncodedContact(email, email, b"x"), drops_key=action == "remove", extras=extras,
    )  # fmt: skip


def deliver(journal, rows, *, placed=True, destination=LIST):
    number = journal.begin_batch(destination, "add", "json", rows)
    journal.settle(
        number, destination=destination, action="add", route="json", outcomes={}, placed=placed, confirmed=rows
    )


def absent(journal, stream="people", *, twice=False):
    pieces = [*journal.absent.of(LIST, stream, twice=twice)]
    return {email for piece in pieces for one in piece for _, email in one.addresses}


def emails(numbers):
    return {f"person{number}@example.com" for number in numbers}


def reopened(journal):
    """The next run, with the same memory."""
    journal.absent._named, journal.absent._last = bytearray(), 0
    journal.absent._streams._begun.clear()
    journal.absent.begin_stream(LIST, "people", b"", names_lists=False)
    return journal


def name(journal, numbers, stream="people", *, by="contact"):
    rows = [row(journal, number, stream) for number in numbers]
    journal.absent.name(
        [one.id for one in rows] if by == "contact" else [], [one.key for one in rows] if by == "key" else []
    )


@pytest.fixture
def journal():
    with closing(Journal(MemoryStore())) as journal:
        yield journal


@pytest.mark.slow
@given(PEOPLE, PEOPLE, PEOPLE, PEOPLE, st.sampled_from(["contact", "key"]))
def test_absent_is_who_was_put_there_by_this_stream_alone_and_is_not_named(ours, theirs, gone, named, by):
    with closing(Journal(MemoryStore())) as journal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(absent_module, "_TOGETHER", 2)
        for numbers, stream in ((ours, "people"), (theirs, "others")):
            deliver(journal, [row(journal, number, stream) for number in sorted(numbers)])
        deliver(journal, [row(journal, number, action="remove") for number in sorted(gone)], placed=False)
        name(reopened(journal), named, by=by)
        assert absent(journal) == emails(ours - theirs - gone - named)


@pytest.mark.slow
@given(st.lists(st.tuples(PEOPLE, st.booleans()), max_size=6))
def test_twice_absent_is_who_was_absent_in_two_whole_runs_in_a_row(inputs):
    everybody = frozenset(range(7))
    with closing(Journal(MemoryStore())) as journal:
        deliver(journal, [row(journal, number) for number in everybody])
        before = frozenset()
        for named, is_whole in inputs:
            name(reopened(journal), named)
            if is_whole:
                assert absent(journal, twice=True) == emails(before - named)
                before = everybody - named
            else:
                before = frozenset()
            journal.absent.end()


def test_who_was_confirmed_in_this_run_is_not_absent(journal):
    deliver(journal, [row(journal, 1)])
    name(journal, [])
    deliver(journal, [row(journal, 2)])
    assert absent(journal) == emails([1])


def test_what_another_stream_finds_there_is_not_absent(journal):
    rows = [row(journal, 1), row(journal, 2)]
    deliver(journal, rows)
    other = row(journal, 1, "others")
    known = journal.contacts([other.id])[other.id]
    assert journal.lacking(LIST, [(other, known), (rows[1], known)]) == [other]
    journal.note_rows(destination=LIST, claims=[other])
    assert journal.contacts([other.id])[other.id] == known.__class__(known.fingerprint, known.confirmed_at, 6)
    reopened(journal)
    assert absent(journal) == emails([2])


def test_what_was_laid_over_a_row_of_another_stream_is_of_both(journal):
    deliver(journal, [row(journal, 1, extras=Extras(streams=("others",))), row(journal, 2)])
    reopened(journal)
    assert absent(journal) == emails([2])


@pytest.mark.parametrize("what", ["uncertain", "forgotten", "unconfirmed"])
def test_a_contact_whose_content_is_uncertain_is_still_of_its_stream(journal, what):
    one = row(journal, 1)
    deliver(journal, [one, row(journal, 2)])
    if what == "unconfirmed":
        journal.note_unconfirmed([(one.id, 5)])
    else:
        number = journal.begin_batch(LIST, "add", "json", [one])
        ends = {"uncertain": [one]} if what == "uncertain" else {"forgotten": [one.id]}
        journal.settle(number, destination=LIST, action="add", route="json", outcomes={}, placed=True, **ends)
    assert journal.contacts([one.id])[one.id].confirmed_at in {None, -1.0}
    reopened(journal)
    assert absent(journal) == emails([1, 2])


def test_a_row_that_may_have_arrived_puts_nobody_there(journal):
    one = row(journal, 1)
    number = journal.begin_batch(LIST, "add", "json", [one])
    journal.settle(number, destination=LIST, action="add", route="json", outcomes={}, placed=True, uncertain=[one])
    reopened(journal)
    assert absent(journal) == set()


def test_streams_of_two_lists_are_not_the_same(journal):
    deliver(journal, [row(journal, 1)], destination="mailjet:list:2")
    reopened(journal)
    assert absent(journal) == set()


def test_contacts_of_a_mirror_are_not_forgotten_because_of_their_age(journal):
    deliver(journal, [row(journal, 1)])
    journal.retention.keep_streams()
    journal.retention.forget_before(1e12)
    reopened(journal)
    assert absent(journal) == emails([1])
    deliver(journal, [row(journal, 1, action="remove")], placed=False)
    journal.retention.forget_before(1e12)
    assert journal.contacts([row(journal, 1).id]) == {}


def test_who_may_have_been_of_another_stream_before_that_was_forgotten_is_never_absent(journal):
    for stream in ("people", "others"):
        deliver(journal, [row(journal, 1, stream)])
    journal.retention.forget_before(1e12)
    deliver(journal, [row(journal, 1)])
    reopened(journal)
    assert absent(journal) == set()


def test_the_only_stream_of_a_list_is_known_also_where_contacts_were_forgotten(journal):
    deliver(journal, [row(journal, 1)])
    journal.retention.forget_before(1e12)
    deliver(journal, [row(journal, 1)])
    reopened(journal)
    assert absent(journal) == emails([1])


def test_of_what_an_earlier_version_put_there_no_stream_is_known(tmp_path):
    place = tmp_path / "journal.sqlite"
    with closing(Journal(FileStore(place))) as journal:
        deliver(journal, [row(journal, 1)])
    with closing(sqlite3.connect(place)) as database:
        database.execute("ALTER TABLE contacts DROP COLUMN streams")
        database.execute("DROP TABLE streams")
        database.execute("DROP TABLE absentees")
        database.commit()
    with closing(Journal(FileStore(place))) as journal:
        one = row(journal, 1)
        assert journal.contacts([one.id])[one.id].streams == 1
        deliver(journal, [one])
        reopened(journal)
        assert absent(journal) == set()
        journal.retention.keep_streams()
        journal.retention.forget_before(1e12)  # it is old, and is sent again
        deliver(journal, [one])
        reopened(journal)
        assert absent(journal) == emails([1])


def test_more_streams_than_there_are_bits_are_unknown(journal):
    for number in range(63):
        deliver(journal, [row(journal, number, f"stream {number}")])
    reopened(journal)
    assert absent(journal, "stream 60") == emails([60])
    assert absent(journal, "stream 61") == absent(journal, "stream 62") == set()


def test_a_version_is_new_once_and_after_that_only_a_greater_one(journal):
    seen = [journal.absent.is_new_version(LIST, "people", version) for version in (5, 5, 4, 6)]
    assert seen == [True, False, False, True]
    assert journal.absent.is_new_version(LIST, "others", 5)


def test_who_came_in_this_run_may_be_named_again(journal):
    deliver(journal, [row(journal, 1)])
    name(journal, [])
    deliver(journal, [row(journal, number) for number in range(2, 40)])
    name(journal, range(2, 40))
    assert absent(journal) == emails([1])


def absentees(journal):
    with journal._reading():
        query = sa.select(sa.func.count()).select_from(tables.absentees)
        return journal._connection.execute(query).scalar_one()


@pytest.mark.parametrize("how", ["removed", "confirmed again", "forgotten"])
def test_of_whom_the_journal_has_a_newer_row_or_none_it_is_forgotten_at_the_end_of_a_run_that_they_were_absent(
    journal, how, monkeypatch
):
    monkeypatch.setattr(absent_module, "_TOGETHER", 2)
    deliver(journal, [row(journal, number) for number in range(7)])
    name(reopened(journal), [])
    assert absent(journal, twice=True) == set()
    if how == "forgotten":
        journal.retention.forget_before(1e12)
        left = 0
    else:
        action = "remove" if how == "removed" else "add"
        deliver(journal, [row(journal, number, action=action) for number in range(5)], placed=action == "add")
        left = 2
    assert absentees(journal) == 7
    journal.absent.end()
    assert absentees(journal) == 7
    journal.absent.end_streams()
    assert absentees(journal) == left
