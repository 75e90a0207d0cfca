"""The last line of each key and contact whose row ended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from target_mailing.journal import ended_rows
from target_mailing.journal.ended_rows import EndedRows
from target_mailing.journal.reject import Origin


@given(st.lists(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), max_size=4), max_size=4), st.integers(1, 9))
def test_the_greatest_line_counts_in_whatever_order_they_come(calls, line):
    ended = EndedRows()
    for resources in calls:
        ended.add(resources, 0)
    later = any(contact == 1 and at > line for resources in calls for contact, at in resources)
    assert ended.has(Origin("place", line, line, line, None, 1)) == later


def test_beyond_a_number_those_before_the_prefix_are_forgotten_and_then_any_may_have_ended(monkeypatch):
    monkeypatch.setattr(ended_rows, "_MOST_ENDED", 4)
    ended = EndedRows()
    ended.add([(contact, contact) for contact in range(1, 6)], 3)
    assert [contact for contact in range(1, 6) if ended.has(reject(contact, 0))] == [4, 5]
    assert not ended.may_have(reject(9, 1))
    ended.add([(contact, contact) for contact in range(6, 9)], 3)
    assert not any(ended.has(reject(contact, 0)) for contact in range(1, 9))
    assert [line for line in range(1, 10) if ended.may_have(reject(9, line))] == [*range(1, 8)]


def reject(contact, line):
    return Origin("place", line, line, line, None, contact)
