"""Contacts that a run must know later: as a set in memory would be, however few of them are in memory."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_mailing.journal import run_contacts
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import FileStore, MemoryStore, PostgresStore
from tests.target.conftest import people, person, schema, state

CONTACTS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9)
CALLS = st.lists(st.tuples(st.sampled_from(["add", "look_up", "ask"]), st.lists(CONTACTS, max_size=4)), max_size=30)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Three in memory."""
    monkeypatch.setattr(run_contacts, "_RECENT", 3)


@settings(max_examples=25)
@given(calls=CALLS)
def test_p8_it_has_what_was_added_and_nothing_else(calls):
    added: set[int] = set()
    with closing(Journal(MemoryStore())) as journal:
        for call, contacts in calls:
            if call == "look_up":
                journal.told.look_up(contacts)
            for contact in contacts:
                if call == "add":
                    journal.told.add(contact)
                    added.add(contact)
                assert (contact in journal.told) is (contact in added)
        assert not any(contact in journal.followed for contact in added)


@pytest.mark.parametrize("place", ["file", "postgresql"])
def test_p8_the_next_run_begins_with_none(tmp_path, request, place):
    def store():
        if place == "file":
            return FileStore(tmp_path / "journal.sqlite")
        return PostgresStore(request.getfixturevalue("postgresql_url"), tmp_path.name)

    for _ in range(2):
        with closing(Journal(store())) as journal:
            assert 1 not in journal.told
            for contact in range(8):
                journal.told.add(contact)
            journal.told.look_up([*range(10)])
            assert [contact in journal.told for contact in range(10)] == [True] * 8 + [False] * 2


def test_p5_opt_outs_of_a_run_hold_when_they_are_in_the_table(mailjet):
    told = people(range(7), subscription_status="unsubscribed")
    later = [person(number + 100, email=f"person{number}@example.com") for number in range(7)]
    result = mailjet.deliver([schema(), *told, *later, *people(range(50, 53)), state(1)], batch_rows=2)
    assert (result.error, result.states) == (None, [1])
    assert set(mailjet.statuses().values()) <= {"subscribed", "unsubscribed"}
    assert {email for email, status in mailjet.statuses().items() if status == "subscribed"} == {
        f"person{number}@example.com" for number in range(50, 53)
    }
