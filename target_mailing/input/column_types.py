"""Which types the values of a column may have, by its JSON Schema, however the tap wrote it; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from target_mailing.input.references import target_of

__all__ = ["DATE_TIME", "holds_structures_only", "members_of", "types_of"]

#: A string whose format is that of a date or date-time.
DATE_TIME: Final = "date-time"

_STRUCTURES: Final = frozenset({"array", "object"})
_ALL: Final = frozenset({"array", "boolean", "null", "number", "object", "string"})
_TYPES: Final = _ALL | {"integer"}
#: What values of a type are, too.
_WIDER: Final = {DATE_TIME: "string", "integer": "number"}
#: Formats of dates. Decimals that taps write as texts (`singer.decimal`) stay texts, of any number of digits.
_DATES: Final = ("date", "date-time")
_DEEPEST: Final = 50


def types_of(column: Any, schema: Mapping[str, Any]) -> frozenset[str]:
    """The names of JSON types, and `DATE_TIME`, that a column may have: those of all its alternatives.

    Args:
        column: its JSON Schema.
        schema: of the whole record, for references within it.
    """
    return _types(column, schema, 0)


def holds_structures_only(types: Collection[str]) -> bool:
    """Whether a column of these types has objects or arrays, and nothing else."""
    return bool(_STRUCTURES & {*types}) and {*types} <= _STRUCTURES | {"null"}


def members_of(column: Any, schema: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """The members that an object in a column may have, as far as its SCHEMA names them, each with its types.

    Arguments as in `types_of`.
    """
    found: dict[str, frozenset[str]] = {}
    for part in _parts(column, schema, 0):
        members = part.get("properties")
        for name, one in members.items() if isinstance(members, Mapping) else ():
            found[name] = found.get(name, frozenset()) | types_of(one, schema)
    return found


def _parts(column: Any, schema: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    """A column's JSON Schema, and those that it is composed of."""
    if not isinstance(column, Mapping) or depth > _DEEPEST:
        return
    yield column
    for word in ("anyOf", "oneOf", "allOf", "extends"):
        options = column.get(word)
        for one in options if isinstance(options, list) else [options]:
            yield from _parts(one, schema, depth + 1)
    if isinstance(reference := column.get("$ref"), str):
        yield from _parts(target_of(reference, schema), schema, depth + 1)


def _types(column: Any, schema: Mapping[str, Any], depth: int) -> frozenset[str]:
    if not isinstance(column, Mapping) or depth > _DEEPEST:
        return _ALL
    found = _named(column.get("type"), schema, depth)
    if isinstance(column.get("enum"), list):
        found = _both(found, frozenset(map(_type_of_value, column["enum"])))
    if "const" in column:
        found = _both(found, frozenset({_type_of_value(column["const"])}))
    for word in ("anyOf", "oneOf"):
        if isinstance(options := column.get(word), list) and options:
            found = _both(found, _either(_types(one, schema, depth + 1) for one in options))
    for word in ("allOf", "extends"):  # which was its name in draft 3
        options = column.get(word)
        for one in options if isinstance(options, list) else [] if options is None else [options]:
            found = _both(found, _types(one, schema, depth + 1))
    if isinstance(reference := column.get("$ref"), str):
        found = _both(found, _types(target_of(reference, schema), schema, depth + 1))
    if "string" in found and column.get("format") in _DATES:
        found = found - {"string"} | {DATE_TIME}
    return found or _ALL


def _named(names: Any, schema: Mapping[str, Any], depth: int) -> frozenset[str]:
    """The types of the keyword `type`; draft 3 has schemas in it, and `any`."""
    given = names if isinstance(names, list) else [names]
    found = _either(
        _types(one, schema, depth + 1) if isinstance(one, Mapping) else frozenset({one}) & _TYPES
        for one in given
        if isinstance(one, (Mapping, str))
    )
    return _ALL if "any" in given or not found else found


def _either(options: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*options)


def _both(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    return frozenset(
        name for left, right in ((one, other), (other, one)) for name in left if {name, _WIDER.get(name)} & right
    )


def _type_of_value(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names: Mapping[type, str] = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")
