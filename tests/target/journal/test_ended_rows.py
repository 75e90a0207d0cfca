"""The last line of each key and contact whose row ended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from target_mailing.journal.ended_rows import EndedRows
from target_mailing.journal.reject import Origin


@given(st.lists(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), max_size=4), max_size=4), st.integers(1, 9))
def test_the_greatest_line_counts_in_whatever_order_they_come(calls, line):
    ended = EndedRows()
    for resources in calls:
        ended.add(resources, 0)
    later = any(contact == 1 and at > line for resources in calls for contact, at in resources)
    assert ended.has(Origin("place", line, line, line, None, 1)) == later
