"""Declarations of a stream's columns: name, type, and the conversion from the provider's rows.

A column is filled for a whole page at a time. Most columns of a page hold values of one type, which is checked once;
only the other columns are converted value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from types import NoneType
from typing import Any

import msgspec

from mailing_api import values
from mailing_api.errors import UnreadableAnswer
from tap_mailing.records import bulk

__all__ = [
    "FLAG",
    "TEXT",
    "TIMESTAMP",
    "Column",
    "Row",
    "boolean",
    "computed",
    "constant",
    "epoch",
    "flat_properties",
    "full_name",
    "identifier",
    "integer",
    "json_text",
    "mapping",
    "moment",
    "number",
    "objects",
    "reading",
    "text",
    "text_array",
    "text_mapping",
    "timestamp",
]

TEXT: dict[str, Any] = {"type": ["string", "null"]}
FLAG: dict[str, Any] = {"type": ["boolean", "null"]}
TIMESTAMP: dict[str, Any] = {"type": ["string", "null"], "format": "date-time"}

Row = dict[str, Any]
Convert = Callable[[Sequence[Any]], Sequence[Any]]

#: Exceptions of a converter that cannot read a value.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)


@contextmanager
def reading(stream: str, fields: str) -> Iterator[None]:
    """Raise UnreadableAnswer with the stream and the fields where code inside fails on a value of these fields."""
    try:
        yield
    except _UNREADABLE:
        raise UnreadableAnswer(
            f"Stream {stream}: the provider's response has a value of an undocumented type in {fields}."
        ) from None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column.

    Attributes:
        name: snake_case.
        schema: JSON Schema of its values.
        fields: the provider's fields that it is made from; empty for a constant.
        fill: returns the column's values for a page of the provider's rows.
    """

    name: str
    schema: dict[str, Any]
    fields: tuple[str, ...]
    fill: Callable[[Sequence[Row]], Sequence[Any]]

    def read(self, rows: Sequence[Row], stream: str) -> Sequence[Any]:
        """The column's values for a page of the provider's rows.

        Raises:
            UnreadableAnswer: names the stream and the field, never the value.
        """
        try:
            return self.fill(rows)
        except _UNREADABLE:
            fields = ", ".join(self.fields)
            raise UnreadableAnswer(
                f"Stream {stream}: field {fields} has a value that does not fit column `{self.name}`."
            ) from None


def text(name: str, field: str) -> Column:
    """A string; an empty string becomes null."""
    return _column(name, field, TEXT, _texts)


def text_array(name: str, field: str, *, unset: list[str] | None = None) -> Column:
    """An array of strings, without null and empty strings; `unset` if the field is missing."""

    def convert(array: Any) -> list[str] | None:
        if array is None:
            return unset
        if not isinstance(array, list):
            raise TypeError("not an array")
        return [string for string in map(values.text, array) if string is not None]

    return _column(name, field, {"type": ["array", "null"], "items": {"type": "string"}}, _each(convert))


def identifier(name: str, field: str) -> Column:
    """A key, as a string; not nullable."""
    return _column(name, field, {"type": "string"}, _identifiers)


def integer(name: str, field: str) -> Column:
    """A whole number of any size."""
    return _column(name, field, {"type": ["integer", "null"]}, _integers)


def number(name: str, field: str) -> Column:
    """A number."""
    return _column(name, field, {"type": ["number", "null"]}, _each(values.number))


def boolean(name: str, field: str) -> Column:
    """A flag."""
    return _column(name, field, FLAG, _booleans)


def timestamp(name: str, field: str) -> Column:
    """A date-time from a string."""
    return _column(name, field, TIMESTAMP, _timestamps)


def epoch(name: str, field: str) -> Column:
    """A date-time from Unix seconds."""
    return _column(name, field, TIMESTAMP, _moments(values.epoch))


def moment(name: str, field: str) -> Column:
    """A date-time from Unix seconds with a fraction, or from a string."""
    return _column(name, field, TIMESTAMP, _moments(values.moment))


def json_text(name: str, field: str) -> Column:
    """A value whose type the provider does not document: a string unchanged, any other value as JSON."""
    return _column(name, field, TEXT, _each(_as_json))


def mapping(name: str, field: str) -> Column:
    """An object with any keys, unchanged."""
    return _column(name, field, {"type": ["object", "null"], "additionalProperties": True}, _objects)


