"""When the steps of batches are taken again, and for how long."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections.abc import Iterator

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.destination import Refusal

__all__ = ["PollSchedule", "overdue"]


class PollSchedule:
    """The batches whose step waits for its next turn."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Batch]] = []
        self._order = itertools.count()

    def add(self, batch: Batch, after: float | None) -> None:
        """Schedule a batch.

        Args:
            batch: whose step is taken again.
            after: seconds from now; None for the polling pace: a longer interval each time, varied at random so that
                jobs are not polled all at once.
        """
        if after is None:
            settings = batch.queue.settings
            interval = min(settings.poll_max_interval, settings.poll_interval * 1.5 ** min(batch.polls, 40))
            after = interval * random.uniform(0.8, 1.2)  # noqa: S311
        heapq.heappush(self._heap, (time.monotonic() + after, next(self._order), batch))

    def due(self, now: float) -> Iterator[Batch]:
        """The batches due by now (monotonic seconds), each removed from the schedule."""
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[2]

    def waiting(self, queue: DestinationQueue) -> int:
        """How many batches of a destination are not sent until other batches have been answered."""
        return sum(batch.waits and batch.queue is queue for _, _, batch in self._heap)

    def next_at(self) -> float | None:
        """When the next batch is due (monotonic seconds)."""
        return self._heap[0][0] if self._heap else None


def overdue(batch: Batch, *, run_began: float) -> Refusal | DeliveryFailed | None:
    """Why a batch without a result is given up, or fails the run; None while it may wait.

    Time counts from the call whose effect is awaited, or from the first time that a call was put off.

    Args:
        batch: that waits.
        run_began: Unix seconds; a batch of an earlier run is followed for as long as a batch of this run.
    """
    settings, now = batch.queue.settings, time.time()
    if now - batch.since > settings.job_abandon:
        return Refusal("unconfirmed", f"the job had not ended after {settings.job_abandon:.0f} s")
    if now - max(batch.since, run_began) > settings.job_timeout:
        return DeliveryFailed(
            f"Setting `job_timeout`: batch {batch.number} ({batch.jobs}) had not ended after "
            f"{settings.job_timeout:.0f} s. It is in the journal; the next run follows it again."
        )
    return None
