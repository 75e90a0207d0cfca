"""Conversion of many values at once, where all of them have the provider's usual form.

Each function returns what the function for one value in `mailing_api.values` returns for each of them, or None if the
values must be converted one by one: one expression checks all of them, and then code in C converts them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from typing import Any, Final

__all__ = ["booleans", "date_times", "integers", "numbers", "strings", "timestamps"]

# Lines, one for each value. Nothing is given back once it has matched (`*+`), so that no stack grows.
_INTEGERS: Final = re.compile(r"(?:-?(?:0|[1-9]\d*)\n)*+", re.ASCII)
_NUMBERS: Final = re.compile(r"(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\n)*+", re.ASCII)
_DATE_TIMES: Final = re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n)*+", re.ASCII)

_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False}


def strings(column: Sequence[Any]) -> Sequence[str] | None:
    """Strings that are not empty."""
    return column if _are_strings(column) and all(column) else None


def integers(column: Sequence[Any]) -> Sequence[int] | None:
    """Whole numbers as strings."""
    try:
        return list(map(int, column)) if _match(_INTEGERS, column) else None
    except ValueError:  # too long, or a line break inside
        return None


def numbers(column: Sequence[Any]) -> Sequence[float] | None:
    """Numbers as strings."""
    try:
        found = list(map(float, column)) if _match(_NUMBERS, column) else None
    except ValueError:
        return None
    return found if found is not None and all(map(isfinite, found)) else None


def booleans(column: Sequence[Any]) -> Sequence[bool] | None:
    """Flags as strings."""
    try:
        return [_FLAGS[value] for value in column]
    except (KeyError, TypeError):
        return None


def date_times(column: Sequence[Any]) -> Sequence[str] | None:
    """Date-times in UTC, in whole seconds."""
    try:
        if not _match(_DATE_TIMES, column):
            return None
        for _ in map(datetime.fromisoformat, column):  # raises for a day or a time that is none
            pass
    except ValueError:
        return None
    return [f"{value[:19]}.000000Z" for value in column]


def timestamps(column: Sequence[Any]) -> Sequence[str | None] | None:
    """Date-times in UTC, in whole seconds, and empty strings or None for unset ones."""
    given = list(filter(None, column))
    found = date_times(given)
    if found is None or len(given) == len(column):
        return found
    if not {value for value in column if not value} <= {None, ""}:
        return None
    following = iter(found)
    return [next(following) if value else None for value in column]


def _are_strings(column: Sequence[Any]) -> bool:
    return set(map(type, column)) == {str}


def _match(pattern: re.Pattern[str], column: Sequence[Any]) -> bool:
    return _are_strings(column) and pattern.fullmatch("\n".join(column) + "\n") is not None
