"""The contacts of a listing are kept small, and are what the listing shows; what was read is not used for long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.addresses import fold_address
from target_mailing.delivery.freshness import is_outdated, reading
from target_mailing.ses.contact import State
from target_mailing.ses.states import SharedStates, StatesByAddress

STATUSES = st.sampled_from(["OPT_IN", "OPT_OUT"])
CONTACTS = st.builds(
    State,
    email=st.sampled_from(["ann@example.com", "Bob@example.com", "cy@EXAMPLE.com", "dee@example.com"]),
    unsubscribed=st.booleans(),
    topics=st.dictionaries(st.sampled_from(["News", "Offers"]), STATUSES),
)


@given(st.lists(CONTACTS, unique_by=lambda state: state.email))
def test_p5_contacts_that_share_a_state_keep_their_own_choices_and_spellings(contacts):
    shared = SharedStates()
    found = StatesByAddress({fold_address(state.email): shared.of(state) for state in contacts})
    assert dict(found) == {fold_address(state.email): state for state in contacts}


def test_contacts_with_the_same_choices_share_one_object():
    shared = SharedStates()
    kept = {id(shared.of(State(f"person{n}@example.com", topics={"News": "OPT_OUT"}))) for n in range(50)}
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("took", "age", "too_old"),
    [(1, 0, False), (1, 60, False), (1, 61, True), (300, 299, False), (300, 301, True), (1, -1, True)],
)
@pytest.mark.parametrize("step", ["consent", "upload"])
def test_p5_what_was_read_is_used_for_a_minute_or_as_long_as_its_reading_took(monkeypatch, took, age, too_old, step):
    monkeypatch.setattr("target_mailing.delivery.freshness.FRESH", 60.0)
    evidence = {"plan": {"key": "k"}, step: reading(1000.0 - took, 1000.0)}
    assert is_outdated(evidence, 1000.0 + age) is too_old


def test_what_depends_on_no_reading_is_never_outdated():
    assert not is_outdated({"plan": {"key": "k"}, "upload": {"key": "k"}}, 1e12)
