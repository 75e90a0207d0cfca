"""How many rows a batch has whose job only its count tells from others: those without a reply differ in size."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

from target_mailing.delivery.adoption import free_size
from target_mailing.delivery.calls import MOST_WORKERS, Calls
from target_mailing.delivery.doubts import Doubts
from target_mailing.delivery.open_batches import ReadyBatch
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.rows.row import Row

__all__ = ["BatchSizes", "size_in_turn"]

#: Of so many rows of a full batch, one may be left to a later batch.
_ROWS_FOR_EACH: Final = 10
#: Seconds for which a batch waits for the reply to another one of its size.
_PATIENCE: Final = 5.0


class BatchSizes:
    """Gives batches their sizes in turns, the same in a plan, whose calls are answered at once, as in its run."""

    def __init__(self, calls: Calls, doubts: Doubts, jobs_in_flight: int) -> None:
        """Begin with the first turn.

        Args:
            calls: knows the batches that have no reply yet.
            doubts: knows those whose reply was lost.
            jobs_in_flight: batches under way at the same time.
        """
        self._calls = calls
        self._doubts = doubts
        self._most_at_once = min(MOST_WORKERS, jobs_in_flight)
        self._begun: Counter[tuple[DestinationQueue, str]] = Counter()

    def cut(self, queue: DestinationQueue, ready: ReadyBatch) -> list[Row]:
        """The rows of the next batch, of those that are ready; the others are sent later.

        Returns:
            The rows; none if the batch waits for the reply to another one of its size.
        """
        action, _, rows = ready
        size = self._size(queue, action, len(rows))
        if not size:
            queue.batches.give_back(ready)
        elif size < len(rows):
            queue.batches.put_back(rows[size:])
        return rows[:size]

    def _size(self, queue: DestinationQueue, action: str, rows: int) -> int:
        at_once = min(self._most_at_once, queue.batches_at_once or self._most_at_once)
        turn = self._begun[queue, action]
        size = size_in_turn(rows, turn, most_rows=queue.settings.batch_rows, at_once=at_once)
        sent = [one for one in self._calls.submitting.values() if one.queue is queue and one.action == action]
        since = time.time() - _PATIENCE
        if any(len(one.rows) == size and one.begun_at > since for one in sent):
            return 0
        self._begun[queue, action] += 1
        return free_size(size, [*map(len, (one.rows for one in sent)), *self._doubts.sizes(queue, action)])


def size_in_turn(rows: int, turn: int, *, most_rows: int, at_once: int) -> int:
    """The size of a batch, which differs from those of the batches just before and after it if these are full, too.

    Few rows are left to later batches, so that there are few batches more: as many sizes as batches are sent at once,
    but no more than one for ten rows. Batches of the same size wait for each other's reply.

    Args:
        rows: that it could have.
        turn: how many batches were begun before it.
        most_rows: of a full batch.
        at_once: batches that may be sent at the same time.
    """
    sizes = max(1, min(at_once, most_rows // _ROWS_FOR_EACH))
    return min(rows, most_rows - turn % sizes) if rows > most_rows - sizes else rows
