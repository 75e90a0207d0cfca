"""The columns of a stream's rows: many values converted at once, and the rows that are rejected for one; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import NoneType
from typing import Any, Final, Self

import msgspec
from msgspec import UNSET, UnsetType

from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import UNFIT, BulkConverter, Converter, RowRejected, wrong_type

__all__ = ["Column", "Rows", "Values"]

#: A row's values of the columns that its mapping needs, in their order.
Values = tuple[Any, ...]

#: Values that are converted together, once not all of a larger number can be.
_FEW: Final = 64
#: Types of which equal values are the same value.
_OF_WORDS: Final = frozenset({str, bool, NoneType, UnsetType})


class Column(msgspec.Struct, frozen=True):
    """A column that is read.

    Attributes:
        at: the position of its values among those of a row.
        source: its name in the stream.
        name: the destination's name for it.
        convert: converts a value; it may raise RowRejected, too.
        convert_all: its bulk form, see `Field`.
        is_required: a null is converted, too; else it stays.
    """

    at: int
    source: str
    name: str
    convert: Converter
    convert_all: BulkConverter | None = None
    is_required: bool = False

    def value(self, values: Values) -> Any:
        """A row's value, converted.

        Raises:
            RowRejected: it cannot be.
        """
        result = self._result(values[self.at])
        if isinstance(result, RowRejected):
            raise result
        return result

    def in_bulk(self, values: Sequence[Any]) -> Sequence[Any] | None:
        """Many values converted at once; None where that cannot be."""
        return None if self.convert_all is None else self.convert_all(values)

    def in_pieces(self, values: Sequence[Any]) -> Sequence[Any]:
        """Many values converted a few at once or one by one, or the rejection of each that cannot be."""
        known: dict[Any, Any] = {}
        if self.convert_all is None or len(values) <= _FEW:
            return self._one_by_one(values, known)
        results: list[Any] = []
        for begin in range(0, len(values), _FEW):
            piece = values[begin : begin + _FEW]
            converted = self.convert_all(piece)
            results += self._one_by_one(piece, known) if converted is None else converted
        return results

    def _one_by_one(self, values: Sequence[Any], known: dict[Any, Any]) -> Sequence[Any]:
        """The results for these values; `known` has those of earlier ones, since each word is converted once."""
        if not {*map(type, values)} <= _OF_WORDS:
            return [*map(self._result, values)]
        known.update((value, self._result(value)) for value in {*values} - known.keys())
        return [*map(known.__getitem__, values)]

    def _result(self, value: Any) -> Any:
        if value is UNSET or (value is None and not self.is_required):
            return value
        try:
            return self.convert(value)
        except RowRejected as no:
            return no
        except UNFIT as exc:
            return wrong_type(f"column {self.source}", value, exc)


class Rows:
    """Rows of a stream.

    Attributes:
        rejected: by a row's position the rejection for the first of its values that was read and does not fit.
    """

    def __init__(self, columns: Sequence[Sequence[Any]], count: int) -> None:
        """Take the columns, each of so many values; there may be none where there are no rows."""
        self.rejected: dict[int, RowRejected] = {}
        self._columns = columns
        self._count = count

    @classmethod
    def of(cls, rows: Sequence[Values]) -> Self:
        """The rows with these values."""
        return cls([*zip(*rows, strict=True)], len(rows))

    def read(self, column: Column | None) -> Sequence[Any]:
        """A column's values, converted; None for one that does not fit, whose row is rejected.

        Without a column all are None.
        """
        values, rejected = self._read(column)
        if rejected:
            self.rejected = rejected | self.rejected
        return values

    def readable(self, column: Column | None) -> Sequence[Any]:
        """A column's values, converted; None for one that does not fit."""
        return self._read(column)[0]

    def _read(self, column: Column | None) -> tuple[Sequence[Any], dict[int, RowRejected]]:
        if column is None or not self._count:
            return [None] * self._count, {}
        values = self._columns[column.at]
        if (converted := column.in_bulk(values)) is not None:
            return converted, {}
        results = column.in_pieces(values)
        rejected = {at: result for at, result in enumerate(results) if isinstance(result, RowRejected)}
        if rejected:
            results = [None if at in rejected else result for at, result in enumerate(results)]
        return results, rejected

    def by_name(self, columns: Sequence[Column], *, keep_nulls: bool = False) -> list[dict[str, Any]]:
        """For each row its values of these columns by their names, as `read` returns them, without absent ones.

        Args:
            columns: to read.
            keep_nulls: only UNSET is absent; else a null is absent, too.
        """
        absent = UNSET if keep_nulls else None
        named: list[dict[str, Any]] = [{} for _ in range(self._count)]
        for column in columns:
            name = column.name
            for row, value in zip(named, self.read(column), strict=True):
                if value is not absent:
                    row[name] = value
        return named

    def or_rejected(self, contacts: Iterable[MappedContact | RowRejected]) -> list[MappedContact | RowRejected]:
        """The contacts of the rows, or their rejections."""
        results = [*contacts]
        for at, no in self.rejected.items():
            results[at] = no
        return results
