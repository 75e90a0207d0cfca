"""Batches under way keep to their limits, make room for the next when they end, and go in their order."""

from __future__ import annotations

from typing import Any

import pytest

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.slots import Slots


class Queue:
    def __init__(self, batches_at_once: int | None = None) -> None:
        self.batches_at_once = batches_at_once


def batch(number: int, queue: Any, *, rows: int = 0, recovered: bool = False) -> Batch:
    any_rows: list[Any] = [None] * rows
    return Batch(number, queue, "add", "only", any_rows, (), recovered=recovered)


@pytest.mark.parametrize(("at_once", "most", "begun"), [(1, 5, 1), (None, 2, 2), (None, 5, 3)])
def test_batches_begin_while_there_is_room_and_again_after_each_that_ended(at_once, most, begun):
    queue, slots = Queue(at_once), Slots(most)
    under_way: list[Batch] = []
    numbers = iter(range(1, 20))
    for _ in range(3):
        while len(under_way) < 3 and slots.is_free(queue):
            under_way.append(batch(next(numbers), queue))
            assert slots.take(under_way[-1])
        assert len(under_way) == slots.taken(queue) == len(slots) == begun
        while under_way:
            slots.free(under_way.pop())
            assert slots.next() is None
    assert not slots


@pytest.mark.parametrize(("at_once", "most"), [(1, 5), (None, 1)])
def test_a_batch_that_was_split_off_waits_for_a_slot_and_gets_it_before_new_ones(at_once, most):
    queue, slots = Queue(at_once), Slots(most)
    first, second, third = (batch(number, queue) for number in (1, 2, 3))
    assert [slots.take(one) for one in (first, second, third)] == [True, False, False]
    assert len(slots) == 3
    begun = []
    for one in (first, second, third):
        slots.free(one)
        begun.append(slots.next())
    assert begun == [second, third, None]
    assert slots.is_free(queue)
    assert not slots


def test_batches_that_were_split_off_go_in_their_order():
    queue, slots = Queue(), Slots(1)
    first, second, third = (batch(number, queue) for number in (1, 2, 3))
    assert [slots.take(one) for one in (first, second)] == [True, False]
    slots.free(first)
    assert not slots.take(third), "it would overtake the second"
    assert slots.next() is second


def test_a_batch_that_waits_at_a_busy_destination_keeps_no_other_waiting():
    busy, other, slots = Queue(1), Queue(1), Slots(3)
    batches = [batch(1, busy), batch(2, busy), batch(3, other), batch(4, other)]
    assert [slots.take(one) for one in batches] == [True, False, True, False]
    slots.free(batches[2])
    assert slots.next() is batches[3]


def test_batches_of_an_earlier_run_are_all_followed_and_new_ones_wait_for_them():
    queue, slots = Queue(), Slots(1)
    earlier = [batch(number, queue, recovered=True) for number in (1, 2)]
    new = batch(3, queue)
    assert [slots.take(one) for one in (*earlier, new)] == [True, True, False]
    slots.free(earlier[0])
    assert slots.next() is None
    slots.free(earlier[1])
    assert slots.next() is new


def test_batches_that_wait_are_abandoned_when_the_run_fails():
    queue, slots = Queue(1), Slots(9)
    batches = [batch(number, queue) for number in (1, 2, 3)]
    for one in batches:
        slots.take(one)
    slots.abandon_waiting()
    assert len(slots) == 1
    slots.free(batches[0])
    assert slots.next() is None
    assert not slots


def test_rows_under_way_are_bounded_where_batches_are_large_but_one_batch_always_may_begin():
    queue, slots = Queue(), Slots(19)
    for number in (1, 2):
        assert slots.is_free(queue)
        slots.take(batch(number, queue, rows=100_000))
    assert not slots.is_free(queue)
    many = Slots(200)
    for number in range(199):
        many.take(batch(number, queue, rows=5_000))
    assert many.is_free(queue)


def test_too_many_jobs_halve_the_ceiling_once_and_each_accepted_one_raises_it_again():
    queue, slots = Queue(), Slots(20)
    for number in range(16):
        slots.take(batch(number, queue))
    for submitted in (100.0, 101.0, 102.0):  # together: only the first says something new
        slots.refused(submitted, now=103.0)
    assert slots.ceiling == 8
    assert not slots.is_free(queue)
    slots.refused(104.0, now=105.0)
    assert slots.ceiling == 4
    for _ in range(30):
        slots.accepted()
    assert slots.ceiling == 20
    for at in range(10):
        slots.refused(200.0 + at, now=200.0 + at)
    assert slots.ceiling == 1


def test_the_end_of_a_job_is_progress_for_those_that_began_after_it():
    queue, slots = Queue(), Slots(9)
    batches = [batch(number, queue) for number in (1, 2, 3)]
    for one in batches:
        slots.take(one)
    assert [*slots.later(batches[1])] == [batches[2]]


def test_two_batches_that_wait_for_others_to_be_answered_do_not_wait_for_each_other():
    queue, slots = Queue(), Slots(1)
    first, second = batch(1, queue), batch(2, queue)
    assert [slots.take(one) for one in (first, second)] == [True, False]
    assert slots.has_next(queue)
    first.waits = True
    assert slots.swap(first) is second
    assert not slots.has_next(queue)
    assert not slots.has_next(Queue())
