"""Converts a row's values: strings, numbers, flags and date-times, None for a null; pure.

A blank string is a null, since a CSV file has no other null. Errors are ValueErrors that say what the value is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

__all__ = [
    "WIDEST",
    "are_plain",
    "decimal",
    "digits",
    "flag",
    "from_json_text",
    "json_value",
    "moment",
    "number_text",
    "postal_code",
    "shown",
    "text",
    "text_or_flag",
    "trimmed",
    "whole",
    "whole_float",
]

#: White space but for the space, control characters, and characters that Unicode calls invisible.
_INVISIBLE: Final = (
    "\x00-\x1f\x7f-\xa0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u2800\u3000\u3164\ufeff\uffa0\ufff0-\ufff8"
)
_UNSEEN: Final = f" {_INVISIBLE}"
#: Invisible, too, but valid at the end of a string: they select the form of a letter, or make an emoji.
_SELECTORS: Final = "\u180b-\u180d\u180f\ufe00-\ufe0f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
#: The second part begins where no other precedes it, so that a long run within a string is scanned once.
_outer = re.compile(f"^[{_UNSEEN}]+|(?<![{_UNSEEN}])[{_UNSEEN}]+$")
_is_unseen = re.compile(f"[{_UNSEEN}{_SELECTORS}]*").fullmatch
#: Removed everywhere. PostgreSQL refuses U+0000, so loading a provider's contacts into it would fail.
_control = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_has_surrogate = re.compile("[\ud800-\udfff]").search
_is_unusual = re.compile(f"[{_INVISIBLE}{_SELECTORS}\ud800-\udfff]").search

_is_number = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII).fullmatch
_is_moment = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?( ?([Zz]|[+-]\d\d(:?\d\d)?|UTC|GMT))?)?", re.ASCII
).fullmatch
_LENGTH_OF_SECONDS: Final = len("2024-03-05T09:41:07Z")
_UTC_NAME = re.compile(r" ?(Z|UTC|GMT)$")
_SHORT_OFFSET = re.compile(r"([+-]\d\d)$")

#: True and false as databases, spreadsheets and forms write them.
_FLAGS: Final[Mapping[str, bool]] = dict.fromkeys(("true", "t", "yes", "y", "on", "1", "1.0"), True) | dict.fromkeys(
    ("false", "f", "no", "n", "off", "0", "0.0"), False
)

#: A telephone number or postal code that a spreadsheet, or a column with gaps, turned into a number.
_was_number = re.compile(r"(\d+)\.(\d+)", re.ASCII).fullmatch
_was_rounded = re.compile(r"\d+\.\d+[eE][+-]?\d+|\d+[eE]\+\d+", re.ASCII).fullmatch

_LONGEST_SHOWN: Final = 200
_DEEPEST: Final = 100
#: Whole numbers of 64 bits are below it, and at least its negative.
WIDEST: Final = 2**63
_MOST_DIGITS: Final = 20

_decode = msgspec.json.Decoder().decode


# Strings


def trimmed(value: str) -> str:
    """A string without outer blanks and invisible characters, and without control characters anywhere.

    Raises:
        ValueError: it holds half of a surrogate pair.
    """
    if are_plain(value):
        return value.strip()
    if _has_surrogate(value):
        raise ValueError("a string with half of a surrogate pair")
    return "" if _is_unseen(value) else _outer.sub("", _control.sub("", value))


def are_plain(joined: str) -> bool:
    """Whether nothing but spaces is to be trimmed from strings, given these in one."""
    return (joined.isascii() and joined.isprintable()) or not _is_unusual(joined)


def text(value: Any) -> str | None:
    """A string, trimmed; a number becomes its digits.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str):
        return trimmed(value) or None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a string or number")
    return number_text(value)


def text_or_flag(value: Any) -> str | None:
    """A string, as `text`; true and false become these words.

    Raises:
        ValueError: it is none of these.
    """
    return ("true" if value else "false") if isinstance(value, bool) else text(value)


def number_text(value: float) -> str:
    """A number without exponent and without `.0`, so that 7 and 7.0 are the same.

    Raises:
        ValueError: it is not finite, or has thousands of digits.
    """
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    if value == 0:
        return "0"  # not -0
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def whole_float(value: float) -> float:
    """A whole number as an integer, so that 7 and 7.0 are the same."""
    return int(Decimal(repr(value))) if value.is_integer() else value


def digits(value: Any) -> str | None:
    """A telephone number or a part of an address: as `text`, but a number may have no fraction.

    Raises:
        ValueError: it has one, or it was rounded.
    """
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("a number with a fraction")
    string = text(value)
    if string is None or not isinstance(value, str):
        return string
    if match := _was_number(string):
        # A telephone number may be written with a dot; a fraction of zeros comes from a spreadsheet.
        return string if match[2].strip("0") else match[1]
    if _was_rounded(string):
        raise ValueError("a number that was rounded")
    return string


def postal_code(value: Any) -> str | None:
    """A postal code: as `digits`, but a string may hold no number with a fraction either.

    Raises:
        ValueError: it does.
    """
    code = digits(value)
    if code is not None and _was_number(code):
        raise ValueError("a number with a fraction")
    return code


