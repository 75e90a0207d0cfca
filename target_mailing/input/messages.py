"""Singer messages, decoded from the input's lines: many at once where they are alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, cast

import msgspec

from target_mailing.rows.lines import InputError, Line, RecordBeforeSchemaError
from target_mailing.rows.unreadable import decode, defect, is_deep, is_legible

__all__ = [
    "BLANK",
    "DamagedRecord",
    "Message",
    "MessageDecoder",
    "before_schema",
    "optional_value",
    "parse",
    "parse_record",
    "plain",
    "state_value",
    "unsupported",
]

#: A type that may be shown; other strings may be anything, even an address.
_TYPE = re.compile(r"[A-Z_]{1,32}")


class Message(msgspec.Struct, gc=False):
    """A Singer message, its payload not decoded yet."""

    type: str
    stream: str = ""
    record: Any = None
    schema: msgspec.Raw = msgspec.Raw(b"")
    value: msgspec.Raw = msgspec.Raw(b"")
    key_properties: Any = None
    bookmark_properties: Any = None
    version: Any = None
    end_of_stream: msgspec.Raw = msgspec.Raw(b"")


def _message_type(record_type: Any) -> type[Message]:
    """The type of messages whose `record`, if there is one, is of this type."""
    return cast(
        "type[Message]", msgspec.defstruct("Message", [("record", record_type, None)], bases=(Message,), gc=False)
    )


_UNTYPED = msgspec.json.Decoder(_message_type(msgspec.Raw))


#: What stands for a line without a message.
BLANK: Final = Message("")


class DamagedRecord(Message):
    """A RECORD message that is not valid JSON, or whose record is no object.

    Attributes:
        reason: the damaged columns and their defects; for the rejects file.
        columns: the columns that can be read.
        damaged: the names of the columns that cannot.
        is_whole: the names of all columns are known; if not, any column may be among the damaged ones.
    """

    reason: str = ""
    columns: Mapping[str, Any] = {}
    damaged: frozenset[str] = frozenset()
    is_whole: bool = False


def parse(line: Line) -> Message:
    """The message in a line, its record raw; a DamagedRecord where the record is not valid JSON.

    Raises:
        InputError: it is no Singer message. The line is not quoted, since it may hold addresses.
    """
    raw = line.raw
    try:
        return _damaged(line) if is_deep(raw) else _UNTYPED.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return _damaged(line)


def parse_record(line: Line) -> dict[str, Any] | DamagedRecord:
    """The record in a line; a DamagedRecord where it is not valid JSON, or no object.

    Raises:
        InputError: the message has no record.
    """
    message = parse(line)
    if isinstance(message, DamagedRecord):
        return message
    if message.record is None:
        raise InputError(f"Line {line.number} of the input is a RECORD without a record. Fix the tap.")
    try:
        record = msgspec.json.decode(message.record)
    except msgspec.MsgspecError:
        return _damaged(line)
    if not isinstance(record, dict):
        reason = f"line {line.number} of the input: its record is not an object but {_kind(record)}"
        return DamagedRecord("RECORD", message.stream, reason=reason)
    return record


def _damaged(line: Line) -> DamagedRecord:
    recovered = line.recovered()
    if recovered is None:
        is_other_file = line.number == 1 and line.raw.lstrip()[:1] not in {b"{", b"["}
        raise InputError(
            f"Line {line.number} of the input is not a Singer message: {defect(line.raw)}. Check what the tap writes "
            f"to standard output{'; a CSV file must be read by a tap first' if is_other_file else ''}."
        )
    columns = {name: value for name, value in recovered.record.items() if name not in recovered.damaged}
    return DamagedRecord(
        "RECORD",
        recovered.stream,
        reason=f"line {line.number} of the input: {recovered.reason}",
        columns=columns,
        damaged=recovered.damaged,
        is_whole=recovered.is_whole,
    )


def state_value(number: int, message: Message) -> bytes:
    """The value of a STATE message, as it came, but for carriage returns: readers of text take one for a line's end.

    Raises:
        InputError: it has none, or one that is no object.
    """
    raw = bytes(message.value)
    where = f"Line {number} of the input is a STATE"
    if not raw:
        raise InputError(f"{where} without a value. Fix the tap.")
    try:
        value = decode(raw)
    except ValueError:
        raise InputError(f"{where} that cannot be read: {defect(raw)}. Fix the tap's output.") from None
    if not isinstance(value, dict):
        raise InputError(f"{where} whose value is not an object but {_kind(value)}. Fix the tap.")
    return raw.replace(b"\r", b" ")  # in JSON, it stands between two tokens or nowhere


def optional_value(raw: msgspec.Raw) -> Any:
    """What a message may hold, decoded; None where it does not, or cannot be read."""
    try:
        return decode(bytes(raw)) if bytes(raw) else None
    except ValueError:
        return None


def plain(schema: Message) -> dict[str, Any]:
    """A SCHEMA message as it came, but for what is not used of it."""
    return {
        "type": "SCHEMA",
        "stream": schema.stream,
        "schema": schema.schema,
        "key_properties": schema.key_properties,
        "bookmark_properties": schema.bookmark_properties,
    }


def before_schema(number: int, stream: str) -> RecordBeforeSchemaError:
    """The error for a record whose stream has no SCHEMA yet."""
    return RecordBeforeSchemaError(
        f"Line {number} of the input is a record of stream {stream!r}, but no SCHEMA of that stream came before it. "
        "Fix the tap, or include the SCHEMA line if this is part of a longer input."
    )


def unsupported(number: int, message: Message) -> InputError:
    """The error for a message of another type."""
    if message.type == "BATCH":
        return InputError(
            f"Line {number} of the input has the type 'BATCH', which is not supported. Make the tap write records: "
            "remove `batch_config` from its settings."
        )
    if not _TYPE.fullmatch(message.type):
        return InputError(f"Line {number} of the input has a `type` that is not a Singer message type. Fix the tap.")
    return InputError(
        f"Line {number} of the input has the type {message.type!r}, which is not supported. Supported are SCHEMA, "
        "RECORD and STATE."
    )


def _kind(value: Any) -> str:
    kinds = {str: "a string", bool: "true or false", list: "an array", type(None): "null"}
    return kinds.get(type(value), "a number")


class MessageDecoder:
    """Decodes messages whose records have one type."""

    def __init__(self, record_type: type) -> None:
        """Compile a decoder; `record_type` is the type that msgspec decodes a record to."""
        #: The type of the messages: a struct of its own for each type of record.
        self.message_type = _message_type(record_type)
        self._decoder = msgspec.json.Decoder(self.message_type)

    def leading(self, lines: Iterator[bytes]) -> list[Message]:
        """The messages of legible lines up to the first that is not such a message; that line is taken, too."""
        messages: list[Message] = []
        with suppress(msgspec.MsgspecError, RecursionError):
            messages.extend(map(self._decoder.decode, lines))  # keeps those before an error
        return messages

    def one(self, raw: bytes) -> Message | None:
        """The message of a line with its record; None where it is not such a message."""
        try:
            message = self._decoder.decode(raw) if is_legible(raw) else None
        except (msgspec.MsgspecError, RecursionError):
            return None
        return None if message is None or message.record is None else message
