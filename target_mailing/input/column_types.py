"""The types that a column's values may have, by its JSON Schema, whatever the draft; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from target_mailing.input.subschemas import target_of

__all__ = ["DATE_TIME", "ColumnTypes"]

#: A string whose format is that of a date or date-time.
DATE_TIME: Final = "date-time"

_ALL: Final = frozenset({"array", "boolean", "null", "number", "object", "string"})
_TYPES: Final = _ALL | {"integer"}
#: The wider type that includes another.
_WIDER: Final = {DATE_TIME: "string", "integer": "number"}
#: Formats of dates. Decimals that taps write as strings (`singer.decimal`) stay strings, of any number of digits.
_DATES: Final = ("date", "date-time")
_DEEPEST: Final = 50


class ColumnTypes:
    """The types of the columns in one SCHEMA: names of JSON types, and `DATE_TIME`."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Keep the schema of the whole record, for references within it."""
        self._schema = schema

    def of(self, column: Any) -> frozenset[str]:
        """The types of a column's values, given its JSON Schema: those of all its alternatives."""
        return self._types(column, 0)

    def members(self, column: Any) -> dict[str, frozenset[str]]:
        """The members that an object in a column may have, as far as its SCHEMA names them, each with its types."""
        types: dict[str, frozenset[str]] = {}
        for part in self._parts(column, 0):
            members = part.get("properties")
            for name, member in members.items() if isinstance(members, Mapping) else ():
                types[name] = types.get(name, frozenset()) | self.of(member)
        return types

    def _parts(self, column: Any, depth: int) -> Iterator[Mapping[str, Any]]:
        """A column's JSON Schema, and those that it is composed of."""
        if not isinstance(column, Mapping) or depth > _DEEPEST:
            return
        yield column
        for word in ("anyOf", "oneOf", "allOf", "extends"):
            for option in _options(column, word):
                yield from self._parts(option, depth + 1)
        if isinstance(reference := column.get("$ref"), str):
            yield from self._parts(target_of(reference, self._schema), depth + 1)

    def _types(self, column: Any, depth: int) -> frozenset[str]:
        if not isinstance(column, Mapping) or depth > _DEEPEST:
            return _ALL
        types = self._named(column.get("type"), depth)
        if isinstance(column.get("enum"), list):
            types = _both(types, frozenset(map(_type_of_value, column["enum"])))
        if "const" in column:
            types = _both(types, frozenset({_type_of_value(column["const"])}))
        for word in ("anyOf", "oneOf"):
            if isinstance(options := column.get(word), list) and options:
                types = _both(types, _either(self._types(option, depth + 1) for option in options))
        for word in ("allOf", "extends"):  # its name in draft 3
            for option in _options(column, word):
                types = _both(types, self._types(option, depth + 1))
        if isinstance(reference := column.get("$ref"), str):
            types = _both(types, self._types(target_of(reference, self._schema), depth + 1))
        if "string" in types and column.get("format") in _DATES:
            types = types - {"string"} | {DATE_TIME}
        return types or _ALL

    def _named(self, names: Any, depth: int) -> frozenset[str]:
        """The types in the keyword `type`; in draft 3 it may hold schemas, and `any`."""
        options = names if isinstance(names, list) else [names]
        types = _either(
            self._types(option, depth + 1) if isinstance(option, Mapping) else frozenset({option}) & _TYPES
            for option in options
            if isinstance(option, (Mapping, str))
        )
        return _ALL if "any" in options or not types else types


def _options(column: Mapping[str, Any], word: str) -> Collection[Any]:
    """The schemas under a keyword, which may hold one schema or an array of them."""
    options = column.get(word)
    if isinstance(options, list):
        return options
    return [] if options is None else [options]


def _either(options: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*options)


def _both(types: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    return frozenset(
        name for some, rest in ((types, others), (others, types)) for name in some if {name, _WIDER.get(name)} & rest
    )


def _type_of_value(value: Any) -> str:
    names: Mapping[type, str] = {
        bool: "boolean", str: "string", int: "integer", float: "number", list: "array", dict: "object",
    }  # fmt: skip
    return names.get(type(value), "null")
