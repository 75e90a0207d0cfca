"""Cutting rows into batches, by number, bytes and age, with one address in at most one unfinished batch; no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from target_mailing.lines import Lines

__all__ = ["Batcher", "OpenBatch", "Row"]


_T = TypeVar("_T")

#: Superseded rows that an open batch takes, as a multiple of the rows of a full one.
_SUPERSEDED: Final = 4


class Row(msgspec.Struct, gc=False):
    """A contact on its way.

    Attributes:
        lines: input lines that this row settles: its own last, before it those it superseded. Empty for a row of
            an earlier run.
        stream: name in the input.
        key: keyed hash of the stream's key, if it has one.
        drops_key: when this is done, the key holds no contact any more.
        email: the contact's address as it is sent, or what else tells it apart (`Fields.identify`); "" while only the
            key is known.
        address: the same, folded so that equal ones are equal.
        id: keyed hash of destination and address.
        action: what is to be done.
        contact: the contact in the destination's own encoding.
        fingerprint: of action and contact.
        source: where the last of its lines is, for the rejects file; None for a row of an earlier run.
        sources: where the lines before it are.
        resubmitted: an earlier submission of this content may have arrived.
        also: keys of rows that this one superseded; the contact is theirs, too.
        followers: rows that wait for the end of this one, because what they are to be depends on it.
        blocked: how many rows it waits for in this way; it keeps its place until `Batcher.unblock` came as often.
        reference: stream and key in words, where the destination has the provider keep them; else empty.
        left_by: keys that had this contact, and for whose sake it is removed after their new one was added.
        lost_address: the key has no address any more, but was not deleted.
        tells_changes: its stream tells changes in their order, so that another address of the same key is a change.
        is_of_shared_key: its key stands for several addresses at once, so that none is a former one.
        is_former: it removes the address that a key had before, or may have had.
        turn: its place among all rows of keys, for `KeysUnderWay`.
    """

    lines: Sequence[int]
    stream: str
    key: bytes | None
    drops_key: bool
    email: str
    address: str
    id: int
    action: str
    contact: bytes
    fingerprint: int
    source: Lines | None
    resubmitted: bool = False
    also: Collection[bytes] = ()
    followers: Sequence[Row] = ()
    blocked: int = 0
    reference: tuple[str, ...] = ()
    left_by: Sequence[bytes] = ()
    lost_address: bool = False
    sources: Sequence[Lines] = ()
    turn: int = 0
    tells_changes: bool = True
    is_of_shared_key: bool = False
    is_former: bool = False

    def supersede(self, earlier: Row) -> None:
        """Take over what an earlier row of the same address settles, holds and is waited for by.

        What the earlier row gathered is passed on, not copied: many rows of one address may come in a row.
        """
        if earlier.source is not None and earlier.source is not self.source:
            earlier.sources = _joined(earlier.sources, (earlier.source,))
        self.turn = max(self.turn, earlier.turn)
        self.lines = _joined(earlier.lines, self.lines)
        self.sources = _joined(earlier.sources, self.sources)
        self.followers = _joined(earlier.followers, self.followers)
        self.left_by = _joined(earlier.left_by, self.left_by)
        if earlier.also or (earlier.key is not None and earlier.key != self.key):
            keys = earlier.also if isinstance(earlier.also, dict) else dict.fromkeys(earlier.also)
            keys |= dict.fromkeys(self.also)
            if earlier.key is not None:
                keys[earlier.key] = None
            if self.key is not None:
                keys.pop(self.key, None)
            self.also = keys

    def records(self) -> Iterator[tuple[bytes, int]]:
        """The records of all of its lines, oldest first, as `Lines.record` gives them."""
        assert self.source is not None  # noqa: S101 - rows of an earlier run come again, and are judged then
        sources = [*self.sources, self.source]
        for line in self.lines:
            if line not in sources[-1]:
                sources.append(next(source for source in sources if line in source))
            yield sources[-1].record(line)


def _joined(earlier: Sequence[_T], later: Sequence[_T]) -> Sequence[_T]:
    """Both, in this order; a list that is the earlier one is extended."""
    if not earlier:
        return later
    joined = earlier if isinstance(earlier, list) else [*earlier]
    joined.extend(later)
    return joined


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
