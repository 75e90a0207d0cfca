"""The input's lines, as they came, and the records in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from singer_sdk.exceptions import RecordsWithoutSchemaException

from target_mailing.rows.unreadable import Recovered, is_deep, recovered

__all__ = ["REJECT_COLUMNS", "InputError", "Line", "Lines", "RecordBeforeSchemaError", "record_in"]

#: The columns that a rejects file adds to a record.
REJECT_COLUMNS = ("_reject_code", "_reject_reason", "_reject_job", "_reject_attempt", "_reject_at")


class InputError(Exception):
    """The input is not a whole Singer stream; the message names the line."""


class RecordBeforeSchemaError(InputError, RecordsWithoutSchemaException):
    """A record came before its SCHEMA."""


class _Recorded(msgspec.Struct):
    record: dict[str, Any]


_RECORDED = msgspec.json.Decoder(_Recorded)
#: The highest attempt that is counted: every journal can store it.
_MOST_ATTEMPTS = 2**31 - 1


class Lines:
    """Some consecutive lines of the input."""

    def __init__(self, first: int, each: list[bytes]) -> None:
        """Keep lines of the input.

        Args:
            first: the number of the first line, from 1.
            each: the lines, without their line ends.
        """
        self.first = first
        self.each = each
        self._recovered: tuple[int, Recovered | None] = 0, None

    def record(self, number: int) -> tuple[bytes, int]:
        """The record in the line of this number, as `record_in` returns it."""
        if self._recovered[0] != number:
            return record_in(self.line(number))
        return _original(_kept(self._recovered[1]))

    def line(self, number: int) -> bytes:
        """The line of this number."""
        return self.each[number - self.first]

    def at(self, numbers: Iterable[int]) -> list[bytes]:
        """The lines of these numbers."""
        return [self.each[number - self.first] for number in numbers]

    def recovered(self, number: int) -> Recovered | None:
        """What `unreadable.recovered` reads from the line of this number, which may take seconds."""
        if self._recovered[0] != number:
            self._recovered = number, recovered(self.line(number))
        return self._recovered[1]


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of the input.

    Attributes:
        number: counted from 1.
        lines: the lines among which it is.
    """

    number: int
    lines: Lines

    @property
    def raw(self) -> bytes:
        """The line itself, without its line end."""
        return self.lines.line(self.number)

    def record(self) -> tuple[bytes, int]:
        """Its record, as `Lines.record` returns it."""
        return self.lines.record(self.number)

    def recovered(self) -> Recovered | None:
        """What can be read of it, as `Lines.recovered` returns it."""
        return self.lines.recovered(self.number)


def record_in(line: bytes) -> tuple[bytes, int]:
    """The record in a line, as a rejects file has it, and which attempt this is; a damaged line may take seconds.

    A value that is not valid JSON becomes a string. A record from a rejects file is returned without the columns that
    the file adds.
    """
    try:
        if not is_deep(line):
            return _original(_RECORDED.decode(line).record)
    except msgspec.MsgspecError:
        pass
    return _original(_kept(recovered(line)))


def _kept(partial: Recovered | None) -> dict[str, Any]:
    return {} if partial is None else partial.kept


def _original(record: dict[str, Any]) -> tuple[bytes, int]:
    attempts = record.get("_reject_attempt")
    original = {name: value for name, value in record.items() if name not in REJECT_COLUMNS}
    if isinstance(attempts, bool) or not isinstance(attempts, int) or not 0 < attempts < _MOST_ATTEMPTS:
        attempts = 0
    return msgspec.json.encode(original), 1 + attempts
