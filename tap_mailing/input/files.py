"""The JSON files of `--state` and `--catalog`, and how messages describe their values."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import IO, Any, Final, NoReturn

from mailing_api.errors import ConfigurationError

__all__ = ["checked", "kind_of", "quoted"]

#: Characters of a string that a message quotes.
_QUOTED: Final = 60


def checked(file: IO[str], option: str) -> IO[str]:
    """The file's text, if it is a JSON document.

    Raises:
        ConfigurationError: it is not JSON; the message has the option and the position, but not the text.
    """
    try:
        text = file.read().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise ConfigurationError(f"The file given by {option} is not UTF-8; save it as UTF-8.") from None
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as exc:
        raise ConfigurationError(f"The file given by {option} {_problem_of(text, exc, option)}") from None
    except UnicodeEncodeError:
        raise ConfigurationError(
            f"The file given by {option} has an invalid character (half of a surrogate pair)."
        ) from None
    except RecursionError:
        raise ConfigurationError(f"The file given by {option} has JSON that is nested too deeply.") from None
    except ValueError:
        raise ConfigurationError(
            f"The file given by {option} has a number that JSON does not allow (NaN or infinity)."
        ) from None
    return io.StringIO(text)


def _problem_of(text: str, error: json.JSONDecodeError, option: str) -> str:
    remedy = f"Restore a complete copy of the file, or run without {option}."
    if not text.strip():
        return f"is empty. {remedy}"
    place = f"line {error.lineno}, column {error.colno}"
    if error.msg == "Extra data":
        return f"has more than one JSON document: the second begins at {place}. Keep one of them."
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"is incomplete: its JSON breaks off at {place}. {remedy}"
    return f"is not JSON: {place}."


def kind_of(value: Any) -> str:
    """The JSON type of a value, for messages that must not quote it."""
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return "null"


_KINDS: Final = (
    (bool, "a boolean"),
    ((int, float), "a number"),
    (str, "a string"),
    ((list, tuple), "an array"),
    (Mapping, "an object"),
)


def quoted(value: Any) -> str:
    """A string in quotes, shortened; the type of any other value."""
    if not isinstance(value, str):
        return kind_of(value)
    return repr(value if len(value) <= _QUOTED else f"{value[:_QUOTED]}…")


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN or an infinity")
