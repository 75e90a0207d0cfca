"""Jobs are polled when they may have ended, and are not followed for ever."""

from __future__ import annotations

import time
from typing import Any

import pytest

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.following import overdue
from target_mailing.delivery.schedule import PollSchedule
from target_mailing.interface.destination import Refusal
from target_mailing.settings.settings import StreamSettings


class Queue:
    def __init__(self) -> None:
        given = {"list": 1, "job_timeout": 100, "job_abandon": 1000, "poll_interval": 1, "poll_max_interval": 8}
        self.settings = StreamSettings.resolve(given, None)


def batch(queue: Any, *, age: float = 0.0, recovered: bool = False) -> Batch:
    waiting = Batch(1, queue, "add", "only", [], (), recovered=recovered)
    waiting.begun_at = waiting.since = time.time() - age
    return waiting


def next_after(schedule: PollSchedule) -> float:
    at = schedule.next_at()
    assert at is not None
    return at - time.monotonic()


@pytest.mark.parametrize(
    ("since", "began", "ends"),
    [(50, 500, None), (500, 500, DeliveryFailed), (500, 50, None), (2000, 50, Refusal), (2000, 5000, Refusal)],
)
def test_a_job_has_its_time_in_each_run_and_a_longer_one_in_all(since, began, ends):
    now = time.time()
    waiting = batch(Queue(), age=since)
    assert type(overdue(waiting, run_began=now - began)) is (ends or type(None))


@pytest.mark.parametrize(("age", "least", "most"), [(0, 0.8, 1.2), (6, 2.3, 3.7), (1000, 6.3, 9.7)])
def test_a_job_is_polled_less_and_less_often_but_at_its_longest_interval(age, least, most):
    schedule, waiting = PollSchedule(), batch(Queue(), age=age)
    schedule.again(waiting, None)
    assert least <= next_after(schedule) <= most
    assert schedule.next_due(time.monotonic()) is None
    assert schedule.next_due(time.monotonic() + most + 1) is waiting
    assert schedule.next_at() is None


def test_a_job_is_polled_first_after_half_of_the_time_of_those_before_it_then_often():
    schedule, queue = PollSchedule(), Queue()
    for age in (100, 12):  # the shorter time counts for more, since a job may have ended before it was polled
        schedule.ended(batch(queue, age=age))
    schedule.begin(batch(queue))
    assert 5.9 <= next_after(schedule) <= 6.1
    assert 0.8 <= polled_again_after(schedule, batch(queue, age=11)) <= 1.5
    assert 6.3 <= polled_again_after(schedule, batch(queue, age=40)) <= 9.7


def polled_again_after(schedule: PollSchedule, waiting: Batch) -> float:
    while schedule.next_due(time.monotonic() + 1000):
        pass
    schedule.again(waiting, None)
    return next_after(schedule)


def test_the_job_of_an_earlier_run_is_polled_at_once_and_a_new_one_after_the_shortest_interval():
    schedule, queue = PollSchedule(), Queue()
    schedule.ended(batch(queue, age=0.1))
    schedule.begin(batch(queue, recovered=True))
    assert next_after(schedule) <= 0
    assert schedule.next_due(time.monotonic())
    schedule.begin(batch(queue))
    assert 0.9 <= next_after(schedule) <= 1.1


def test_polls_that_the_pace_delays_rest_four_times_as_long_as_one_took():
    schedule, queue = PollSchedule(), Queue()
    due = batch(queue)
    schedule.add(due, 0.0)
    schedule.polled(due, 0.4)
    assert next_after(schedule) <= 0
    schedule.polled(due, 1.5)
    assert 5.9 <= next_after(schedule) <= 6.1
    assert schedule.next_due(time.monotonic() + 5) is None
    schedule.polled(due, 100)
    assert 7.9 <= next_after(schedule) <= 8.1
    assert schedule.next_due(time.monotonic() + 9) is due


def test_jobs_that_began_together_are_not_polled_all_at_once():
    schedule, queue = PollSchedule(), Queue()
    for _ in range(20):
        schedule.again(batch(queue, age=6), None)
    assert max(schedule._due.values()) - min(schedule._due.values()) > 0.1
