"""Batches under way keep to their limits, make room for the next when they end, and are not followed for ever."""

from __future__ import annotations

import time
from typing import Any

import pytest

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.schedule import PollSchedule, Slots, overdue
from target_mailing.destination import Refusal
from target_mailing.settings import StreamSettings


class Queue:
    def __init__(self, batches_at_once: int | None) -> None:
        self.batches_at_once = batches_at_once
        given = {"list": 1, "job_timeout": 100, "job_abandon": 1000, "poll_interval": 1, "poll_max_interval": 8}
        self.settings = StreamSettings.resolve(given, None)


def batch(number: int, queue: Any, *, recovered: bool = False) -> Batch:
    return Batch(number, queue, "add", "only", [], (), recovered=recovered)


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
            assert slots.free(under_way.pop()) is None
    assert not slots


def test_a_batch_that_was_split_off_waits_for_a_slot_and_gets_it():
    queue, slots = Queue(1), Slots(5)
    first, second, third = (batch(number, queue) for number in (1, 2, 3))
    assert [slots.take(one) for one in (first, second, third)] == [True, False, False]
    assert len(slots) == 3
    assert [slots.free(one) for one in (first, second, third)] == [second, third, None]
    assert slots.is_free(queue)
    assert not slots


def test_batches_of_an_earlier_run_are_all_followed_and_new_ones_wait_for_them():
    queue, slots = Queue(1), Slots(5)
    earlier = [batch(number, queue, recovered=True) for number in (1, 2)]
    new = batch(3, queue)
    assert [slots.take(one) for one in (*earlier, new)] == [True, True, False]
    assert [slots.free(one) for one in earlier] == [None, new]


def test_with_a_batch_without_a_result_go_those_that_wait_at_its_destination_but_no_others():
    queue, other, slots = Queue(1), Queue(1), Slots(9)
    batches = [batch(number, queue) for number in (1, 2, 3)]
    elsewhere = [batch(number, other) for number in (4, 5)]
    for one in (*batches, *elsewhere):
        slots.take(one)
    slots.abandon(batches[0])
    assert len(slots) == 2
    assert not slots.is_free(queue)
    assert slots.free(elsewhere[0]) is elsewhere[1]
    assert slots.free(elsewhere[1]) is None
    assert not slots


@pytest.mark.parametrize(
    ("since", "began", "ends"),
    [(50, 500, None), (500, 500, DeliveryFailed), (500, 50, None), (2000, 50, Refusal), (2000, 5000, Refusal)],
)
def test_a_job_has_its_time_in_each_run_and_a_longer_one_in_all(since, began, ends):
    now = time.time()
    waiting = batch(1, Queue(None))
    waiting.since = now - since
    assert type(overdue(waiting, run_began=now - began)) is (ends or type(None))


@pytest.mark.parametrize(("polls", "least", "most"), [(0, 0.8, 1.2), (3, 2.7, 4.05), (1000, 6.4, 9.6)])
def test_a_job_is_polled_less_and_less_often_but_at_its_longest_interval(polls, least, most):
    schedule, waiting = PollSchedule(), batch(1, Queue(None))
    waiting.polls = polls
    began = time.monotonic()
    schedule.again(waiting, None)
    at = schedule.next_at()
    assert at is not None
    assert least <= at - began
    assert [*schedule.due(began + most + 1)] == [waiting]
    assert schedule.next_at() is None
