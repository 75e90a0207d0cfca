"""How many batches are under way, when their steps are taken again, and for how long."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.destination import Refusal

__all__ = ["PollSchedule", "Slots", "overdue"]


class Slots:
    """The batches under way, each in a slot of its destination; batches split off may wait for one."""

    def __init__(self, most: int) -> None:
        """Make slots for so many batches in all."""
        self._most = most
        self._numbers: set[int] = set()
        self._taken: Counter[DestinationQueue] = Counter()
        self._waiting: defaultdict[DestinationQueue, deque[Batch]] = defaultdict(deque)

    def __len__(self) -> int:
        """Batches in a slot or waiting for one."""
        return len(self._numbers)

    def is_free(self, queue: DestinationQueue) -> bool:
        """Whether one more batch of a queue's rows may begin."""
        return len(self._numbers) < self._most and self._has_room(queue)

    def take(self, batch: Batch) -> bool:
        """Take a slot for a batch; whether it may begin. If its destination has none left, the batch waits for one."""
        self._numbers.add(batch.number)
        # Batches of an earlier run are under way already.
        if batch.recovered or self._has_room(batch.queue):
            self._taken[batch.queue] += 1
            return True
        self._waiting[batch.queue].append(batch)
        return False

    def free(self, batch: Batch) -> Batch | None:
        """A batch has ended; returns the batch that begins in its place."""
        self._numbers.discard(batch.number)
        self._taken[batch.queue] -= 1
        if not self._waiting[batch.queue] or not self._has_room(batch.queue):
            return None
        self._taken[batch.queue] += 1
        return self._waiting[batch.queue].popleft()

    def swap(self, batch: Batch) -> Batch:
        """A batch gives its slot to the next one that waits, and waits itself."""
        self._waiting[batch.queue].append(batch)
        return self._waiting[batch.queue].popleft()

    def abandon(self, batch: Batch) -> None:
        """A batch ends without a result: neither another batch nor those that wait at its destination begin."""
        waiting = self._waiting.pop(batch.queue, ())
        self._numbers -= {batch.number, *(other.number for other in waiting)}

    def has_next(self, queue: DestinationQueue) -> bool:
        """Whether a batch waits for a slot at a destination, and was not put off itself."""
        return any(not batch.waits for batch in self._waiting[queue])

    def taken(self, queue: DestinationQueue) -> int:
        """Slots taken at a destination."""
        return self._taken[queue]

    def _has_room(self, queue: DestinationQueue) -> bool:
        return queue.batches_at_once is None or self._taken[queue] < queue.batches_at_once


class PollSchedule:
    """The batches whose step waits for its next turn."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Batch]] = []
        self._order = itertools.count()

    def add(self, batch: Batch, after: float) -> None:
        """Take the batch's step so many seconds from now."""
        heapq.heappush(self._heap, (time.monotonic() + after, next(self._order), batch))

    def again(self, batch: Batch, after: float | None) -> None:
        """Take the batch's step again, because it had no result.

        Args:
            batch: whose step it is.
            after: seconds from now; None for the polling pace: a longer interval each time, varied at random so that
                jobs are not polled all at once.
        """
        if after is None:
            settings = batch.queue.settings
            interval = min(settings.poll_max_interval, settings.poll_interval * 1.5 ** min(batch.polls, 40))
            after = interval * random.uniform(0.8, 1.2)  # noqa: S311
        batch.polls += 1
        self.add(batch, after)

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
        return Refusal("unconfirmed", f"the job did not end within {settings.job_abandon:.0f} s")
    if now - max(batch.since, run_began) > settings.job_timeout:
        return DeliveryFailed(
            f"Batch {batch.number} ({batch.jobs}) did not end within `job_timeout` ({settings.job_timeout:.0f} s). The "
            "journal keeps it, and the next run resumes it."
        )
    return None
