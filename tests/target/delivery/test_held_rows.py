"""Rows that wait on disk come back in the order of the input, a part at a time."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery import held_rows
from target_mailing.delivery.held_rows import HeldRows
from target_mailing.rows.row import Row
from target_mailing.rows.spool import Spool


def row(number: int, line: int) -> Row:
    email = f"person{number}@example.com"
    return Row(
        line, b"{}" if line else b"", "people", None, number, "remove", number, EncodedContact(email, email, b"{}")
    )


@given(
    lines=st.lists(st.integers(1, 1000), max_size=30, unique=True).map(sorted), absent=st.integers(0, 40),
    together=st.integers(1, 8),
)  # fmt: skip
def test_p8_rows_come_back_in_their_order_and_few_at_a_time(lines, absent, together):
    with closing(Spool(None)) as spool, pytest.MonkeyPatch.context() as patched:
        patched.setattr(held_rows, "_TOGETHER", together)
        rows = HeldRows(spool)
        for number, line in enumerate([*lines, *[0] * absent]):
            rows.add(row(number, line))
        taken = []
        while rows:
            part = rows.take()
            assert 0 < len(part) <= 2 * together
            taken += [one.id for one in part]
        assert taken == [*range(len(lines) + absent)]


@given(lines=st.lists(st.integers(1, 1000), max_size=30, unique=True), together=st.integers(1, 8))
def test_p9_rows_that_came_late_because_they_waited_are_given_back_at_their_place(lines, together):
    with closing(Spool(None)) as spool, pytest.MonkeyPatch.context() as patched:
        patched.setattr(held_rows, "_TOGETHER", together)
        rows = HeldRows(spool)
        for line in lines:
            rows.add(row(line, line))
        taken = []
        while rows:
            taken += [one.line for one in rows.take()]
        assert taken == sorted(lines)
