"""From a row's values to a destination's: texts, numbers, flags and date-times, None for what counts as a null; pure.

A blank text is a null, for a CSV file has nothing else. Errors are ValueErrors that say what the value is.
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

#: White space, control characters, and what Unicode says is not to be shown.
_UNSEEN: Final = (
    "\\s\x00-\x1f\x7f-\xa0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f"
    "\u2800\u3164\ufeff\uffa0\ufff0-\ufff8"
)
#: Not to be shown either, but these end texts that are right: they choose the form of a letter, or make an emoji.
_SELECTORS: Final = "\u180b-\u180d\u180f\ufe00-\ufe0f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
#: The last begins where no other precedes it, so that a long run within a text is looked at once.
_outer = re.compile(f"^[{_UNSEEN}]+|(?<![{_UNSEEN}])[{_UNSEEN}]+$")
_is_unseen = re.compile(f"[{_UNSEEN}{_SELECTORS}]*").fullmatch
#: Those that no text means. PostgreSQL takes no U+0000, so that whoever loads what a provider holds would fail.
_control = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_has_surrogate = re.compile("[\ud800-\udfff]").search

_is_number = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII).fullmatch
_is_moment = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?( ?([Zz]|[+-]\d\d(:?\d\d)?|UTC|GMT))?)?", re.ASCII
).fullmatch
_LENGTH_OF_SECONDS: Final = len("2024-03-05T09:41:07Z")
_UTC_NAME = re.compile(r" ?(Z|UTC|GMT)$")
_SHORT_OFFSET = re.compile(r"([+-]\d\d)$")

#: What databases, spreadsheets and forms write for true and false.
_FLAGS: Final[Mapping[str, bool]] = dict.fromkeys(("true", "t", "yes", "y", "on", "1", "1.0"), True) | dict.fromkeys(
    ("false", "f", "no", "n", "off", "0", "0.0"), False
)

#: A telephone number or postal code that a spreadsheet, or a column with gaps, made a number of.
_was_number = re.compile(r"(\d+)\.(\d+)", re.ASCII).fullmatch
_was_rounded = re.compile(r"\d+\.\d+[eE][+-]?\d+|\d+[eE]\+\d+", re.ASCII).fullmatch

_LONGEST_SHOWN: Final = 200
_DEEPEST: Final = 100
_WIDEST: Final = 2**63
_MOST_DIGITS: Final = 20

_decode = msgspec.json.Decoder().decode


# Texts


def trimmed(value: str) -> str:
    """A text without outer blanks, without invisible characters there, and without control characters anywhere.

    Raises:
        ValueError: it holds half of a character.
    """
    if value.isascii() and value.isprintable():
        return value.strip()
    if _has_surrogate(value):
        raise ValueError("a text with half of a character")
    return "" if _is_unseen(value) else _outer.sub("", _control.sub("", value))


def text(value: Any) -> str | None:
    """A text, trimmed; a number becomes its digits.

    Raises:
        ValueError: neither of the two.
    """
    if isinstance(value, str):
        return trimmed(value) or None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no text")
    return number_text(value)


def text_or_flag(value: Any) -> str | None:
    """A text, as `text`; true and false become these words.

    Raises:
        ValueError: none of these.
    """
    return ("true" if value else "false") if isinstance(value, bool) else text(value)


def number_text(value: float) -> str:
    """A number without exponent, and without `.0`: a whole number is the same whether it came as a float or not.

    Raises:
        ValueError: it is not finite, or has thousands of digits.
    """
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        raise ValueError("no number that can be written down")
    if value == 0:
        return "0"  # not -0
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def whole_float(value: float) -> float:
    """A whole number as an integer, so that it is the same whether it came as a float or not."""
    return int(Decimal(repr(value))) if value.is_integer() else value


def digits(value: Any) -> str | None:
    """A telephone number or a part of an address: as `text`, but no number has a fraction.

    Raises:
        ValueError: it has one, or it was rounded.
    """
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("a number with a fraction")
    found = text(value)
    if found is None or not isinstance(value, str):
        return found
    if match := _was_number(found):
        # A telephone number may well be written with a dot; a fraction of zeros is nobody's.
        return found if match[2].strip("0") else match[1]
    if _was_rounded(found):
        raise ValueError("a number that was rounded")
    return found


def postal_code(value: Any) -> str | None:
    """A postal code: as `digits`, but none is a number with a fraction in a text either.

    Raises:
        ValueError: it is.
    """
    found = digits(value)
    if found is not None and _was_number(found):
        raise ValueError("a number with a fraction")
    return found


# Numbers, flags, date-times


def whole(value: Any) -> int | None:
    """A whole number of 64 bits at most; a float or a text may hold one.

    Raises:
        ValueError: it is none.
    """
    if type(value) is int:
        found = value
    elif isinstance(value, float) and value.is_integer():
        found = int(value)  # those that differ from `whole_float` have more than 64 bits
    elif isinstance(value, str):
        stripped = trimmed(value)
        if not stripped:
            return None
        number = Decimal(stripped) if _is_number(stripped) else Decimal("NaN")
        if not number.is_finite() or number.adjusted() > _MOST_DIGITS or number != number.to_integral_value():
            raise ValueError("no whole number")
        found = int(number)
    else:
        raise ValueError("no whole number")
    if not -_WIDEST <= found < _WIDEST:
        raise ValueError("a whole number of more than 64 bits")
    return found


def decimal(value: Any) -> float | None:
    """A finite number; a text may hold one.

    Raises:
        ValueError: it is none.
        OverflowError: it is too large.
    """
    if isinstance(value, str):
        stripped = trimmed(value)
        if not stripped:
            return None
        found = float(stripped) if _is_number(stripped) else math.nan
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no number")
    else:
        found = float(value)
    if not math.isfinite(found):
        raise ValueError("no number")
    return found + 0.0  # not -0


def flag(value: Any) -> bool | None:
    """True or false, also as text in any case; yes and no, on and off, 1 and 0 are taken as such.

    Raises:
        ValueError: neither.
    """
    if value is True or value is False:
        return value
    if isinstance(value, str):
        stripped = trimmed(value)
        if not stripped:
            return None
        found = _FLAGS.get(stripped.casefold())
    else:
        found = bool(value) if isinstance(value, (int, float)) and value in (0, 1) else None
    if found is None:
        raise ValueError("neither true nor false")
    return found


def moment(value: Any) -> str | None:
    """A date-time as `2024-03-05T09:41:07Z`, from a text that is RFC 3339 or nearly so, or from Unix seconds.

    One without an offset is UTC, and a date is its first moment. No guesses from a year or a time of day alone.

    Raises:
        ValueError: it is none, or before the year 1 or after 9999.
    """
    if isinstance(value, date):  # stream maps can make one
        value = value.isoformat()
    if isinstance(value, str):
        found = trimmed(value)
        if not found:
            return None
        if not _is_moment(found):
            raise ValueError("no date-time")
        return _moment_of_text(found)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no date-time")
    try:
        return _seconds(datetime.fromtimestamp(value, UTC))
    except (ValueError, OverflowError, OSError):
        raise ValueError("no date-time") from None


def _moment_of_text(value: str) -> str:
    found = _SHORT_OFFSET.sub(r"\1:00", value) if len(value) > len("2024-03-05T09") else value
    found = _UTC_NAME.sub("+00:00", found.upper().replace(",", ".")).replace(" +", "+").replace(" -", "-")
    try:
        parsed = datetime.fromisoformat(found)
        if parsed.tzinfo is not None:
            parsed = parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("no date-time") from None
    if len(value) == _LENGTH_OF_SECONDS and value[19] == "Z" and value[10] == "T":
        return value
    return _seconds(parsed)


def _seconds(moment: datetime) -> str:
    """Not by strftime, which gives years before 1000 fewer than four digits."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


