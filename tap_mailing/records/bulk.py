"""Conversion of many values at once, where all of them have the provider's usual form.

Each function returns what the function for one value in `mailing_api.values` returns for each of them, or None if the
values must be converted one by one: one expression checks all of them, and then code in C converts them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import filterfalse
from typing import Any, Final

import msgspec

__all__ = ["booleans", "date_times", "integers", "numbers", "strings", "timestamps"]

_INTEGERS: Final = msgspec.json.Decoder(list[int])
_NUMBERS: Final = msgspec.json.Decoder(list[float])

_TO_ZERO: Final = str.maketrans("123456789", "0" * 9)
_DATE_TIME: Final = "0000-00-00T00:00:00Z\n"

_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False}


def strings(column: Sequence[Any]) -> Sequence[str] | None:
    """Strings that are not empty."""
    return column if set(map(type, column)) == {str} and all(column) else None


def integers(column: Sequence[Any]) -> Sequence[int] | None:
    """Whole numbers as strings."""
    return _decoded(_INTEGERS, column)


def numbers(column: Sequence[Any]) -> Sequence[float] | None:
    """Numbers as strings."""
    return None if "-0" in column else _decoded(_NUMBERS, column)  # for JSON that is a whole number, which has no sign


def booleans(column: Sequence[Any]) -> Sequence[bool] | None:
    """Flags as strings."""
    try:
        return [_FLAGS[value] for value in column]
    except (KeyError, TypeError):
        return None


def date_times(column: Sequence[Any]) -> Sequence[str] | None:
    """Date-times in UTC, in whole seconds."""
    try:
        lines = "\n".join([*column, ""])
        if lines.translate(_TO_ZERO) != _DATE_TIME * len(column):
            return None
        deque(map(datetime.fromisoformat, column), 0)  # raises for a day or a time that is none
    except (TypeError, ValueError):
        return None
    return lines.replace("Z\n", ".000000Z\n").split("\n")[:-1]


def timestamps(column: Sequence[Any]) -> Sequence[str | None] | None:
    """Date-times in UTC, in whole seconds, and empty strings or None for unset ones."""
    given = list(filter(None, column))
    found = date_times(given)
    if found is None or len(given) == len(column):
        return found
    if not set(filterfalse(None, column)) <= {None, ""}:
        return None
    following = iter(found)
    return [next(following) if value else None for value in column]


def _decoded(decoder: msgspec.json.Decoder[list[Any]], column: Sequence[Any]) -> list[Any] | None:
    """Strings that are numbers in JSON, whose form for them is that of `mailing_api.values`."""
    try:
        together = ",".join(column)
        found = decoder.decode(f"[{together}]")
    except (TypeError, ValueError):
        return None
    # A value with a comma would be several, and JSON allows space around one.
    return found if len(found) == len(column) and together.isprintable() and " " not in together else None
