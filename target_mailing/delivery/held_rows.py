"""Rows that wait on disk, in the order in which they came, so that they take no memory, however many they are."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from target_mailing.contacts.contact import EncodedContact
from target_mailing.row import Row
from target_mailing.spool import Kept, Spool

__all__ = ["HeldRows"]

#: Rows, or bytes of contacts and lines, that are written together.
_TOGETHER: Final = 512
_ENOUGH: Final = 1 << 20


class _Held(msgspec.Struct, array_like=True, gc=False):
    """A row that is not decided yet; as of `Row`."""

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

    @classmethod
    def of(cls, row: Row) -> _Held:
        raw = b"\n".join(row.raw_lines())
        return cls(
            row.line, raw, row.stream, row.key, row.id, row.action, row.fingerprint, row.contact,
            row.drops_key, row.tells_changes, row.lost_address, row.is_of_shared_key,
        )  # fmt: skip

    def row(self) -> Row:
        row = Row(
            self.line, self.raw, self.stream, self.key, self.id, self.action, self.fingerprint, self.contact,
            self.drops_key, self.tells_changes,
        )  # fmt: skip
        extras = row.extend()
        extras.was_held, extras.lost_address = True, self.lost_address
        extras.is_of_shared_key = self.is_of_shared_key
        return row


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Held]).decode


class HeldRows:
    """First in, first out."""

    def __init__(self, spool: Spool) -> None:
        """Begin empty."""
        self._spool = spool
        self._kept: deque[Kept] = deque()
        self._last: list[_Held] = []
        self._bytes = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, row: Row) -> None:
        """Add a row that no batch has had.

        Raises:
            SpoolError: it cannot be written.
        """
        held = _Held.of(row)
        self._last.append(held)
        self._bytes += len(held.raw) + len(held.contact.content)
        self._count += 1
        if len(self._last) >= _TOGETHER or self._bytes >= _ENOUGH:
            self._kept += self._spool.keep([EncodedContact("", "", _encode(self._last))], [b""])
            self._last, self._bytes = [], 0

    def take(self) -> list[Row]:
        """The first rows, which are here no longer; none if there are none."""
        if self._kept:
            held = _decode(self._kept.popleft().contact(0).content)
        else:
            held, self._last, self._bytes = self._last, [], 0
        self._count -= len(held)
        return [one.row() for one in held]