# JSON


def json_value(value: Any) -> Any:
    """Any value: a text as `text` has it, and whole floats as integers. Inner texts keep their outer blanks.

    Raises:
        ValueError: it holds something that JSON has not, or is nested too deeply.
    """
    return trimmed(value) or None if isinstance(value, str) else _inner(value, 0)


def _inner(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        if _has_surrogate(value):
            raise ValueError("a text with half of a character")
        return _control.sub("", value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("no number that JSON has")
        return whole_float(value)
    if isinstance(value, dict):
        return {name: _inner(one, depth + 1) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_inner(one, depth + 1) for one in value]
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, date):  # stream maps can make one
        return value.isoformat()
    raise ValueError("no value that JSON has")


def from_json_text(value: Any, wanted: str) -> Any:
    """An array or object, also where it came as JSON text, which is all that some sources can write.

    Raises:
        ValueError: a text that holds neither; `wanted` says what it should have been.
    """
    if not isinstance(value, str):
        return value
    stripped = trimmed(value)
    if not stripped:
        return None
    try:
        found = _decode(stripped)
    except (msgspec.MsgspecError, RecursionError):
        found = None
    if not isinstance(found, (dict, list)):
        raise ValueError(f"a text, and no JSON text of {wanted}: let the source write {wanted}")
    return found


def shown(value: Any) -> str:
    """A value as a reason quotes it: not all of one that is very long."""
    try:
        found = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or a structure without end
        return f"a value of type {type(value).__name__}"
    return found if len(found) <= _LONGEST_SHOWN else f"{found[:_LONGEST_SHOWN]}... ({len(found)} characters)"
