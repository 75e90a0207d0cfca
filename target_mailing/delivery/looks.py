"""How many polls follow the jobs of a run, if it is known how long jobs take; no I/O, no clock.

Time passes here as in a run: batches begin one after the other as far as they may be under way together, and their jobs
are polled at the pace of `poll_pace`, varied at random, or shown by listings as in `JobListings`.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from itertools import count
from typing import Final

import msgspec

from target_mailing.delivery.job_listings import WORTHWHILE
from target_mailing.delivery.poll_pace import first_interval, lately, next_interval
from target_mailing.settings.settings import StreamSettings

__all__ = ["JobsOfBatch", "expected_polls"]

#: Batches that are followed, here, at most; more of them have as many polls each.
_MOST: Final = 400
#: Batches that are followed at least, in as many runs as that takes, so that chance counts for little.
_LEAST: Final = 200


class JobsOfBatch(msgspec.Struct, frozen=True):
    """A batch with jobs.

    Attributes:
        jobs: how long each of them takes (seconds), in order.
        after: seconds from the start of the batch before to its start, if there is room for it.
    """

    jobs: Sequence[float]
    after: float


def expected_polls(
    batches: Sequence[JobsOfBatch], settings: StreamSettings, *, at_once: int, lists_jobs: bool, takes: float
) -> float:
    """The number of calls that poll these batches' jobs, as it is on average.

    Args:
        batches: of one destination, in the order in which they begin.
        settings: of the destination.
        at_once: batches that may be under way together.
        lists_jobs: whether the provider lists jobs.
        takes: seconds that a poll, or a listing, takes.
    """
    if not batches:
        return 0.0
    some = batches[:_MOST]
    runs = max(1, _LEAST // len(some))
    chance = random.Random(0)  # noqa: S311 - no secret
    total = 0
    for _ in range(runs):
        following = _Following(some, settings, at_once=at_once, lists_jobs=lists_jobs, takes=takes, chance=chance)
        total += following.run()
    return total / runs * len(batches) / len(some)


class _Following:
    """The jobs of one run."""

    def __init__(
        self,
        batches: Sequence[JobsOfBatch],
        settings: StreamSettings,
        *,
        at_once: int,
        lists_jobs: bool,
        takes: float,
        chance: random.Random,
    ) -> None:
        self._batches = batches
        self._settings = settings
        self._at_once = at_once
        self._lists_jobs = lists_jobs
        self._takes = takes
        self._chance = chance
        self._polls = 0
        self._took: float | None = None
        self._begun = self._under_way = 0
        self._begun_at = 0.0
        #: What happens next: when, in which order, to which batch; a batch not begun yet begins.
        self._events: list[tuple[float, int, int]] = []
        self._order = count()
        #: By batch under way: which of its jobs, when that began and ends, and the event of its next poll.
        self._job: dict[int, int] = {}
        self._start: dict[int, float] = {}
        self._end: dict[int, float] = {}
        self._due: dict[int, int] = {}

    def run(self) -> int:
        """The number of polls."""
        self._begin_next(0.0)
        while self._events:
            now, event, batch = heapq.heappop(self._events)
            if batch not in self._job:
                self._under_way += 1
                self._begun, self._begun_at = self._begun + 1, now
                self._begin_job(batch, 0, now)
                self._begin_next(now)
            elif self._due.get(batch) == event:
                self._look(batch, now)
        return self._polls

    def _begin_next(self, now: float) -> None:
        is_due = any(batch not in self._job for *_, batch in self._events)
        if self._begun < len(self._batches) and self._under_way < self._at_once and not is_due:
            at = max(now, self._begun_at + self._batches[self._begun].after)
            heapq.heappush(self._events, (at, next(self._order), self._begun))

    def _begin_job(self, batch: int, job: int, now: float) -> None:
        self._job[batch], self._start[batch] = job, now
        self._end[batch] = now + self._batches[batch].jobs[job]
        self._poll_at(batch, now + first_interval(self._settings, self._took or 0.0))

    def _poll_at(self, batch: int, at: float) -> None:
        self._due[batch] = next(self._order)
        heapq.heappush(self._events, (at, self._due[batch], batch))

    def _look(self, batch: int, now: float) -> None:
        if not (self._lists_jobs and len(self._due) >= WORTHWHILE):
            self._poll(batch, now)
            return
        self._polls += 1
        for one in [*self._due]:
            if self._end[one] <= now:
                self._poll(one, now + self._takes)
            else:
                self._poll_later(one, now + self._takes)

    def _poll(self, batch: int, now: float) -> None:
        self._polls += 1
        is_over, now = self._end[batch] <= now, now + self._takes
        if not is_over:
            self._poll_later(batch, now)
            return
        self._took = lately(self._took, now - self._start[batch])
        del self._due[batch]
        job = self._job[batch] + 1
        if job < len(self._batches[batch].jobs):
            self._begin_job(batch, job, now)
        else:
            self._under_way -= 1
            self._begin_next(now)

    def _poll_later(self, batch: int, now: float) -> None:
        interval = next_interval(self._settings, self._took or 0.0, now - self._start[batch])
        self._poll_at(batch, now + interval * self._chance.uniform(0.8, 1.2))
