"""Tickets of packed rows: who holds what is found, whatever is packed and unpacked meanwhile."""

from __future__ import annotations

import sys
from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st

import target_mailing.delivery.tickets
from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery import packed_tickets
from target_mailing.delivery.packed_rows import PackedRows
from target_mailing.delivery.packed_tickets import PackedTickets
from target_mailing.delivery.tickets import Tickets
from target_mailing.rows.row import Row, keep_on_disk
from target_mailing.rows.spool import Spool

RESOURCES = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3) | st.binary(min_size=16, max_size=16)
ROW = Row(1, b"{}", "s", b"key", 1, "add", 0, EncodedContact("ada@example.com", "ada@example.com", b""))


def rows_of(numbers: range, spool: Spool) -> list[Row]:
    rows = [
        Row(at, b"{}", "s", b"key %d" % at, at, "add", 0, EncodedContact(f"{at}@example.com", f"{at}@example.com", b""))
        for at in numbers
    ]
    keep_on_disk(rows, spool)
    return rows


@given(st.lists(RESOURCES, max_size=40, unique_by=hash), st.lists(st.integers(0, 5), max_size=30), st.booleans())
def test_what_packed_rows_hold_is_told_until_they_are_removed(resources, events, has_few_marks):
    least = packed_tickets._LEAST_MARKS
    packed_tickets._LEAST_MARKS = 1 if has_few_marks else least
    try:
        tickets, free, held = PackedTickets(), [*resources], {}
        for event in events:
            if event < 4:
                rows, some = PackedRows([ROW], unusual=()), [free.pop() for _ in range(min(event, len(free)))]
                tickets.add(rows, some)
                held[rows] = some
            elif held:
                rows, some = held.popitem()
                tickets.remove(rows)
                free += some
            assert {*tickets.among(resources)} == {one for some in held.values() for one in some}
            assert all(tickets.holder(one) is rows for rows, some in held.items() for one in some)
            assert bool(tickets) is bool(held)
    finally:
        packed_tickets._LEAST_MARKS = least


def test_packed_rows_keep_their_tickets_and_who_meets_one_of_them_waits(monkeypatch):
    monkeypatch.setattr(target_mailing.delivery.tickets, "_MANY", 0)
    tickets, spool = Tickets(), Spool(None)
    rows = rows_of(range(1, 6), spool)
    tickets.take_free(rows)
    packed = tickets.pack(rows)
    assert not tickets._holders
    assert {*tickets.held([1, b"key 2", 6, b"key 6"])} == {1, b"key 2"}
    later = rows_of(range(5, 7), spool)
    assert [tickets.take(row) for row in later] == [False, True]
    assert tickets.holder(5) is packed[4]
    assert tickets.release([*packed]) == [later[0]]
    assert tickets.release(later) == []
    assert not tickets
    spool.close()


def test_resources_with_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(target_mailing.delivery.tickets, "_MANY", 0)
    tickets, spool = Tickets(), Spool(None)
    alike = 7 + sys.hash_info.modulus
    first, second = rows_of(range(7, 8), spool), rows_of(range(alike, alike + 1), spool)
    for rows in (first, second):
        tickets.take_free(rows)
        tickets.pack(rows)
    assert tickets.holder(alike).id == alike
    assert tickets.holder(7).id == 7
    assert tickets.holder(alike + sys.hash_info.modulus) is None
    spool.close()


def order_of(events: list[int], most: int, spool: Spool) -> list[list[int]]:
    """The lines of the rows that each release made ready, where so many resources are kept in one dictionary."""
    before, target_mailing.delivery.tickets._MANY = target_mailing.delivery.tickets._MANY, most
    try:
        tickets, ready, sent, order = Tickets(), [], [], []
        for line, event in enumerate([*events, *[5, 6] * len(events)], 1):
            if event < 5:
                (row,) = rows_of(range(1), spool)
                row.line, row.id, row.key = line, 7 + event * sys.hash_info.modulus, b"key %d" % (event % 3)
                ready += [row] if tickets.take(row) else []
            elif event == 5 and ready:
                sent.append(tickets.pack(ready))
                ready = []
            elif event == 6 and sent:
                released = tickets.release([*sent.pop(0)])
                order.append([row.line for row in released])
                ready += released
        assert not tickets
        assert not tickets.waiting
        return order
    finally:
        target_mailing.delivery.tickets._MANY = before


@settings(max_examples=40)
@given(st.lists(st.integers(0, 6), max_size=24))
def test_p3_rows_whose_resources_all_have_one_hash_keep_their_order(events):
    with closing(Spool(None)) as spool:
        assert order_of(events, 0, spool) == order_of(events, 1 << 16, spool)
