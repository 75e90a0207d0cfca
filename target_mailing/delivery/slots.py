"""Which batches may be under way at the same time, in the account and at each destination."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Collection
from typing import Final

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.queue import DestinationQueue

__all__ = ["Slots"]

#: Rows under way at most, whatever the size of batches; as many rows of usual batches as there may be are more.
_MOST_ROWS: Final = 200_000
_ROWS_OF_A_BATCH: Final = 5_000


class Slots:
    """The batches under way, each in a slot, and those of this run that wait for one: they go before new batches.

    The number of slots is a ceiling. It is halved when the provider refuses a job because too many are under way, and
    grows by one with each job that it accepts.
    """

    def __init__(self, most: int) -> None:
        """Make slots for so many batches in all."""
        self._most = most
        self._ceiling = most
        self._most_rows = max(_MOST_ROWS, most * _ROWS_OF_A_BATCH)
        self._rows = 0
        self._taken: dict[int, Batch] = {}
        self._by_queue: Counter[DestinationQueue] = Counter()
        self._waiting: deque[Batch] = deque()
        self._lowered_at = float("-inf")

    def __len__(self) -> int:
        """Batches in a slot or waiting for one."""
        return len(self._taken) + len(self._waiting)

    @property
    def ceiling(self) -> int:
        """Batches that may be under way now."""
        return self._ceiling

    def most_at_once(self, queue: DestinationQueue, rows: float) -> int:
        """Batches of so many rows each that may be under way together at a destination."""
        by_rows = math.ceil(self._most_rows / max(1.0, rows))
        return min(self._most, by_rows, queue.batches_at_once or self._most)

    def is_free(self, queue: DestinationQueue) -> bool:
        """Whether one more batch of a queue's rows may begin."""
        has_room = len(self._taken) < self._ceiling and (self._rows < self._most_rows or not self._taken)
        return has_room and (queue.batches_at_once is None or self._by_queue[queue] < queue.batches_at_once)

    def take(self, batch: Batch) -> bool:
        """Take a slot for a batch; whether it may begin. If there is none, or others wait, it waits behind them.

        A batch of an earlier run is under way already, so it begins in any case.
        """
        if not batch.recovered and (self._has_waiting(batch.queue) or not self.is_free(batch.queue)):
            self._waiting.append(batch)
            return False
        self._take(batch)
        return True

    def retake(self, batch: Batch) -> None:
        """Take a slot for a batch that had one before, whether or not one is free."""
        self._take(batch)

    def free(self, batch: Batch) -> None:
        """A batch has ended, or stays for the next run."""
        del self._taken[batch.number]
        self._by_queue[batch.queue] -= 1
        self._rows -= len(batch.rows)

    def next(self) -> Batch | None:
        """The first batch that waits and has room now, in its slot."""
        batch = next((waiting for waiting in self._waiting if self.is_free(waiting.queue)), None)
        if batch is not None:
            self._waiting.remove(batch)
            self._take(batch)
        return batch

    def swap(self, batch: Batch) -> Batch:
        """A batch gives its slot to the next one that waits at its destination, and waits itself."""
        following = next(other for other in self._waiting if other.queue is batch.queue)
        self._waiting.remove(following)
        self.free(batch)
        self._waiting.append(batch)
        self._take(following)
        return following

    def abandon_waiting(self) -> None:
        """The batches that wait do not begin; they stay for the next run."""
        self._waiting.clear()

    def has_next(self, queue: DestinationQueue) -> bool:
        """Whether a batch waits for a slot at a destination, and was not put off itself."""
        return any(batch.queue is queue and not batch.waits for batch in self._waiting)

    def taken(self, queue: DestinationQueue) -> int:
        """Slots taken at a destination."""
        return self._by_queue[queue]

    def in_jobs(self) -> tuple[int, int]:
        """How many of the batches have a job at the provider, and the rows of these."""
        sizes = [len(batch.rows) for batch in self._taken.values() if batch.job is not None]
        return len(sizes), sum(sizes)

    def later(self, batch: Batch) -> Collection[Batch]:
        """The batches under way that began after this one."""
        return [other for other in self._taken.values() if other.number > batch.number]

    def accepted(self) -> None:
        """The provider accepted a job."""
        self._ceiling = min(self._most, self._ceiling + 1)

    def refused(self, submitted_at: float, now: float) -> None:
        """The provider refused a job because too many are under way.

        Args:
            submitted_at: when the call began (Unix seconds); of calls made before the ceiling was last lowered,
                nothing follows.
            now: Unix seconds.
        """
        if submitted_at > self._lowered_at:
            self._lowered_at = now
            self._ceiling = max(1, min(self._ceiling, len(self._taken)) // 2)

    def _has_waiting(self, queue: DestinationQueue) -> bool:
        return any(batch.queue is queue for batch in self._waiting)

    def _take(self, batch: Batch) -> None:
        self._taken[batch.number] = batch
        self._by_queue[batch.queue] += 1
        self._rows += len(batch.rows)