# Numbers, flags, date-times


def whole(value: Any) -> int | None:
    """A whole number of 64 bits at most; a float or a string may hold one.

    Raises:
        ValueError: it is not one.
    """
    if type(value) is int:
        whole_number = value
    elif isinstance(value, float) and value.is_integer():
        whole_number = int(value)  # where it differs from `whole_float`, it has more than 64 bits
    elif isinstance(value, str):
        stripped = trimmed(value)
        if not stripped:
            return None
        number = Decimal(stripped) if _is_number(stripped) else Decimal("NaN")
        if not number.is_finite() or number.adjusted() > _MOST_DIGITS or number != number.to_integral_value():
            raise ValueError("not a whole number")
        whole_number = int(number)
    else:
        raise ValueError("not a whole number")
    if not -WIDEST <= whole_number < WIDEST:
        raise ValueError("a whole number of more than 64 bits")
    return whole_number


def decimal(value: Any) -> float | None:
    """A finite number; a string may hold one.

    Raises:
        ValueError: it is not one.
        OverflowError: it is too large.
    """
    if isinstance(value, str):
        stripped = trimmed(value)
        if not stripped:
            return None
        number = float(stripped) if _is_number(stripped) else math.nan
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a number")
    else:
        number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a number")
    return number + 0.0  # not -0


def flag(value: Any) -> bool | None:
    """True or false, also yes and no, on and off, 1 and 0, in strings of any case.

    Raises:
        ValueError: it is neither.
    """
    if value is True or value is False:
        return value
    if isinstance(value, str):
        stripped = trimmed(value)
        if not stripped:
            return None
        truth = _FLAGS.get(stripped.casefold())
    else:
        truth = bool(value) if isinstance(value, (int, float)) and value in (0, 1) else None
    if truth is None:
        raise ValueError("neither true nor false")
    return truth


def moment(value: Any) -> str | None:
    """A date-time as `2024-03-05T09:41:07Z`, from a string that is RFC 3339 or nearly so, or from Unix seconds.

    Without an offset it is UTC; a date becomes its first second. A year or a time of day alone is not accepted.

    Raises:
        ValueError: it is not one, or before the year 1 or after 9999.
    """
    if isinstance(value, date):  # stream maps can make one
        value = value.isoformat()
    if isinstance(value, str):
        stripped = trimmed(value)
        if not stripped:
            return None
        if not _is_moment(stripped):
            raise ValueError("not a date-time")
        return _moment_of_text(stripped)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a date-time")
    try:
        return _seconds(datetime.fromtimestamp(value, UTC))
    except (ValueError, OverflowError, OSError):
        raise ValueError("not a date-time") from None


def _moment_of_text(value: str) -> str:
    iso = _SHORT_OFFSET.sub(r"\1:00", value) if len(value) > len("2024-03-05T09") else value
    iso = _UTC_NAME.sub("+00:00", iso.upper().replace(",", ".")).replace(" +", "+").replace(" -", "-")
    try:
        parsed = datetime.fromisoformat(iso)
        if parsed.tzinfo is not None:
            parsed = parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("not a date-time") from None
    if len(value) == _LENGTH_OF_SECONDS and value[19] == "Z" and value[10] == "T":
        return value
    return _seconds(parsed)


def _seconds(moment: datetime) -> str:
    """Without strftime, which writes years before 1000 with fewer than four digits."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


# JSON


def json_value(value: Any) -> Any:
    """Any value: a string trimmed, whole floats as integers. Inner strings keep their outer blanks.

    Raises:
        ValueError: JSON does not support it, or it is nested too deeply.
    """
    return trimmed(value) or None if isinstance(value, str) else _inner(value, 0)


def _inner(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        if _has_surrogate(value):
            raise ValueError("a string with half of a surrogate pair")
        return _control.sub("", value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("not a number that JSON supports")
        return whole_float(value)
    if isinstance(value, dict):
        return {name: _inner(one, depth + 1) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_inner(one, depth + 1) for one in value]
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, date):  # stream maps can make one
        return value.isoformat()
    raise ValueError("not a value that JSON supports")


def from_json_text(value: Any, expected: str) -> Any:
    """An array or object, also from a JSON string, since some sources can write nothing else.

    Raises:
        ValueError: the string holds neither; `expected` names the type for the message.
    """
    if not isinstance(value, str):
        return value
    stripped = trimmed(value)
    if not stripped:
        return None
    try:
        decoded = _decode(stripped)
    except (msgspec.MsgspecError, RecursionError):
        decoded = None
    if not isinstance(decoded, (dict, list)):
        raise ValueError(f"a string that does not hold {expected} as JSON; make the source write {expected}")
    return decoded


def shown(value: Any) -> str:
    """A value as a reason quotes it, truncated if it is very long."""
    try:
        quoted = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or a structure that contains itself
        return f"a value of type {type(value).__name__}"
    return quoted if len(quoted) <= _LONGEST_SHOWN else f"{quoted[:_LONGEST_SHOWN]}... ({len(quoted)} characters)"