def text_mapping(name: str, field: str) -> Column:
    """An object with any keys and values that are strings."""

    def convert(value: Any) -> Row | None:
        members = _as_object(value)
        return members and {key: values.text(member) for key, member in members.items()}

    schema = {"type": ["object", "null"], "additionalProperties": TEXT}
    return _column(name, field, schema, _each(convert))


def objects(name: str, field: str, shape: Mapping[str, Mapping[str, Any]]) -> Column:
    """An array of objects with these members; an empty array if the field is missing.

    Args:
        name: snake_case.
        field: the provider's.
        shape: the members, each with its JSON Schema: TEXT, FLAG or TIMESTAMP.
    """

    def convert(array: Any) -> list[Row]:
        return [{key: _member(item.get(key), schema) for key, schema in shape.items()} for item in array or ()]

    items = {"type": "object", "properties": dict(shape)}
    return _column(name, field, {"type": ["array", "null"], "items": items}, _each(convert))


def computed(
    name: str, fields: Sequence[str], function: Callable[[Row], Any], schema: dict[str, Any] | None = None
) -> Column:
    """A column that a function computes from the whole row.

    Args:
        name: snake_case.
        fields: the provider's fields that the function reads.
        function: returns the value.
        schema: JSON Schema of the values; not needed for a column of the stream's kind, which defines it.
    """
    return Column(name=name, schema=schema or {}, fields=tuple(fields), fill=_each(function))


def full_name(name: str, first: str, last: str) -> Column:
    """First and last name as one string."""

    def joined(row: Row) -> str | None:
        return " ".join(filter(None, (values.text(row.get(first)), values.text(row.get(last))))) or None

    return computed(name, (first, last), joined)


def constant(name: str, schema: dict[str, Any], value: Any) -> Column:
    """The same value in every row."""
    return Column(name=name, schema=schema, fields=(), fill=lambda rows: [value] * len(rows))


def flat_properties(members: Mapping[str, Any]) -> Row:
    """The account's own fields as column `properties` holds them: arrays and objects as JSON."""
    return {
        name: msgspec.json.encode(value).decode() if isinstance(value, (dict, list)) else value
        for name, value in members.items()
    }


def _column(name: str, field: str, schema: dict[str, Any], convert: Convert) -> Column:
    def fill(rows: Sequence[Row]) -> Sequence[Any]:
        try:
            page: Sequence[Any] = list(map(itemgetter(field), rows))
        except KeyError:
            page = [row.get(field) for row in rows]
        return convert(page)

    return Column(name=name, schema=schema, fields=(field,), fill=fill)


def _each(convert: Callable[[Any], Any]) -> Convert:
    return lambda page: list(map(convert, page))


def _timestamps(page: Sequence[Any]) -> Sequence[Any]:
    found = bulk.timestamps(page)
    return list(map(values.timestamp, page)) if found is None else found


def _moments(convert: Callable[[Any], Any]) -> Convert:
    # Most date columns of a page are empty.
    return lambda page: list(map(convert, page)) if any(page) else [None] * len(page)


def _texts(page: Sequence[Any]) -> Sequence[Any]:
    if set(map(type, page)) == {str}:
        return page if all(page) else [value or None for value in page]
    return list(map(values.text, page))


def _identifiers(page: Sequence[Any]) -> Sequence[Any]:
    if set(map(type, page)) == {int}:
        return list(map(str, page))
    keys = _texts(page)
    if None in keys:
        raise ValueError("a row without its key")
    return keys


def _integers(page: Sequence[Any]) -> Sequence[Any]:
    return page if set(map(type, page)) == {int} else list(map(values.integer, page))


def _booleans(page: Sequence[Any]) -> Sequence[Any]:
    return page if set(map(type, page)) == {bool} else list(map(values.boolean, page))


def _objects(page: Sequence[Any]) -> Sequence[Any]:
    return page if set(map(type, page)) <= {dict, NoneType} else list(map(_as_object, page))


def _as_object(value: Any) -> Any:
    if value is not None and not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _member(value: Any, schema: Mapping[str, Any]) -> Any:
    if schema.get("format") == "date-time":
        return values.timestamp(value)
    return values.boolean(value) if "boolean" in schema["type"] else values.text(value)


def _as_json(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    return msgspec.json.encode(value).decode()
