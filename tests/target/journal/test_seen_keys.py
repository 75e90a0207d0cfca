"""Keys seen in a run: none is forgotten, and none of an earlier run is taken for one."""

from __future__ import annotations

from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.journal.journal import Journal
from target_mailing.journal.seen_keys import SeenKeys
from target_mailing.journal.stores import FileStore
from target_mailing.rows.row import Row
from tests.target.conftest import person, state
from tests.target.delivery.test_repeated_keys import table


@given(st.integers(0, 99), st.lists(st.lists(st.integers(1, 120), max_size=9), max_size=9))
def test_the_keys_that_rows_had_are_told_from_those_that_only_the_journal_has(last, chunks):
    seen, had = SeenKeys(last, bytearray()), {*range(last + 1, 121)}
    for numbers in chunks:
        seen.update(numbers)
        had.update(numbers)
        assert [number for number in range(1, 121) if number in seen] == sorted(had)


def test_p8_a_key_takes_one_bit_however_many_destinations_there_are(tmp_path):
    path = tmp_path / "journal.db"
    rows = [
        Row(n, b"", "people", b"%016d" % n, n, "add", 1, EncodedContact(f"{n}@example.com", f"{n}@example.com", b""))
        for n in range(1, 4)
    ]
    with closing(Journal(FileStore(path))) as journal:
        first = journal.seen_keys()
        journal.note_rows(unchanged=rows)
        second = journal.seen_keys()
        numbers = [entry[0] for entry in journal.noted_keys([row.key for row in rows]).values()]
    assert [number in first for number in numbers] == [True] * 3
    assert [number in second for number in numbers] == [False] * 3
    second.update(numbers[:1])
    assert [number in second for number in numbers] == [True, False, False]
    assert first._bits is second._bits
    for last in (8_000_000, 7):
        assert len(SeenKeys(last, second._bits)._bits) == 1_000_001


def test_a_key_whose_job_an_earlier_run_left_came_in_that_run_only(mailjet):
    """So its next address is a change."""
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    left = mailjet.deliver([table(), person(1, email="ada@example.com"), person(2), state(1)], job_timeout=0.05)
    assert isinstance(left.error, DeliveryFailed)
    (job,) = mailjet.sandbox.mailjet.jobs()
    mailjet.sandbox.mailjet.finish_job(job["id"])
    assert mailjet.deliver([table(), person(1, email="bob@example.com"), state(2)]).error is None
    assert {*mailjet.statuses()} == {"bob@example.com", "person2@example.com"}
