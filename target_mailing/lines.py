"""The input's lines, kept as they came until all of their rows have ended."""

from __future__ import annotations

import msgspec

__all__ = ["REJECT_COLUMNS", "InputError", "Lines"]

#: What a rejects file adds to a record.
REJECT_COLUMNS = ("_reject_code", "_reject_reason", "_reject_job", "_reject_attempt", "_reject_at")


class InputError(Exception):
    """The input is not a whole Singer stream; the message names the line."""


class _Recorded(msgspec.Struct):
    record: msgspec.Raw


_RECORDED = msgspec.json.Decoder(_Recorded)


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

    def record(self, number: int) -> tuple[bytes, int]:
        """The record in the line of this number, and which attempt this is.

        A record that comes from a rejects file is given as it was before, without the columns that the file adds.
        """
        raw = bytes(_RECORDED.decode(self.each[number - self.first]).record)
        if b'"_reject_' not in raw:
            return raw, 1
        record = msgspec.json.decode(raw)
        attempts = record.get("_reject_attempt")
        kept = {name: value for name, value in record.items() if name not in REJECT_COLUMNS}
        return msgspec.json.encode(kept), 1 + (attempts if isinstance(attempts, int) else 0)
