"""Conversion of many values at once, where all have a usual form; pure.

Each function is the bulk form of the converter of the same name in `values`: it returns what that returns for each
value, with nulls as they are, or None if the values must be converted one by one. A few expressions check all values,
and then code in C converts them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from math import isfinite
from types import NoneType
from typing import Any, Final

from target_mailing.contacts.values import WIDEST, are_plain, whole_float

__all__ = ["decimal", "digits", "flag", "json_value", "moment", "text", "whole"]

#: Lines, one for each value. Nothing is given back once it has matched (`*+`), so that no stack grows.
_MOMENTS: Final = re.compile(r"(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|\+00:00)?\n)*+", re.ASCII)
#: The beginning of a string that may hold a number with a fraction or an exponent.
_NUMBER: Final = re.compile(r"\n\d+[.eE]", re.ASCII)


def text(column: Sequence[Any]) -> Sequence[str | None] | None:
    """Strings of usual characters, or whole numbers."""
    if _has_only(column, str):
        return _trimmed(column)
    try:
        return [None if value is None else str(value) for value in column] if _has_only(column, int) else None
    except ValueError:  # thousands of digits
        return None


def digits(column: Sequence[Any]) -> Sequence[str | None] | None:
    """As `text`, where no string looks like a number with a fraction."""
    strings = text(column)
    return None if strings is None or _NUMBER.search("\n" + "\n".join(filter(None, strings))) else strings


def json_value(column: Sequence[Any]) -> Sequence[str | float | None] | None:
    """Strings of usual characters, or finite numbers and flags."""
    if _has_only(column, str):
        return _trimmed(column)
    if not _has_only(column, float, int, bool):
        return None
    floats = [value for value in column if type(value) is float]
    if not all(map(isfinite, floats)):
        return None
    return [whole_float(value) if type(value) is float else value for value in column] if floats else column


def whole(column: Sequence[Any]) -> Sequence[int | None] | None:
    """Integers of 64 bits."""
    if not _has_only(column, int):
        return None
    numbers = [*filter(None, column)]
    return column if not numbers or (min(numbers) >= -WIDEST and max(numbers) < WIDEST) else None


def decimal(column: Sequence[Any]) -> Sequence[float | None] | None:
    """Finite numbers."""
    if not _has_only(column, float, int):
        return None
    try:
        numbers = [None if value is None else float(value) + 0.0 for value in column]  # not -0
    except OverflowError:
        return None
    return numbers if all(map(isfinite, filter(None, numbers))) else None


def flag(column: Sequence[Any]) -> Sequence[bool | None] | None:
    """True and false."""
    return column if _has_only(column, bool) else None


def moment(column: Sequence[Any]) -> Sequence[str | None] | None:
    """Date-times in UTC, as RFC 3339 or as databases write them; their first 19 characters tell the seconds."""
    if not _has_only(column, str):
        return None
    strings = [*filter(None, column)]
    if strings and not _MOMENTS.fullmatch("\n".join(strings) + "\n"):
        return None
    try:
        for _ in map(datetime.fromisoformat, {*strings}):  # raises for a day or a time that is none
            pass
    except ValueError:
        return None
    return [f"{string[:10]}T{string[11:19]}Z" if string else None for string in column]


def _has_only(column: Collection[Any], *types: type) -> bool:
    """Whether all values but nulls are of these types, and of none derived from them."""
    return {*map(type, column)} <= {NoneType, *types}


def _trimmed(column: Sequence[str | None]) -> Sequence[str | None] | None:
    """Strings without the spaces around them; a blank one is a null."""
    if not are_plain(" ".join(filter(None, column))):
        return None
    return [(string.strip() or None) if string else None for string in column]
