"""The JSON files that a user gives to the tap, and how their contents are named in messages."""

from __future__ import annotations

import io
import json
from typing import IO, Any, Final, NoReturn

from mailing_api.errors import ConfigurationError

__all__ = ["checked", "kind_of", "quoted"]

#: Characters of a file's text that a message quotes.
_QUOTED: Final = 60


def checked(file: IO[str], option: str) -> IO[str]:
    """The same text, which is a JSON document.

    Raises:
        ConfigurationError: it is not JSON; tells the option and the place, never the text.
    """
    try:
        text = file.read().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise ConfigurationError(f"The file given by {option} is not UTF-8; save it as UTF-8.") from None
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as exc:
        hint = " Give a file with a single JSON document." if exc.msg == "Extra data" else ""
        raise ConfigurationError(
            f"The file given by {option} is not JSON: line {exc.lineno}, column {exc.colno}.{hint}"
        ) from None
    except UnicodeEncodeError:
        raise ConfigurationError(
            f"The file given by {option} holds a character that is no text (half of a surrogate pair)."
        ) from None
    except RecursionError:
        raise ConfigurationError(f"The file given by {option} holds JSON that is nested too deeply.") from None
    except ValueError:
        raise ConfigurationError(f"The file given by {option} holds a number that JSON does not have.") from None
    return io.StringIO(text)


def kind_of(value: Any) -> str:
    """What a value is in JSON, for messages that must not quote it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "an array" if isinstance(value, (list, tuple)) else "an object"


def quoted(value: Any) -> str:
    """A text of the file in quotes, shortened; of anything else what it is."""
    if not isinstance(value, str):
        return kind_of(value)
    return repr(value if len(value) <= _QUOTED else f"{value[:_QUOTED]}…")


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN or an infinity")
