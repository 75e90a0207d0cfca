"""Conversion of providers' values for a warehouse: timestamps, numbers and flags, None if unset.

Timestamps come out as RFC 3339 in UTC with fixed microseconds, so that they compare as strings.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

__all__ = [
    "EARLIEST",
    "boolean",
    "count",
    "date_time",
    "earlier",
    "epoch",
    "integer",
    "is_identifier",
    "moment",
    "number",
    "seconds_of",
    "text",
    "timestamp",
    "timestamp_of",
    "to_epoch",
]

#: No provider has older data, and some refuse requests for it. In the form of `timestamp`.
EARLIEST: Final = "1970-01-01T00:00:00.000000Z"

_LENGTH_OF_SECONDS = len("2024-03-05T09:41:07Z")
_LENGTH_OF_MILLISECONDS = len("2024-03-05T09:41:07.250Z")

# Only complete values are accepted: no time without a day, no month alone, no day without a time in `date_time`.
_TIME = r"\d\d:\d\d:\d\d(?:[.,]\d+)?"
_OFFSET = r" ?(?:[Zz]|[+-]\d\d(?::?\d\d)?)"
_DATE_TIME = re.compile(rf"(\d{{4}}-\d\d-\d\d)[Tt ]({_TIME})({_OFFSET})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)", re.ASCII)
_IDENTIFIER = re.compile(r"[\w.:-]{1,200}", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)


def is_identifier(value: Any) -> bool:
    """Return whether a value can be a provider's name of an object: such names are logged, addresses are not."""
    return isinstance(value, str) and _IDENTIFIER.fullmatch(value) is not None


def timestamp(value: Any) -> str | None:
    """Return a date-time string as `2024-03-05T09:41:07.000000Z`; without an offset it is UTC, a date is its midnight.

    Unset is None.

    Raises:
        ValueError: neither a date-time nor a date.
        TypeError: not a string.
    """
    if _is_unset(value):
        return None
    if len(value) == _LENGTH_OF_SECONDS and value[4::3] == "--T::Z":
        datetime.fromisoformat(value)  # raises if this only looks like a date
        return f"{value[:19]}.000000Z"
    if len(value) == _LENGTH_OF_MILLISECONDS and value[4:20:3] == "--T::." and value[23] == "Z":
        datetime.fromisoformat(value)
        return f"{value[:23]}000Z"
    if _DATE.fullmatch(value):
        datetime.fromisoformat(value)
        return f"{value}T00:00:00.000000Z"
    return date_time(value)


def date_time(value: Any) -> str | None:
    """Return a complete date-time, with day and second, in the form of `timestamp`.

    Raises:
        ValueError: anything else, such as a date.
        TypeError: not a string.
    """
    if _is_unset(value):
        return None
    parts = _DATE_TIME.fullmatch(value)
    if parts is None:
        raise ValueError("not a date-time")
    day, time, offset = parts.groups()
    aware = datetime.fromisoformat(f"{day}T{time}{(offset or 'Z').strip().upper()}")
    try:
        return timestamp_of(aware)
    except OverflowError:  # in UTC it is before the first year, or after the last
        raise ValueError("not a date-time in UTC") from None


def _is_unset(value: Any) -> bool:
    if value is not None and not isinstance(value, str):
        raise TypeError("not a string")
    return not value


def timestamp_of(moment: datetime) -> str:
    """Return an aware datetime in the form of `timestamp`."""
    # strftime writes years before 1000 with fewer than four digits.
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def earlier(moment: str, seconds: float) -> str:
    """Return the time so many seconds before a moment, in the form of `timestamp`, but not before `EARLIEST`."""
    try:
        return max(timestamp_of(datetime.fromisoformat(moment) - timedelta(seconds=seconds)), EARLIEST)
    except OverflowError:
        return EARLIEST


def epoch(value: Any) -> str | None:
    """Return Unix seconds (number or string) in the form of `timestamp`; 0 and "" are None."""
    seconds = integer(value)
    return timestamp_of(datetime.fromtimestamp(seconds, UTC)) if seconds else None


def moment(value: Any) -> str | None:
    """Return Unix seconds (a number, perhaps with a fraction) or a date-time string in the form of `timestamp`.

    Raises:
        ValueError: neither of the two.
        OSError, OverflowError: a number that is too large.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return timestamp(value)
    return timestamp_of(datetime.fromtimestamp(value, UTC)) if value else None


def seconds_of(value: Any) -> str | None:
    """Return what `moment` reads for people, to the second; None for what is unset, or no time."""
    try:
        read = moment(value)
    except (OSError, OverflowError, TypeError, ValueError):
        return None
    return None if read is None else f"{read[:10]} {read[11:19]} UTC"


def to_epoch(value: str) -> int:
    """Return the Unix seconds of a value of `timestamp`, rounded down."""
    return int(datetime.fromisoformat(value).timestamp())


def integer(value: Any) -> int | None:
    """Return a whole number, also from a string, exact at any size; unset is None.

    Raises:
        ValueError: not a whole number, or a string in another form, such as `007`.
    """
    if type(value) is int:
        return value
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    raise ValueError("not a whole number")


def count(value: Any) -> int | None:
    """Return how many something are, as of `integer`; unset is None.

    Raises:
        ValueError: not a whole number, or a negative one.
    """
    many = integer(value)
    if many is not None and many < 0:
        raise ValueError("a negative count")
    return many


def number(value: Any) -> float | None:
    """Return a number, also from a string; unset is None.

    Raises:
        ValueError: not a number, not finite, or a string in another form, such as `1_000`.
        OverflowError: too large.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("not a number")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("not a number")
    result = float(value)
    if not math.isfinite(result):
        raise ValueError("not finite")
    return result


def boolean(value: Any) -> bool | None:
    """Return a flag from a boolean, from "true" or "false" in any case, or from 1 or 0; unset is None.

    Raises:
        ValueError: neither true nor false.
    """
    if value is True or value is False:
        return value
    if value is None or value == "":
        return None
    lowered = str(value).strip().lower()
    if lowered in {"true", "1"}:
        return True
    if lowered in {"false", "0"}:
        return False
    raise ValueError("neither true nor false")


def text(value: Any) -> str | None:
    """Return a string; "" is None; a number becomes its digits, and a flag its JSON.

    Raises:
        TypeError: an object or an array.
    """
    if value is None or value == "":
        return None
    if isinstance(value, (dict, list)):
        raise TypeError("not a string")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if type(value) is str else str(value)
