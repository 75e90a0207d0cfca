"""A SCHEMA made safe to compile: it refers to nothing outside itself, and it holds no regular expression.

SCHEMAs come from the input and are not trusted. A reference could make the compiler fetch a URL or read a file, and a
regular expression can take very long, or be written in a dialect other than Python's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from target_mailing.input.subschemas import NAMED_SCHEMAS, SCHEMAS, target_of

__all__ = ["NO_DOCUMENTS", "safe_schema"]

logger = logging.getLogger("target-mailing.streams")

#: The most levels of objects and arrays in a SCHEMA.
_MOST_LEVELS: Final = 200
#: The most schemas that apply to one value, references included.
_MOST_EXPANDED: Final = 10_000

_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
#: Keywords that may hold schemas in some draft.
_SCHEMAS: Final = (*SCHEMAS, "contentSchema", "disallow", "type", "unevaluatedItems", "unevaluatedProperties")
#: Keywords whose schemas apply to the same value.
_SAME_VALUE: Final = ("allOf", "anyOf", "disallow", "else", "extends", "if", "not", "oneOf", "then", "type")
#: Keywords that hold such schemas by name.
_SAME_VALUE_NAMED: Final = ("dependencies", "dependentSchemas")
#: Keywords that are removed together where one of their schemas loses a pattern: the rest would be too strict.
_CONTRARY: Final = (
    ("not",),
    ("disallow",),
    ("oneOf",),
    ("if", "then", "else"),
    ("contains", "minContains", "maxContains"),
    ("unevaluatedItems",),
    ("unevaluatedProperties",),
)


class _NoDocuments(dict[str, Callable[[str], Any]]):
    """Handlers of every URL scheme, all of which refuse."""

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, _: str) -> Callable[[str], Any]:
        return _refuse


def _refuse(_: str) -> Any:
    raise ValueError("a SCHEMA refers to another document")


#: For a compiler that would otherwise fetch documents.
NO_DOCUMENTS: Final[Mapping[str, Callable[[str], Any]]] = _NoDocuments()


def safe_schema(stream: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without regular expressions, and certain to refer to nothing outside itself.

    `pattern` and `patternProperties` are removed, so they are not checked.

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
                    stream, f"refers to another document ({where or 'at the top'}: `{word}`), which is not fetched"
                )
        if one.get("type") == []:
            raise _wrong(stream, f"has an empty `type` for {_column(where)}")
    _Expansion(stream, schema).check(places)
    with_patterns = [where for where, one in places if "pattern" in one or "patternProperties" in one]
    if not with_patterns:
        return schema
    columns = sorted({_column(where) for where in with_patterns})
    logger.info("Stream %r: the patterns in its SCHEMA are not checked (%s)", stream, ", ".join(columns))
    safe: dict[str, Any] = _without_patterns(schema)
    return safe


def _wrong(stream: str, defect: str) -> ConfigurationError:
    return ConfigurationError(f"Stream {stream!r}: its SCHEMA {defect}. Fix it at the tap, or deselect the stream.")


def _levels(schema: Any) -> int:
    """Its depth, computed without recursion."""
    deepest, pending = 0, [(schema, 1)]
    while pending:
        one, level = pending.pop()
        deepest = max(deepest, level)
        if level <= _MOST_LEVELS:
            inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
            pending.extend((value, level + 1) for value in inner if isinstance(value, (dict, list)))
    return deepest


def _places(schema: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema, itself included, but not the data in `enum`, `default` and `const`."""
    if isinstance(schema, list):
        for one in schema:
            yield from _places(one, where)
    if not isinstance(schema, dict):
        return
    yield where, schema
    for word in _SCHEMAS:
        if word in schema:
            yield from _places(schema[word], where)
    for word in NAMED_SCHEMAS:
        if isinstance(members := schema.get(word), dict):
            for name, one in members.items():
                yield from _places(one, f"{where}.{name}" if where else name)


def _column(where: str) -> str:
    return f"column {where.partition('.')[0]!r}" if where else "the whole record"


class _Expansion:
    """Follows references: a cycle would never end, and a few references can expand to millions of schemas."""

    def __init__(self, stream: str, schema: dict[str, Any]) -> None:
        self._stream = stream
        self._schema = schema
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def check(self, places: list[tuple[str, dict[str, Any]]]) -> None:
        """Raise ConfigurationError if the references of these schemas form a cycle, or expand too far."""
        for where, one in places:
            if self._size(one, where) > _MOST_EXPANDED:
                raise _wrong(
                    self._stream, f"has references that expand to more than {_MOST_EXPANDED:,} schemas ({where})"
                )

    def _size(self, schema: Any, where: str) -> int:
        """The number of schemas that apply to the value of a schema."""
        if not isinstance(schema, dict):
            return 0
        identity = id(schema)
        if identity in self._open:
            raise _wrong(self._stream, f"has a reference to itself ({where})")
        if identity not in self._sizes:
            self._open.add(identity)
            try:
                self._sizes[identity] = 1 + sum(self._size(one, where) for one in self._applied(schema))
            except RecursionError:
                raise _wrong(self._stream, f"has too long a chain of references ({where})") from None
            finally:
                self._open.discard(identity)
        return self._sizes[identity]

    def _applied(self, schema: dict[str, Any]) -> Iterator[Any]:
        for word in _REFERENCES:
            if isinstance(reference := schema.get(word), str):
                yield target_of(reference, self._schema)
        for word in _SAME_VALUE:
            schemas = schema.get(word)
            yield from schemas if isinstance(schemas, list) else [schemas]
        for word in _SAME_VALUE_NAMED:
            if isinstance(named := schema.get(word), dict):
                yield from named.values()


def _without_patterns(schema: Any) -> Any:
    """A copy without `pattern` and `patternProperties`, and without keywords that would be stricter without them."""
    if isinstance(schema, list):
        return [_without_patterns(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    removed = {"pattern", "patternProperties"}
    if "patternProperties" in schema:
        removed |= {"additionalProperties", "unevaluatedProperties"}
    for words in _CONTRARY:
        if any(_may_hold_pattern(schema[word]) for word in words if word in schema):
            removed.update(words)
    return {name: _weakened(name, value) for name, value in schema.items() if name not in removed}


def _weakened(word: str, value: Any) -> Any:
    """The value of a keyword without patterns."""
    if word in _SCHEMAS:
        return _without_patterns(value)
    if word in NAMED_SCHEMAS and isinstance(value, dict):
        return {name: _without_patterns(one) for name, one in value.items()}
    return value


def _may_hold_pattern(schema: Any) -> bool:
    """Whether a schema holds a pattern, or a reference, whose target may hold one."""
    words = {"pattern", "patternProperties", *_REFERENCES}
    return any(not words.isdisjoint(one) for _, one in _places(schema, ""))
