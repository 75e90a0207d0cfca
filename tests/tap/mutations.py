"""Documents with a value replaced, for tests of what is given to the tap and what providers answer."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["VALUES", "paths", "replaced"]

_REMOVED: Any = object()

#: What takes a value's place, by name; `removed` takes its member away.
VALUES: Mapping[str, Any] = {
    "removed": _REMOVED,
    "null": None,
    "blank": "",
    "text": "canary text",
    "digits": "12",
    "late": "9999-12-31T23:59:59Z",
    "early": "0001-01-01T00:00:00+23:59",
    "half a surrogate pair": "canary\ud800",
    "zero": 0,
    "negative": -1,
    "fraction": 1.5,
    "large": 10**30,
    "year 9999": 253402300800,
    "true": True,
    "false": False,
    "array": [],
    "nulls": [None],
    "strings": ["canary"],
    "arrays": [[["canary"]]],
    "object": {},
    "objects": [{}],
    "other object": {"canary": {"canary": 1}},
    "deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
}


def paths(document: Any, before: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The place of each value in a document of JSON; `*` stands for the items of an array."""
    found = {before}
    if isinstance(document, dict):
        for name, value in document.items():
            found |= paths(value, (*before, name))
    elif isinstance(document, list):
        for value in document:
            found |= paths(value, (*before, "*"))
    return found


def replaced(document: Any, path: Sequence[str], name: str, *, first: bool) -> Any:
    """A copy with one of `VALUES` at a place: in the first item of each array, or in all."""
    value = VALUES[name]
    if not path:
        return None if value is _REMOVED else copy.deepcopy(value)
    document = copy.deepcopy(document)
    _replace(document, path, value, first=first)
    return document


def _replace(document: Any, path: Sequence[str], value: Any, *, first: bool) -> None:
    name, *rest = path
    if name == "*" and isinstance(document, list):
        places: Sequence[Any] = range(len(document))[: 1 if first else None]
    else:
        places = [name] if isinstance(document, dict) and name in document else []
    for place in places:
        if rest:
            _replace(document[place], rest, value, first=first)
        elif value is not _REMOVED:
            document[place] = copy.deepcopy(value)
        elif isinstance(document, dict):
            del document[place]
