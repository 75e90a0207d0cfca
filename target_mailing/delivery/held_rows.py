"""Rows that wait on disk, in the order of the input, so that they take little memory, however many they are."""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter, itemgetter
from typing import Final

import msgspec

from target_mailing.contacts.contact import EncodedContact
from target_mailing.rows.row import Row
from target_mailing.rows.spool import Kept, Spool

__all__ = ["HeldRows"]

#: Rows, or bytes of contacts and lines, that are written together.
_TOGETHER: Final = 512
_ENOUGH: Final = 1 << 20
#: The place of the first row that is of no line: all of these come after the input.
_NO_LINE: Final = 1 << 62


class _Held(msgspec.Struct, array_like=True, gc=False):
    """A row that is not decided yet; as of `Row`.

    Attributes:
        place: in the order in which rows are given back.
    """

    place: int
    line: int
    raw: bytes
    stream: str
    key: bytes | None
    id: int
    action: str
    fingerprint: int
    contact: EncodedContact
    drops_key: bool
    tells_changes: bool
    lost_address: bool
    is_of_shared_key: bool
    is_absent: bool

    @classmethod
    def of(cls, row: Row, place: int) -> _Held:
        raw = b"\n".join(row.raw_lines())
        return cls(
            place, row.line, raw, row.stream, row.key, row.id, row.action, row.fingerprint, row.contact,
            row.drops_key, row.tells_changes, row.lost_address, row.is_of_shared_key,
            row.is_absent,
        )  # fmt: skip

    def row(self) -> Row:
        row = Row(
            self.line, self.raw, self.stream, self.key, self.id, self.action, self.fingerprint, self.contact,
            self.drops_key, self.tells_changes,
        )  # fmt: skip
        extras = row.extend()
        extras.was_held, extras.lost_address = True, self.lost_address
        extras.is_of_shared_key, extras.is_absent = self.is_of_shared_key, self.is_absent
        return row


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Held]).decode
_place = attrgetter("place")


class HeldRows:
    """Rows of one destination; they are given back in the order of the input."""

    def __init__(self, spool: Spool) -> None:
        """Begin empty."""
        self._spool = spool
        #: What is on disk: the place of the first row in the input, and some rows in their order.
        self._kept: list[tuple[int, Kept]] = []
        #: The latest rows; once rows are given back, those that were read from disk and come next.
        self._near: list[_Held] = []
        self._bytes = 0
        self._count = 0
        self._is_sorted = False

    def __len__(self) -> int:
        return self._count

    def add(self, row: Row) -> None:
        """Add a row that no batch has had, before any is given back.

        Raises:
            SpoolError: it cannot be written.
        """
        held = _Held.of(row, row.line or _NO_LINE + self._count)
        self._near.append(held)
        self._bytes += len(held.raw) + len(held.contact.content)
        self._count += 1
        if len(self._near) >= _TOGETHER or self._bytes >= _ENOUGH:
            self._near.sort(key=_place)
            first = _place(self._near[0])
            kept = self._spool.keep([EncodedContact("", "", _encode(self._near))], [b""])
            self._kept += [(first, one) for one in kept]
            self._near, self._bytes = [], 0

    def take(self) -> list[Row]:
        """The next rows, which are here no longer; none if there are none.

        Rows that had to wait for others before they came here are among those that did not.
        """
        if not self._is_sorted:
            self._kept.sort(key=itemgetter(0), reverse=True)
            self._near.sort(key=_place)
            self._is_sorted = True
        while self._kept and (not self._near or self._kept[-1][0] <= _place(self._near[0])):
            self._near += _decode(self._kept.pop()[1].contact(0).content)
            self._near.sort(key=_place)
        end = len(self._near)
        if self._kept:
            end = bisect_left(self._near, self._kept[-1][0], key=_place)
        held, self._near = self._near[:end], self._near[end:]
        self._count -= len(held)
        return [one.row() for one in held]
