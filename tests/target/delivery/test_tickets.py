"""Rows that share a key or a contact go one after the other, in the order of the input, and none waits for ever."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.tickets import Tickets
from target_mailing.rows.row import Extras, Resource, Row

RESOURCES = st.lists(st.sampled_from([1, 2, 3, 4, b"a", b"b", b"c"]), min_size=1, max_size=4, unique=True)


def row(line: int, resources: list[Resource]) -> Row:
    contact = next((one for one in resources if isinstance(one, int)), 0)
    extras = Extras(tickets=dict.fromkeys(resources))
    return Row(line, b"", "s", None, contact, "add", 0, EncodedContact("", "", b""), extras=extras)


def usual(line: int, contact: int, key: bytes | None) -> Row:
    return Row(line, b"", "s", key, contact, "add", 0, EncodedContact("", "", b""))


@pytest.mark.slow
@given(st.data())
def test_p1_rows_of_a_resource_are_ready_in_their_order_and_all_of_them_at_last(data):
    tickets = Tickets()
    ready: list[Row] = []
    came: dict[Resource, list[int]] = defaultdict(list)
    went: dict[Resource, list[int]] = defaultdict(list)
    line = 0
    while line < 30 or ready:
        if line < 30 and (not ready or data.draw(st.booleans())):
            line += 1
            new = row(line, data.draw(RESOURCES))
            is_free = not [*tickets.held(new.resources)]
            for resource in new.resources:
                came[resource].append(line)
            assert tickets.take(new) is is_free
            ready += [new] if is_free else []
        else:
            ended = ready.pop(data.draw(st.integers(0, len(ready) - 1)))
            for resource in ended.resources:
                went[resource].append(ended.lines[-1])
            following = tickets.release([ended])
            assert all(not one.waits for one in following)
            ready += following
    assert went == came
    assert not tickets
    assert tickets.waiting == 0


def test_a_row_that_waits_for_the_contact_alone_is_handed_over_with_its_key():
    tickets = Tickets()
    first, second, third = usual(1, 1, b"a"), usual(2, 1, b"b"), usual(3, 2, b"b")
    assert [tickets.take(one) for one in (first, second, third)] == [True, False, False]
    assert tickets.only_waiting_for(first) is second
    tickets.hand_over(second, first)
    assert second.waits < 0  # it no longer begins anything early
    first.supersede_by(second, b"", 0)
    assert {*first.resources} == {1, b"a", b"b"}
    assert [tickets.holder(one) for one in (1, b"a", b"b", 2)] == [first, first, first, third]
    assert tickets.waiting == 1
    assert tickets.release([first]) == [third]


def test_a_row_that_waits_for_another_one_too_is_not_handed_over():
    tickets = Tickets()
    rows = [usual(1, 1, b"a"), usual(2, 2, b"b"), usual(3, 1, b"b")]
    assert [tickets.take(one) for one in rows] == [True, True, False]
    assert tickets.only_waiting_for(rows[0]) is None
    assert tickets.only_waiting_for(rows[1]) is None
    assert tickets.release([rows[1]]) == []
    assert tickets.only_waiting_for(rows[0]) is rows[2]


def test_a_row_behind_another_one_is_not_handed_over_before_it():
    tickets = Tickets()
    rows = [usual(1, 1, None), row(2, [2, 1]), usual(3, 2, None)]
    assert [tickets.take(one) for one in rows] == [True, False, False]
    assert tickets.only_waiting_for(rows[0]) is rows[1]
    assert tickets.only_waiting_for(rows[1]) is rows[2]
    assert tickets.is_waited_for(rows[1])
