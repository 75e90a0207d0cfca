"""A stream's records, decoded and checked against its SCHEMA.

Where the schema says no more than types, which is nearly always, msgspec checks while it decodes. What it does not
accept, and every schema that says more, is left to a JSON Schema validator, so the answer is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NotRequired, TypedDict

import fastjsonschema
import msgspec

from mailing_api.errors import ConfigurationError
from target_mailing.mapping import DELETED_AT, RowRejected
from target_mailing.rejects import REJECT_COLUMNS

__all__ = ["NoRecordError", "RecordReader", "decode_record"]

#: Keywords that constrain nothing, or nothing that is checked here (formats are not).
_WORDS = frozenset({"type", "format", "title", "description", "default", "examples", "$comment", "deprecated"})
_SCALARS: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
    "null": None,
}

_decode = msgspec.json.Decoder().decode


class NoRecordError(Exception):
    """A RECORD message holds no record."""


def decode_record(raw: msgspec.Raw) -> dict[str, Any]:
    """A record as it came.

    Raises:
        NoRecordError: it is no object.
    """
    found = _decode(raw) if bytes(raw) else None
    if not isinstance(found, dict):
        raise NoRecordError
    return found


class RecordReader:
    """Reads the records of one stream."""

    def __init__(self, stream: str, schema: Mapping[str, Any]) -> None:
        """Compile the schema.

        Raises:
            ConfigurationError: it is no valid JSON Schema.
        """
        try:
            self._validate = fastjsonschema.compile(dict(schema), use_formats=False, use_default=False)
        except (
            fastjsonschema.JsonSchemaDefinitionException,
            SyntaxError,
            AttributeError,
            TypeError,
            ValueError,
        ) as exc:
            what = f"its SCHEMA is no valid JSON Schema ({type(exc).__name__})"
            raise ConfigurationError(f"Stream {stream!r}: {what}. Correct it at the tap.") from None
        record_type = _record_type(schema)
        self._read = None if record_type is None else msgspec.json.Decoder(record_type).decode

    def read(self, raw: msgspec.Raw) -> dict[str, Any]:
        """A record; columns that the schema does not have may be left out.

        Raises:
            NoRecordError: it is no object.
            RowRejected: it does not fit the schema. A deleted record need not, for it may hold only its key.
        """
        if self._read is not None:
            try:
                found: dict[str, Any] = self._read(raw)
            except msgspec.DecodeError:
                pass  # below it is known whether, and why
            else:
                return found
        record = decode_record(raw)
        self.check(record)
        return record

    def check(self, record: Mapping[str, Any]) -> None:
        """Check a record that is decoded already.

        Raises:
            RowRejected: as in `read`.
        """
        if record.get(DELETED_AT) is None:
            try:
                self._validate(record)
            except fastjsonschema.JsonSchemaValueException as no:
                raise RowRejected("schema_invalid", str(no.message)) from None


def _record_type(schema: Mapping[str, Any]) -> Any:
    """A type that accepts only records that the schema accepts, or None if there is none."""
    if schema.keys() - _WORDS - {"$schema", "$id", "properties", "required", "additionalProperties"}:
        return None
    if schema.get("additionalProperties", True) is not True or not _is_object(schema.get("type", "object")):
        return None
    columns = {name: _column_type(column) for name, column in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    if any(column is _UNKNOWN for column in columns.values()) or required - columns.keys():
        return None
    columns = dict.fromkeys((DELETED_AT, *REJECT_COLUMNS), Any) | columns
    found = {name: column if name in required else NotRequired[column] for name, column in columns.items()}
    return TypedDict("Record", found)  # type: ignore[operator]


_UNKNOWN = object()


def _column_type(column: Any) -> Any:
    """The type of a column; _UNKNOWN where its schema says more than types."""
    if not isinstance(column, Mapping):
        return _UNKNOWN
    words = column.keys() - _WORDS
    names = column.get("type")
    if names is None:
        return Any if not words else _UNKNOWN
    names = [names] if isinstance(names, str) else names
    if words == {"enum"}:
        values = column["enum"]
        fitting = all(isinstance(one, str) or one is None for one in values)
        return Literal[tuple(values)] if fitting and {"string", "null"} >= set(names) else _UNKNOWN
    options = [_option(name, column, words) for name in names]
    if not options or any(option is _UNKNOWN for option in options):
        return _UNKNOWN
    found = options[0]
    for option in options[1:]:
        found = found | option
    return found


def _option(name: str, column: Mapping[str, Any], words: Iterable[str]) -> Any:
    left = set(words)
    if name in _SCALARS and not left - {"items", "additionalProperties"}:
        return _SCALARS[name]
    if name == "array" and not left - {"items", "additionalProperties"}:
        items = _column_type(column.get("items", {}))
        return _UNKNOWN if items is _UNKNOWN else list.__class_getitem__(items)
    if name == "object" and not left - {"items", "additionalProperties"}:
        values = column.get("additionalProperties", True)
        inner = Any if values is True else _column_type(values)
        return _UNKNOWN if inner is _UNKNOWN else dict.__class_getitem__((str, inner))
    return _UNKNOWN


def _is_object(names: Any) -> bool:
    return "object" in ([names] if isinstance(names, str) else names)
