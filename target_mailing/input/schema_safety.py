"""A SCHEMA made safe to compile: it refers to nothing outside itself, and it holds no regular expression.

Whoever writes the input writes its SCHEMAs. A reference could make the compiler fetch a URL or read a file, and a
regular expression can take longer than the run may last, or be written in a dialect other than Python's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from target_mailing.input.references import target_of

__all__ = ["NO_DOCUMENTS", "safe_schema"]

logger = logging.getLogger("target-mailing.streams")

#: Levels of objects and arrays in a SCHEMA at most.
_MOST_LEVELS: Final = 200
#: References followed at most where one leads to the next.
_MOST_EXPANDED: Final = 10_000

_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
#: Keywords whose value is a schema, or an array of schemas.
_SCHEMAS: Final = (
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "contentSchema",
    "disallow",
    "else",
    "extends",
    "if",
    "items",
    "not",
    "oneOf",
    "prefixItems",
    "propertyNames",
    "then",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
)
#: Keywords whose value is an object of schemas.
_NAMED_SCHEMAS: Final = (
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
)
#: Keywords whose schemas apply to the same value.
_SAME_VALUE: Final = ("allOf", "anyOf", "disallow", "else", "extends", "if", "not", "oneOf", "then", "type")
#: Keywords that hold such schemas by name.
_SAME_VALUE_NAMED: Final = ("dependencies", "dependentSchemas")
#: What has to go as a whole where one of its schemas loses a pattern: it would refuse what it accepted before.
_CONTRARY: Final = (
    ("not",),
    ("disallow",),
    ("oneOf",),
    ("if", "then", "else"),
    ("contains", "minContains", "maxContains"),
    ("unevaluatedItems",),
    ("unevaluatedProperties",),
)


class _NoDocuments(Mapping[str, Callable[[str], Any]]):
    """Handlers of every URL scheme, all of which refuse."""

    def __contains__(self, _: object) -> bool:
        return True

    def __getitem__(self, _: str) -> Callable[[str], Any]:
        return _refuse

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _refuse(_: str) -> Any:
    raise ValueError("a SCHEMA refers to another document")


#: For a compiler that would fetch documents: it gets none.
NO_DOCUMENTS: Final[Mapping[str, Callable[[str], Any]]] = _NoDocuments()


def safe_schema(stream: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without what could make its compiler or its check act on its own.

    `pattern` and `patternProperties` are not checked, so they are left out.

    Raises:
        ConfigurationError: it refers to another document or to itself, is nested too deeply, or has an empty `type`.
    """
    if _levels(schema) > _MOST_LEVELS:
        raise _wrong(stream, f"is nested deeper than {_MOST_LEVELS} levels")
    places = list(_places(schema, ""))
    for where, one in places:
        for word in _REFERENCES:
            if word in one and not (isinstance(one[word], str) and one[word].startswith("#")):
                raise _wrong(
                    stream, f"refers to another document ({where or 'at its top'}: `{word}`), which is not read"
                )
        if one.get("type") == []:
            raise _wrong(stream, f"gives {_column(where)} no type (`type: []`)")
    _Expansion(stream, schema).check(places)
    with_patterns = [where for where, one in places if "pattern" in one or "patternProperties" in one]
    if not with_patterns:
        return schema
    columns = sorted({_column(where) for where in with_patterns})
    logger.info("Stream %r: the patterns in its SCHEMA are not checked (%s)", stream, ", ".join(columns))
    found: dict[str, Any] = _without_patterns(schema)
    return found


def _wrong(stream: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"Stream {stream!r}: its SCHEMA {what}. Correct it at the tap, or leave the stream out.")


def _levels(schema: Any) -> int:
    """How deep it is, without recursion."""
    deepest, left = 0, [(schema, 1)]
    while left:
        one, level = left.pop()
        deepest = max(deepest, level)
        if level <= _MOST_LEVELS:
            inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
            left.extend((value, level + 1) for value in inner if isinstance(value, (dict, list)))
    return deepest


def _places(schema: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema, itself included; what `enum`, `default` and the like hold is data."""
    if isinstance(schema, list):
        for one in schema:
            yield from _places(one, where)
    if not isinstance(schema, dict):
        return
    yield where, schema
    for word in _SCHEMAS:
        if word in schema:
            yield from _places(schema[word], where)
    for word in _NAMED_SCHEMAS:
        if isinstance(given := schema.get(word), dict):
            for name, one in given.items():
                yield from _places(one, f"{where}.{name}" if where else name)


def _column(where: str) -> str:
    return f"column {where.partition('.')[0]!r}" if where else "the whole record"


class _Expansion:
    """Follows references: one that leads back to itself would never end, and a few can stand for millions."""

    def __init__(self, stream: str, schema: dict[str, Any]) -> None:
        self._stream = stream
        self._schema = schema
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def check(self, places: list[tuple[str, dict[str, Any]]]) -> None:
        """Raise ConfigurationError where following the references of these schemas would not end, or not soon."""
        for where, one in places:
            if self._size(one, where) > _MOST_EXPANDED:
                raise _wrong(self._stream, f"has references that stand for very many schemas ({where})")

    def _size(self, schema: Any, where: str) -> int:
        """How many schemas apply to the value of a schema."""
        if not isinstance(schema, dict):
            return 0
        me = id(schema)
        if me in self._open:
            raise _wrong(self._stream, f"has a reference that leads back to itself ({where})")
        if me not in self._sizes:
            self._open.add(me)
            try:
                self._sizes[me] = 1 + sum(self._size(one, where) for one in self._applied(schema))
            except RecursionError:
                raise _wrong(self._stream, f"has too many references in a row ({where})") from None
            finally:
                self._open.discard(me)
        return self._sizes[me]

    def _applied(self, schema: dict[str, Any]) -> Iterator[Any]:
        for word in _REFERENCES:
            if isinstance(reference := schema.get(word), str):
                yield target_of(reference, self._schema)
        for word in _SAME_VALUE:
            given = schema.get(word)
            yield from given if isinstance(given, list) else [given]
        for word in _SAME_VALUE_NAMED:
            if isinstance(given := schema.get(word), dict):
                yield from given.values()


def _without_patterns(schema: Any) -> Any:
    """A copy without `pattern` and `patternProperties`, and without what would be stricter for want of them."""
    if isinstance(schema, list):
        return [_without_patterns(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    left_out = {"pattern", "patternProperties"}
    if "patternProperties" in schema:
        left_out |= {"additionalProperties", "unevaluatedProperties"}
    for words in _CONTRARY:
        if any(_may_hold_pattern(schema[word]) for word in words if word in schema):
            left_out.update(words)
    return {name: _weakened(name, value) for name, value in schema.items() if name not in left_out}


def _weakened(word: str, value: Any) -> Any:
    """The value of a keyword without patterns."""
    if word in _SCHEMAS:
        return _without_patterns(value)
    if word in _NAMED_SCHEMAS and isinstance(value, dict):
        return {name: _without_patterns(one) for name, one in value.items()}
    return value


def _may_hold_pattern(schema: Any) -> bool:
    """Whether a schema holds a pattern, or a reference, which may lead to one."""
    words = {"pattern", "patternProperties", *_REFERENCES}
    return any(not words.isdisjoint(one) for _, one in _places(schema, ""))
