"""From what providers send to what a warehouse wants: timestamps, numbers and flags, None where unset.

Timestamps come out as RFC 3339 in UTC with fixed microseconds, so that they compare as strings.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

__all__ = ["boolean", "epoch", "integer", "moment", "number", "text", "timestamp", "timestamp_of", "to_epoch"]

_LENGTH_OF_SECONDS = len("2024-03-05T09:41:07Z")
_LENGTH_OF_MILLISECONDS = len("2024-03-05T09:41:07.250Z")


def timestamp(value: Any) -> str | None:
    """A date-time text as `2024-03-05T09:41:07.000000Z`; one without an offset is UTC; unset is None.

    Raises:
        ValueError: not a date-time.
    """
    if not value:
        return None
    if len(value) == _LENGTH_OF_SECONDS and value[19] == "Z" and value[10] == "T":
        datetime.fromisoformat(value)  # raises where this only looks like a date
        return f"{value[:19]}.000000Z"
    if len(value) == _LENGTH_OF_MILLISECONDS and value[23] == "Z" and value[19] == "." and value[10] == "T":
        datetime.fromisoformat(value)
        return f"{value[:23]}000Z"
    import pendulum  # noqa: PLC0415 - slow to import, and most programs never meet an odd date

    parsed = pendulum.parse(value, tz="UTC")
    if not isinstance(parsed, pendulum.DateTime):
        raise ValueError("not a date-time")
    return timestamp_of(parsed)


def timestamp_of(moment: datetime) -> str:
    """An aware datetime in the form of `timestamp`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def epoch(value: Any) -> str | None:
    """Unix seconds (number or text) in the form of `timestamp`; 0 and "" are None."""
    seconds = integer(value)
    return timestamp_of(datetime.fromtimestamp(seconds, UTC)) if seconds else None


def moment(value: Any) -> str | None:
    """Unix seconds as a number, perhaps with a fraction, or a date-time text, in the form of `timestamp`.

    Raises:
        ValueError: neither of the two.
        OSError, OverflowError: a number that is too large.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return timestamp(value)
    return timestamp_of(datetime.fromtimestamp(value, UTC)) if value else None


def to_epoch(value: str) -> int:
    """Unix seconds of a value of `timestamp`, rounded down."""
    return int(datetime.fromisoformat(value).timestamp())


def integer(value: Any) -> int | None:
    """A whole number, also given as text; unset is None. Exact at any size.

    Raises:
        ValueError: not a whole number.
    """
    if type(value) is int:
        return value
    if value is None or value == "":
        return None
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("not a whole number")
    return int(value)


def number(value: Any) -> float | None:
    """A number, also given as text; unset is None.

    Raises:
        ValueError: not a number.
    """
    if value is None or value == "":
        return None
    return float(value)


def boolean(value: Any) -> bool | None:
    """A flag given as true, "true" or 1 in any case; unset is None.

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
    """A text; "" is None; a number becomes its digits."""
    if value is None or value == "":
        return None
    return value if type(value) is str else str(value)
