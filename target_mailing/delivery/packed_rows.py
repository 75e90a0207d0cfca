"""The rows of a batch whose job is followed, in little memory; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final, overload

import msgspec

from target_mailing.contacts.contact import EncodedContact
from target_mailing.rows.row import Row, by_place
from target_mailing.rows.spool import Kept

__all__ = ["PackedRows"]

#: What is packed of the usual row, which has no extras.
_FIELDS: Final = tuple(name for name in Row.__struct_fields__ if name not in {"held", "extras"})
_COLUMNS: Final = tuple(map(attrgetter, _FIELDS))
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[list[Any]]).decode


class PackedRows(Sequence[Row]):
    """Rows that wait for their job: one document has all columns of them, and rows are made when one is looked at.

    For the thread that owns the rows, except `made`.
    """

    def __init__(self, rows: Sequence[Row], *, unusual: Collection[int]) -> None:
        """Pack rows on disk.

        Args:
            rows: which others forget now, except the unusual ones.
            unusual: the positions of those that stay as they are: they have extras, or others know them.
        """
        self._count = len(rows)
        self._unusual = {at: rows[at] for at in unusual}
        self._places = [(held, len(positions)) for held, positions in by_place(rows)]
        self._columns = _encode([_column([*map(column, rows)]) for column in _COLUMNS])
        self._rows: list[Row] | None = None
        #: Called when the rows were unpacked.
        self.unpacked: Callable[[PackedRows], None] | None = None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        return iter(self._unpacked())

    @overload
    def __getitem__(self, at: int) -> Row: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...

    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        return self._unpacked()[at]

    def made(self) -> list[Row]:
        """Rows like these, but for the unusual ones, which are the same; for any thread."""
        columns = self._columns
        if self._rows is not None:
            return [*self._rows]
        held: list[EncodedContact | Kept] = []
        for place, count in self._places:
            held.extend([place] * count)
        each = [values if len(values) > 1 else values * self._count for values in _decode(columns)]
        fields = {**dict(zip(_FIELDS, each, strict=True)), "held": held, "extras": [None] * self._count}
        rows = [*map(Row, *(fields[name] for name in Row.__struct_fields__))]
        for at, row in self._unusual.items():
            rows[at] = row
        return rows

    def usual(self) -> list[Row]:
        """The rows that were packed."""
        rows = self._unpacked()
        return [row for at, row in enumerate(rows) if at not in self._unusual] if self._unusual else rows

    def _unpacked(self) -> list[Row]:
        """The rows, the same ones each time."""
        if self._rows is None:
            self._rows = self.made()
            self._columns = b""  # `made` has them already, or finds the rows
            if self.unpacked is not None:
                self.unpacked(self)
        return self._rows


def _column(values: list[Any]) -> list[Any]:
    """The values of a column; only one if all are alike."""
    return values[:1] if values.count(values[0]) == len(values) else values
