"""When the steps of batches are taken again."""

from __future__ import annotations

import random
import time
from collections.abc import Collection
from typing import Final

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.poll_pace import first_interval, lately, next_interval
from target_mailing.delivery.queue import DestinationQueue

__all__ = ["PollSchedule"]

#: Seconds of a poll that was delayed by the provider's pace. Polls then take at most a fifth of the time.
_DELAYED: Final = 0.5
_REST: Final = 4.0


class PollSchedule:
    """The batches whose step waits for its next turn; how often jobs are polled, `poll_pace` says."""

    def __init__(self) -> None:
        self._due: dict[Batch, float] = {}
        self._took: dict[DestinationQueue, float] = {}
        self._rests_until = 0.0

    def begin(self, batch: Batch) -> None:
        """Poll a job that was submitted just now; one of an earlier run at once."""
        first = first_interval(batch.queue.settings, self._took.get(batch.queue, 0.0))
        self.add(batch, 0.0 if batch.recovered else first)

    def add(self, batch: Batch, after: float) -> None:
        """Take the batch's step so many seconds from now."""
        self._due[batch] = time.monotonic() + after

    def again(self, batch: Batch, after: float | None) -> None:
        """Take the batch's step again, because it had no result.

        Args:
            batch: whose step it is.
            after: seconds from now; None for the polling pace, varied at random so that jobs are not polled all at
                once.
        """
        if after is None:
            elapsed = time.time() - (batch.begun_at or batch.since)
            after = next_interval(batch.queue.settings, self._took.get(batch.queue, 0.0), elapsed)
            after *= random.uniform(0.8, 1.2)  # noqa: S311
        batch.polls += 1
        self.add(batch, after)

    def ended(self, batch: Batch) -> float:
        """A job has ended, now or since it was polled last.

        Returns:
            the seconds that it was followed.
        """
        seconds = max(0.0, time.time() - batch.begun_at)
        self._took[batch.queue] = lately(self._took.get(batch.queue), seconds)
        return seconds

    def polled(self, batch: Batch, seconds: float) -> None:
        """A poll took so many seconds."""
        if seconds > _DELAYED:
            rest = min(seconds * _REST, batch.queue.settings.poll_max_interval)
            self._rests_until = max(self._rests_until, time.monotonic() + rest)

    def next_due(self, now: float) -> Batch | None:
        """A batch that is due by now (monotonic seconds), removed from the schedule; the one due longest first."""
        due = self.next_at()
        if due is None or due > now:
            return None
        batch = min(self._due, key=self._due.__getitem__)
        del self._due[batch]
        return batch

    def watching(self, queue: DestinationQueue) -> Collection[Batch]:
        """The batches of a destination whose jobs wait for their next poll."""
        return [batch for batch in self._due if batch.queue is queue and batch.job is not None]

    def waiting(self, queue: DestinationQueue) -> int:
        """How many batches of a destination are not sent until other batches have been answered."""
        return sum(batch.waits and batch.queue is queue for batch in self._due)

    def drop(self, batch: Batch) -> None:
        """Take the batch's step at no time, unless it is added again."""
        self._due.pop(batch, None)

    def next_at(self) -> float | None:
        """When the next batch is due (monotonic seconds)."""
        return max(self._rests_until, min(self._due.values())) if self._due else None
