"""The tickets of packed rows, in little memory; pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Final

from target_mailing.delivery.packed_rows import PackedRows
from target_mailing.journal.marks import Marks
from target_mailing.rows.row import Resource

__all__ = ["PackedTickets"]

#: Bytes of marks for each resource: when the marks are made, and at least; then they are made again.
_BYTES_AT_FIRST: Final = 8
_BYTES_AT_LEAST: Final = 4
_LEAST_MARKS: Final = 1 << 18


class PackedTickets:
    """Which packed rows hold which resources, by Python's hashes.

    Resources with equal hashes are not told apart here: what is said to be held may be another one. Who takes it for
    held unpacks the rows, whose resources are then compared themselves (`Tickets.holder`), so this costs time only.

    A resource takes eight bytes, and about as many of marks, where a dictionary and its key would take a hundred. The
    marks alone rule out most of the resources that nobody holds.
    """

    def __init__(self) -> None:
        self._hashes: dict[PackedRows, array[int]] = {}
        self._marks = Marks(0)
        #: Resources that are marked, some of which are no longer held.
        self._marked = 0

    def __bool__(self) -> bool:
        """Whether any resource is held."""
        return bool(self._hashes)

    def add(self, rows: PackedRows, resources: Collection[Resource]) -> None:
        """Packed rows hold these resources, and nobody else does."""
        hashes = self._hashes[rows] = array("q", sorted(map(hash, resources)))
        self._marked += len(hashes)
        if self._marked * _BYTES_AT_LEAST > len(self._marks):
            self._mark_again()
        else:
            self._marks.mark(hashes)

    def remove(self, rows: PackedRows) -> None:
        """Packed rows hold nothing any longer."""
        del self._hashes[rows]
        if not self._hashes:
            self._marks, self._marked = Marks(0), 0

    def among(self, resources: Sequence[Resource]) -> list[Resource]:
        """Those of some resources that packed rows hold, or seem to."""
        return [one for one in self._marks.among(resources) if self.holder(one)] if self._hashes else []

    def holder(self, resource: Resource) -> PackedRows | None:
        """The packed rows one of which holds a resource, or seems to."""
        if not self._hashes or not self._marks.among((resource,)):
            return None
        number = hash(resource)
        for rows, hashes in self._hashes.items():
            at = bisect_left(hashes, number)
            if at < len(hashes) and hashes[at] == number:
                return rows
        return None

    def _mark_again(self) -> None:
        self._marked = sum(map(len, self._hashes.values()))
        self._marks = Marks(max(_LEAST_MARKS, 1 << (self._marked * _BYTES_AT_FIRST - 1).bit_length()))
        for hashes in self._hashes.values():
            self._marks.mark(hashes)
