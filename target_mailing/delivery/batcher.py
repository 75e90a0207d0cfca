"""Cutting rows into batches, by number, bytes and age, with one address in at most one unfinished batch; no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from target_mailing.row import Row

__all__ = ["Batcher", "OpenBatch"]


#: Superseded rows that an open batch takes, as a multiple of the rows of a full one.
_SUPERSEDED: Final = 4


class OpenBatch:
    """Rows of one action that are not sent yet, one per address."""

    __slots__ = ("action", "opened_at", "rows", "size", "superseded")

    def __init__(self, action: str, opened_at: float) -> None:
        self.action = action
        self.opened_at = opened_at
        self.rows: dict[str, Row] = {}
        self.size = 0
        self.superseded = 0


class Batcher:
    """The batches of one destination.

    An address is held from its first row in an open batch until `free`. A later row for it joins that row if the
    batch is still open and the action the same: the later content is laid over the earlier (the earlier row is
    superseded). Otherwise it waits, and rows of one address never overtake each other.
    """

    def __init__(self, *, max_rows: int, max_bytes: int, max_age: float, overlay: Callable[[Row, Row], Row]) -> None:
        """Make an empty batcher.

        Args:
            max_rows: rows of a full batch.
            max_bytes: bytes of a full batch's encoded contacts; one larger contact goes alone.
            max_age: seconds after which a batch is due although it is not full.
            overlay: the row that has the effect of the first followed by the second.
        """
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._overlay = overlay
        self._open: dict[str, OpenBatch] = {}
        self._due: deque[OpenBatch] = deque()
        self._holder: dict[str, OpenBatch] = {}
        self._waiting: dict[str, deque[Row]] = {}
        self._parked = OpenBatch("", 0.0)
        self.waiting_rows = 0

    def add(self, row: Row, now: float) -> None:
        """Take in a row, `now` in the clock of `max_age`."""
        holder = self._holder.get(row.address)
        if holder is None:
            if row.blocked:
                self._parked.rows[row.address] = row
                self._holder[row.address] = self._parked
            else:
                self._put(row, now)
        elif row.blocked:
            self._wait(row)
        elif holder is self._open.get(row.action) and row.address not in self._waiting:
            before = holder.rows[row.address]
            after = self._overlay(before, row)
            holder.rows[row.address] = after
            holder.size += len(after.contact) - len(before.contact)
            holder.superseded += 1
            if holder.superseded >= _SUPERSEDED * self._max_rows:  # their lines are in memory, too
                self._close(holder)
        else:
            self._wait(row)

    def unblock(self, row: Row, now: float) -> None:
        """One of those that a blocked row waits for has ended; after the last it may go as soon as its turn comes."""
        row.blocked -= 1
        if row.blocked:
            return
        if self._parked.rows.get(row.address) is row:
            del self._parked.rows[row.address]
            self._put(row, now)

    def withdraw(self, row: Row, now: float) -> None:
        """Take out a row that is still blocked: it is not to be sent."""
        if self._parked.rows.get(row.address) is row:
            del self._parked.rows[row.address]
            self.free([row.address], now)
            return
        waiting = deque(one for one in self._waiting.pop(row.address) if one is not row)
        self.waiting_rows -= 1
        if waiting:
            self._waiting[row.address] = waiting

    def is_held(self, address: str) -> bool:
        """Whether a row of this address is on its way."""
        return address in self._holder

    def has_due(self) -> bool:
        """Whether a batch is full."""
        return bool(self._due)

    def next_due(self) -> OpenBatch | None:
        """A full batch, oldest first; its addresses stay held until `free`."""
        return self._due.popleft() if self._due else None

    def close_old(self, now: float) -> None:
        """Make every batch due that is older than `max_age`."""
        for batch in [batch for batch in self._open.values() if now - batch.opened_at >= self._max_age]:
            self._close(batch)

    def close_all(self) -> None:
        """Make every batch due, as at the end of input."""
        for batch in list(self._open.values()):
            self._close(batch)

    def oldest(self) -> float | None:
        """When the oldest open batch was opened."""
        return min((batch.opened_at for batch in self._open.values()), default=None)

    def is_empty(self) -> bool:
        """Whether no row is here or on its way."""
        return not self._holder

    def free(self, addresses: list[str], now: float) -> None:
        """These addresses' rows have their outcome: rows that waited for them come in."""
        for address in addresses:
            del self._holder[address]
        if self._waiting:
            for address in addresses:
                for row in self._waiting.pop(address, ()):
                    self.waiting_rows -= 1
                    self.add(row, now)

    def _wait(self, row: Row) -> None:
        self._waiting.setdefault(row.address, deque()).append(row)
        self.waiting_rows += 1

    def _put(self, row: Row, now: float) -> None:
        batch = self._open.get(row.action)
        if batch is not None and batch.size + len(row.contact) > self._max_bytes:
            self._close(batch)
            batch = None
        if batch is None:
            batch = self._open[row.action] = OpenBatch(row.action, now)
        batch.rows[row.address] = row
        batch.size += len(row.contact)
        self._holder[row.address] = batch
        if len(batch.rows) >= self._max_rows:
            self._close(batch)

    def _close(self, batch: OpenBatch) -> None:
        del self._open[batch.action]
        self._due.append(batch)
