"""Singer messages, decoded from the input's lines: many at once where they are alike."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from target_mailing.lines import InputError, Lines

__all__ = ["Message", "MessageDecoder", "parse"]


class Message(msgspec.Struct, gc=False):
    """A Singer message, its payload not decoded yet."""

    type: str
    stream: str = ""
    record: Any = None
    schema: msgspec.Raw = msgspec.Raw(b"")
    value: msgspec.Raw = msgspec.Raw(b"")
    key_properties: list[str] | None = None


def _message_type(record_type: Any) -> type[Message]:
    """The type of messages whose `record`, if there is one, is of this type."""
    return cast(
        "type[Message]", msgspec.defstruct("Message", [("record", record_type, None)], bases=(Message,), gc=False)
    )


_UNTYPED = msgspec.json.Decoder(_message_type(msgspec.Raw))


def parse(number: int, line: bytes) -> Message:
    """The message in a line, its record raw.

    Raises:
        InputError: it is none. The line is not quoted, for it may hold addresses.
    """
    try:
        return _UNTYPED.decode(line)
    except msgspec.MsgspecError:
        raise InputError(
            f"Line {number} of the input is no Singer message. Check what the tap writes to its standard output."
        ) from None


class MessageDecoder:
    """Decodes messages whose records have one type."""

    def __init__(self, record_type: type) -> None:
        """Compile a decoder; `record_type` is what msgspec makes of a record."""
        #: The type of the messages: a struct of its own for each type of record.
        self.message_type = _message_type(record_type)
        self._decoder = msgspec.json.Decoder(self.message_type)

    def all(self, lines: Lines) -> list[Message] | None:
        """The messages of these lines, one each; None where that is not so, or a record does not fit."""
        try:
            return list(map(self._decoder.decode, lines.each))
        except msgspec.MsgspecError:
            return None

    def one(self, line: bytes) -> Message | None:
        """The message of a line with its record; None where it is none, or its record does not fit."""
        try:
            found = self._decoder.decode(line)
        except msgspec.MsgspecError:
            return None
        return None if found.record is None else found
