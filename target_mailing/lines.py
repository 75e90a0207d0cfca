"""The input's lines, kept as they came until all of their rows have ended."""

from __future__ import annotations

from typing import Any

import msgspec
from singer_sdk.exceptions import RecordsWithoutSchemaException

from target_mailing.unreadable import Recovered, is_deep, recovered

__all__ = ["REJECT_COLUMNS", "InputError", "Lines", "RecordBeforeSchemaError"]

#: What a rejects file adds to a record.
REJECT_COLUMNS = ("_reject_code", "_reject_reason", "_reject_job", "_reject_attempt", "_reject_at")


class InputError(Exception):
    """The input is not a whole Singer stream; the message names the line."""


class RecordBeforeSchemaError(InputError, RecordsWithoutSchemaException):
    """A record came before its SCHEMA."""


class _Recorded(msgspec.Struct):
    record: dict[str, Any]


_RECORDED = msgspec.json.Decoder(_Recorded)
#: Attempts that are counted: an integer of any journal.
_MOST_ATTEMPTS = 2**31 - 1


class Lines:
    """Some lines of the input, as one piece."""

    def __init__(self, first: int, each: list[bytes]) -> None:
        """Take a piece of the input.

        Args:
            first: the number of its first line, from 1.
            each: the lines, without their line ends.
        """
        self.first = first
        self.each = each
        self._recovered: tuple[int, Recovered | None] = 0, None

    def __contains__(self, number: int) -> bool:
        """Whether the line of this number is here."""
        return 0 <= number - self.first < len(self.each)

    def record(self, number: int) -> tuple[bytes, int]:
        """The record in the line of this number, and which attempt this is.

        A record that comes from a rejects file is given as it was before, without the columns that the file adds.
        """
        record = self._record(number)
        attempts = record.get("_reject_attempt")
        kept = {name: value for name, value in record.items() if name not in REJECT_COLUMNS}
        if isinstance(attempts, bool) or not isinstance(attempts, int) or not 0 < attempts < _MOST_ATTEMPTS:
            attempts = 0
        return msgspec.json.encode(kept), 1 + attempts

    def line(self, number: int) -> bytes:
        """The line of this number."""
        return self.each[number - self.first]

    def recovered(self, number: int) -> Recovered | None:
        """What can be told of the line of this number as `unreadable.recovered` tells it, which may take seconds."""
        if self._recovered[0] != number:
            self._recovered = number, recovered(self.line(number))
        return self._recovered[1]

    def _record(self, number: int) -> dict[str, Any]:
        """The record in a line, as a rejects file has it; what of it is no JSON stands as text."""
        if self._recovered[0] != number:
            line = self.line(number)
            try:
                if not is_deep(line):
                    return _RECORDED.decode(line).record
            except msgspec.MsgspecError:
                pass
        found = self.recovered(number)
        return {} if found is None else found.kept
