"""Jobs that a listing shows as ended are polled alone, no more at a time than polls may be under way."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.following import Following
from target_mailing.delivery.slots import Slots
from target_mailing.interface.destination import Again, Step
from target_mailing.settings.settings import StreamSettings

AT_A_TIME = 4


class Follow(Step):
    name = "follow"
    watches = True
    started_by = "submit"

    def run(self, work: Any) -> Again:
        return Again()


class Provider:
    def __init__(self, running: set[str]) -> None:
        self.running = running
        self.listings = 0

    def running_jobs(self, jobs: Any) -> dict[str, Again | None]:
        self.listings += 1
        return {job: Again() if job in self.running else None for job in jobs}


class Queue:
    batches_at_once = None

    def __init__(self, provider: Provider) -> None:
        self.destination = provider
        self.settings = StreamSettings.resolve({"list": 1, "poll_interval": 100, "poll_max_interval": 1000}, None)


class Calls:
    """Calls under way, answered when the test says so."""

    def __init__(self) -> None:
        self.polls = 0
        self.listing: Any = None

    @property
    def can_look(self) -> bool:
        return self.polls < AT_A_TIME

    def look(self, call: Any, then: Any) -> None:
        self.listing = call, then

    def answer(self) -> None:
        call, then = self.listing
        future: Future[Any] = Future()
        future.set_result(call())
        then(future)


def test_as_many_ended_jobs_are_polled_at_a_time_as_may_be_and_those_that_run_are_not():
    provider, calls, polled = Provider({"3", "7"}), Calls(), list[Batch]()
    queue: Any = Queue(provider)
    any_calls: Any = calls

    def poll(batch: Batch) -> None:
        polled.append(batch)
        calls.polls += 1

    journal: Any = None
    still: list[int] = []
    following = Following(any_calls, Slots(20), journal, take=poll, runs=lambda batch, _: still.append(batch.number))
    batches = [Batch(number, queue, "add", "only", [], (Follow(),)) for number in range(10)]
    for batch in batches:
        batch.evidence = {"submit": {"job": str(batch.number)}}
        following.begin(batch)
    now = time.monotonic() + 150  # all are due
    following.turn(now)
    assert polled == []
    calls.answer()
    waves = []
    while True:
        before = len(polled)
        following.turn(now)
        if len(polled) == before:
            break
        waves.append(len(polled) - before)
        calls.polls = 0
    assert waves == [4, 4]
    assert {batch.number for batch in polled} == {*range(10)} - {3, 7}
    assert {*still} == {3, 7}
    assert provider.listings == 1


def test_jobs_that_the_listing_shows_as_ended_are_polled_before_they_are_due():
    provider, calls, polled = Provider({"2"}), Calls(), list[int]()
    queue: Any = Queue(provider)
    any_calls: Any = calls
    journal: Any = None
    following = Following(
        any_calls, Slots(20), journal, take=lambda batch: polled.append(batch.number), runs=lambda *_: None
    )
    for number in range(4):
        batch = Batch(number, queue, "add", "only", [], (Follow(),))
        batch.evidence = {"submit": {"job": str(number)}}
        following.begin(batch)
    following.again(batch, 0.0)
    following.turn(time.monotonic())
    assert polled == []
    calls.answer()
    following.turn(time.monotonic())
    assert {*polled} == {0, 1, 3}


def test_a_job_that_is_given_up_at_a_listing_is_not_polled_again():
    provider, calls, given_up, polled = Provider({*"0123"}), Calls(), list[int](), list[int]()
    queue: Any = Queue(provider)
    any_calls: Any = calls
    journal: Any = None
    following = Following(
        any_calls,
        Slots(20),
        journal,
        take=lambda batch: polled.append(batch.number),
        runs=lambda batch, _: given_up.append(batch.number),
    )
    for number in range(4):
        batch = Batch(number, queue, "add", "only", [], (Follow(),))
        batch.evidence = {"submit": {"job": str(number)}}
        following.begin(batch)
    following.again(batch, 0.0)
    following.turn(time.monotonic())
    calls.answer()
    assert {*given_up} == {0, 1, 2, 3}
    assert following.next_at() is None
    following.turn(time.monotonic() + 1000)
    assert polled == []
