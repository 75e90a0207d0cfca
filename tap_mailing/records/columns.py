"""A stream's columns as declarations: what they are called, their type, and how a page of rows fills them.

A column is filled for a whole page at a time. Most columns of most pages hold one plain type, which takes one look
to see; only the others are converted value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

import msgspec

from mailing_api import values
from mailing_api.errors import UnreadableAnswer

__all__ = [
    "TIMESTAMP",
    "Column",
    "Row",
    "boolean",
    "computed",
    "constant",
    "epoch",
    "identifier",
    "integer",
    "json_text",
    "mapping",
    "moment",
    "number",
    "objects",
    "reading",
    "text",
    "text_mapping",
    "texts",
    "timestamp",
]

Row = dict[str, Any]
Convert = Callable[[Sequence[Any]], Sequence[Any]]

#: What a converter raises on a value that it cannot read.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)


@contextmanager
def reading(stream: str, fields: str) -> Iterator[None]:
    """Raise UnreadableAnswer, which names the stream and the fields, where one of these holds what cannot be read."""
    try:
        yield
    except _UNREADABLE:
        raise UnreadableAnswer(
            f"Stream {stream}: an answer has a value of another kind than documented in {fields}."
        ) from None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column.

    Attributes:
        name: snake_case.
        schema: JSON Schema of its values.
        fields: the provider's fields it is made of; empty for a constant.
        fill: makes the column's values of a page of the provider's rows.
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
                f"Stream {stream}: field {fields} holds a value that column `{self.name}` cannot hold."
            ) from None


def text(name: str, field: str) -> Column:
    """A text; unset is null."""
    return _column(name, field, {"type": ["string", "null"]}, _texts)


def texts(name: str, field: str, *, unset: list[str] | None = None) -> Column:
    """An array of texts, without those that are unset; `unset` where there is no array."""

    def convert(found: Any) -> list[str] | None:
        if found is None:
            return unset
        if not isinstance(found, list):
            raise TypeError("not an array")
        return [one for one in map(values.text, found) if one is not None]

    return _column(name, field, {"type": ["array", "null"], "items": {"type": "string"}}, _each(convert))


def identifier(name: str, field: str) -> Column:
    """A key, as text; never unset."""
    return _column(name, field, {"type": "string"}, _identifiers)


def integer(name: str, field: str) -> Column:
    """A whole number of any size."""
    return _column(name, field, {"type": ["integer", "null"]}, _integers)


def number(name: str, field: str) -> Column:
    """A number."""
    return _column(name, field, {"type": ["number", "null"]}, _each(values.number))


def boolean(name: str, field: str) -> Column:
    """A flag."""
    return _column(name, field, {"type": ["boolean", "null"]}, _booleans)


def timestamp(name: str, field: str) -> Column:
    """A date-time from a text."""
    return _column(name, field, TIMESTAMP, _moments(values.timestamp))


def epoch(name: str, field: str) -> Column:
    """A date-time from Unix seconds."""
    return _column(name, field, TIMESTAMP, _moments(values.epoch))


def moment(name: str, field: str) -> Column:
    """A date-time from Unix seconds with a fraction, or from a text."""
    return _column(name, field, TIMESTAMP, _moments(values.moment))


def json_text(name: str, field: str) -> Column:
    """A value whose shape the provider does not document: text as it is, anything else as JSON."""
    return _column(name, field, {"type": ["string", "null"]}, _each(_as_json))


def mapping(name: str, field: str) -> Column:
    """An object with keys of the account's own choice, as it is."""
    return _column(name, field, {"type": ["object", "null"], "additionalProperties": True}, _each(_as_object))


def text_mapping(name: str, field: str) -> Column:
    """An object with keys of the account's own choice that hold texts."""

    def convert(found: Any) -> Row | None:
        given = _as_object(found)
        return given and {key: values.text(value) for key, value in given.items()}

    schema = {"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}}
    return _column(name, field, schema, _each(convert))


def objects(name: str, field: str, shape: Mapping[str, Mapping[str, Any]]) -> Column:
    """An array of objects with these members; unset is empty.

    Args:
        name: snake_case.
        field: the provider's.
        shape: the members, each with its JSON Schema: texts, flags and date-times.
    """

    def convert(found: Any) -> list[Row]:
        return [{key: _member(one.get(key), schema) for key, schema in shape.items()} for one in found or ()]

    items = {"type": "object", "properties": dict(shape)}
    return _column(name, field, {"type": ["array", "null"], "items": items}, _each(convert))


def computed(
    name: str, fields: Sequence[str], function: Callable[[Row], Any], schema: dict[str, Any] | None = None
) -> Column:
    """A column made by a function of the whole row.

    Args:
        name: snake_case.
        fields: those that the function reads.
        function: makes the value.
        schema: JSON Schema of the values; not needed for a column of a kind, which has its own.
    """
    return Column(name=name, schema=schema or {}, fields=tuple(fields), fill=_each(function))


def constant(name: str, schema: dict[str, Any], value: Any) -> Column:
    """The same value in every row."""
    return Column(name=name, schema=schema, fields=(), fill=lambda rows: [value] * len(rows))


TIMESTAMP: dict[str, Any] = {"type": ["string", "null"], "format": "date-time"}


def _column(name: str, field: str, schema: dict[str, Any], convert: Convert) -> Column:
    def fill(rows: Sequence[Row]) -> Sequence[Any]:
        try:
            found: Sequence[Any] = list(map(itemgetter(field), rows))
        except KeyError:
            found = [row.get(field) for row in rows]
        return convert(found)

    return Column(name=name, schema=schema, fields=(field,), fill=fill)


def _each(convert: Callable[[Any], Any]) -> Convert:
    return lambda found: list(map(convert, found))


def _moments(convert: Callable[[Any], Any]) -> Convert:
    # Most dates of most pages are unset.
    return lambda found: list(map(convert, found)) if any(found) else [None] * len(found)


def _texts(found: Sequence[Any]) -> Sequence[Any]:
    if set(map(type, found)) == {str}:
        return [value or None for value in found]
    return list(map(values.text, found))


def _identifiers(found: Sequence[Any]) -> Sequence[Any]:
    if set(map(type, found)) == {int}:
        return list(map(str, found))
    keys = _texts(found)
    if None in keys:
        raise ValueError("a row without its key")
    return keys


def _integers(found: Sequence[Any]) -> Sequence[Any]:
    return found if set(map(type, found)) == {int} else list(map(values.integer, found))


def _booleans(found: Sequence[Any]) -> Sequence[Any]:
    return found if set(map(type, found)) == {bool} else list(map(values.boolean, found))


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
