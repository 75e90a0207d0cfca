"""Singer messages, decoded from the input's lines: many at once where they are alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from target_mailing.lines import InputError, Lines, RecordBeforeSchemaError
from target_mailing.unreadable import decode, defect, is_deep, is_legible

__all__ = [
    "DamagedRecord",
    "Message",
    "MessageDecoder",
    "before_schema",
    "bookmarks",
    "check_name",
    "key_columns",
    "parse",
    "parse_record",
    "schema_value",
    "state_value",
    "unsupported",
]

#: A type that may be shown; other texts may be anything, an address too.
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


def _message_type(record_type: Any) -> type[Message]:
    """The type of messages whose `record`, if there is one, is of this type."""
    return cast(
        "type[Message]", msgspec.defstruct("Message", [("record", record_type, None)], bases=(Message,), gc=False)
    )


_UNTYPED = msgspec.json.Decoder(_message_type(msgspec.Raw))


class DamagedRecord(Message):
    """A RECORD message of which some is no JSON.

    Attributes:
        reason: the columns that are none, and what is wrong with them; for the rejects file.
        columns: what of the record is JSON.
        damaged: the columns that are not.
        is_whole: whether the names of all columns are known; if not, any may be among what is no JSON.
    """

    reason: str = ""
    columns: Mapping[str, Any] = {}
    damaged: frozenset[str] = frozenset()
    is_whole: bool = False


def parse(number: int, lines: Lines) -> Message:
    """The message in the line of this number, its record raw; a DamagedRecord where that is no JSON.

    Raises:
        InputError: it is none. The line is not quoted, for it may hold addresses.
    """
    line = lines.line(number)
    try:
        found = None if is_deep(line) else _UNTYPED.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        found = None
    return found or _damaged(number, lines)


def parse_record(number: int, lines: Lines) -> dict[str, Any] | DamagedRecord:
    """The record in the line of this number; a DamagedRecord where that is no JSON.

    Raises:
        InputError: the message has none.
    """
    message = parse(number, lines)
    if isinstance(message, DamagedRecord):
        return message
    if message.record is None:
        raise InputError(f"Line {number} of the input is a RECORD without a record. Correct the tap.")
    try:
        record = msgspec.json.decode(message.record)
    except msgspec.MsgspecError:
        return _damaged(number, lines)
    if not isinstance(record, dict):
        reason = f"line {number} of the input: its record is not an object but {_kind(record)}"
        return DamagedRecord("RECORD", message.stream, reason=reason)
    return record


def _damaged(number: int, lines: Lines) -> DamagedRecord:
    found = lines.recovered(number)
    if found is None:
        raise InputError(
            f"Line {number} of the input is no Singer message: {defect(lines.line(number))}. Check what the tap writes "
            "to its standard output."
        )
    reason = f"line {number} of the input: {found.reason}"
    columns = {name: value for name, value in found.record.items() if name not in found.damaged}
    return DamagedRecord(
        "RECORD", found.stream, reason=reason, columns=columns, damaged=found.damaged, is_whole=found.is_whole
    )


def state_value(number: int, message: Message) -> bytes:
    """The value of a STATE message, as it came.

    Raises:
        InputError: it has none, or one that is no object.
    """
    value = bytes(message.value)
    if not value:
        raise InputError(f"Line {number} of the input is a STATE without a value.")
    try:
        found = decode(value)
    except ValueError:
        raise InputError(f"Line {number} of the input is a STATE that cannot be read: {defect(value)}.") from None
    if not isinstance(found, dict):
        raise InputError(
            f"Line {number} of the input is a STATE whose value is not an object but {_kind(found)}. Check the tap."
        )
    return value


def schema_value(number: int, message: Message) -> dict[str, Any]:
    """The schema of a SCHEMA message.

    Raises:
        InputError: it has none with properties.
    """
    raw = bytes(message.schema)
    try:
        schema = decode(raw) if raw else None
    except ValueError:
        raise InputError(f"{_schema_at(number, message)} that cannot be read: {defect(raw)}.") from None
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        raise InputError(f"{_schema_at(number, message)} without properties. Correct the tap, or leave the stream out.")
    return schema


def check_name(number: int, message: Message) -> None:
    """See whether the name of a SCHEMA message's stream can be kept with its rejects, wherever the journal is.

    Raises:
        InputError: it cannot.
    """
    if "\0" in message.stream:
        raise InputError(
            f"{_schema_at(number, message)}, whose name holds a NUL character, which databases do not take. Rename the "
            "stream at the tap."
        )


def key_columns(number: int, message: Message) -> list[str]:
    """The key columns of a SCHEMA message.

    Raises:
        InputError: something else stands for them.
    """
    keys = message.key_properties
    if keys is None:
        return []
    if not isinstance(keys, list) or not all(isinstance(name, str) for name in keys):
        raise InputError(
            f"{_schema_at(number, message)} whose `key_properties` is not an array of column names. Correct the tap."
        )
    return keys


def _schema_at(number: int, message: Message) -> str:
    return f"Line {number} of the input is a SCHEMA of stream {message.stream!r}"


def bookmarks(message: Message) -> list[str]:
    """The columns by which the stream of a SCHEMA message is replicated, as far as it tells."""
    found = message.bookmark_properties
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def before_schema(number: int, stream: str) -> RecordBeforeSchemaError:
    """What to say of a record whose stream has no SCHEMA yet."""
    return RecordBeforeSchemaError(
        f"Line {number} of the input is a record of stream {stream!r}, whose SCHEMA has not come. Correct the tap."
    )


def unsupported(number: int, message: Message) -> InputError:
    """What to say of a message of another type."""
    if message.type == "BATCH":
        return InputError(
            f"Line {number} of the input has the type 'BATCH', which is not supported. Make the tap write records: "
            "remove `batch_config` from its settings."
        )
    if not _TYPE.fullmatch(message.type):
        return InputError(f"Line {number} of the input has a `type` that Singer does not have. Correct the tap.")
    return InputError(f"Line {number} of the input has the type {message.type!r}, which is not supported.")


def _kind(value: Any) -> str:
    kinds = {str: "a text", bool: "true or false", list: "an array", type(None): "null"}
    return kinds.get(type(value), "a number")


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
            return list(map(self._decoder.decode, lines.each)) if all(map(is_legible, lines.each)) else None
        except (msgspec.MsgspecError, RecursionError):
            return None

    def one(self, line: bytes) -> Message | None:
        """The message of a line with its record; None where it is none, or its record does not fit."""
        try:
            found = self._decoder.decode(line) if is_legible(line) else None
        except (msgspec.MsgspecError, RecursionError):
            return None
        return None if found is None or found.record is None else found
