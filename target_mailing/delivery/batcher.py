"""Cutting rows into batches by action, number, bytes and age; no I/O."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

from target_mailing.rows.row import Row

__all__ = ["Batcher", "OpenBatch"]

#: Superseded rows that an open batch takes, as a multiple of the rows of a full batch.
_SUPERSEDED: Final = 4


class OpenBatch:
    """Rows of one action that are not sent yet, one per contact."""

    __slots__ = ("action", "opened_at", "rows", "size", "superseded")

    def __init__(self, action: str, opened_at: float) -> None:
        self.action = action
        self.opened_at = opened_at
        self.rows: list[Row] = []
        self.size = 0
        self.superseded = 0


class Batcher:
    """The open batches of one destination, one per action, and those that are due."""

    def __init__(self, *, max_rows: int, max_bytes: int, max_age: float) -> None:
        """Make an empty batcher.

        Args:
            max_rows: rows of a full batch.
            max_bytes: bytes of a full batch's encoded contacts; a larger contact goes alone.
            max_age: seconds after which a batch is due even if it is not full.
        """
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._open: dict[str, OpenBatch] = {}
        self._due: deque[OpenBatch] = deque()

    def put(self, rows: Sequence[Row], now: float) -> None:
        """Put rows into the open batches of their actions, in order; `now` in the clock of `max_age`."""
        for action in dict.fromkeys([row.action for row in rows]):
            self._put([row for row in rows if row.action == action], action, now)

    def _put(self, rows: list[Row], action: str, now: float) -> None:
        sizes = [*accumulate((row.size for row in rows), initial=0)]
        begin = 0
        while begin < len(rows):
            batch = self._open.get(action) or self._open.setdefault(action, OpenBatch(action, now))
            fit = bisect_right(sizes, self._max_bytes - batch.size + sizes[begin]) - 1
            end = min(begin + self._max_rows - len(batch.rows), max(fit, begin + (not batch.rows)))
            batch.rows += rows[begin:end]
            batch.size += sizes[end] - sizes[begin]
            for row in rows[begin:end]:
                row.is_open = True
            if end < len(rows) or len(batch.rows) >= self._max_rows:
                self._close(batch)
            begin = end

    def has_grown(self, row: Row, size: int) -> None:
        """A row in an open batch was superseded, and grew by so many bytes."""
        batch = self._open[row.action]
        batch.size += size
        batch.superseded += 1
        if batch.superseded >= _SUPERSEDED * self._max_rows:  # their lines are in memory, too
            self._close(batch)

    def has_due(self) -> bool:
        """Whether a batch is full."""
        return bool(self._due)

    def next_due(self) -> OpenBatch | None:
        """A batch that is due, oldest first."""
        return self._due.popleft() if self._due else None

    def close_old(self, now: float) -> None:
        """Make every batch due that is older than `max_age`."""
        self.close_where(lambda batch: now - batch.opened_at >= self._max_age)

    def close_where(self, is_due: Callable[[OpenBatch], bool]) -> None:
        """Make open batches due."""
        for batch in [batch for batch in self._open.values() if is_due(batch)]:
            self._close(batch)

    def oldest(self) -> float | None:
        """When the oldest open batch was opened."""
        return min((batch.opened_at for batch in self._open.values()), default=None)

    def _close(self, batch: OpenBatch) -> None:
        del self._open[batch.action]
        for row in batch.rows:
            row.is_open = False
        self._due.append(batch)
