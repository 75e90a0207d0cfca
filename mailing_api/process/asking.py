"""A person who is named in a file or at the terminal, never in an argument or on standard input."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError

__all__ = ["TERMINAL", "decoded", "is_confirmed", "key_values", "named"]

#: The value of the option without a file. No file has this name.
TERMINAL: Final = "\0"

#: Names of standard input.
_STANDARD_INPUT: Final = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
#: Bytes of a file, and columns of a key that are read as strings.
_LONGEST: Final = 8192
_MOST_COLUMNS: Final = 4


def named(where: str, option: str, needs_stream: Callable[[str], bool]) -> list[str]:
    """The key or address of a person, and the stream of the key, if that is said.

    Args:
        where: the value of the option: the name of a file, or TERMINAL.
        option: its name, for messages.
        needs_stream: whether the terminal is to name the stream, too, given the key or address.

    Raises:
        ConfigurationError: nobody was named; the message quotes neither the file's name nor its content.
    """
    option = f"Option {option}"
    if where in _STANDARD_INPUT:
        raise ConfigurationError(f"{option} does not read standard input. Name a file, or none to be asked.")
    lines = _typed(option, needs_stream) if where == TERMINAL else _lines_of(where, option)
    if not 1 <= len(lines) <= 2:
        found = f"{len(lines)} lines" if lines else "nothing"
        raise ConfigurationError(
            f"{option} found {found}. Give one key or address, and in a second line the stream of the key, if that is "
            "to be said."
        )
    return lines


def is_confirmed(question: str) -> bool:
    """Ask at the terminal whether to go ahead; only "yes" is a yes.

    Raises:
        OSError: there is no terminal.
    """
    terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    with os.fdopen(terminal, "rb", buffering=0) as file:
        was_typed, _, _ = select.select([terminal], [], [], 0)
        os.write(terminal, question.encode())
        line = _line(file.read)
        if was_typed or not line.endswith(b"\n"):  # the terminal has not gone to the next line after the question
            os.write(terminal, b"\n")
        return line.strip().lower() == b"yes"


def key_values(text: str) -> list[Sequence[Any]]:
    """The values that a string may stand for as a key.

    `7` may be a number or a string. Several columns are a JSON array, or divided by slashes as in the log.
    """
    values = decoded(text)
    keys: list[Sequence[Any]] = [values] if isinstance(values, list) else [(one,) for one in _values(text)]
    parts = text.split("/")
    if 1 < len(parts) <= _MOST_COLUMNS:
        keys += product(*map(_values, parts))
    return keys


def decoded(text: str) -> Any:
    """A string as JSON; None if it is none."""
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None


def _values(text: str) -> list[Any]:
    """The values that a string may stand for."""
    value = decoded(text)
    return [text, value] if isinstance(value, str | int | float) else [text]


def _lines_of(name: str, option: str) -> list[str]:
    try:
        with Path(name).open("rb") as file:
            content = file.read(_LONGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file can have this name"
        raise ConfigurationError(
            f"{option} cannot read the file that it names ({reason}). It takes the name of a file that holds the key "
            "or address: an argument is visible to other users, and kept by the shell. Without a name it asks."
        ) from None
    if len(content) > _LONGEST:
        raise ConfigurationError(f"{option} names a file of more than {_LONGEST} bytes. Give one key or address.")
    try:
        return _lines(content.decode("utf-8-sig"))
    except UnicodeError:
        raise ConfigurationError(f"{option} names a file that is not UTF-8.") from None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _typed(option: str, needs_stream: Callable[[str], bool]) -> list[str]:
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise ConfigurationError(f"{option} asks at a terminal, and there is none. Name a file.") from None
    with os.fdopen(terminal, "rb", buffering=0) as file:

        def asked(prompt: str) -> list[str]:
            os.write(terminal, prompt.encode())
            return _lines(_line(file.read).decode("utf-8", "replace"))

        lines = asked("Key or e-mail address: ")
        if len(lines) == 1 and needs_stream(lines[0]):
            lines += asked("Stream of the key (empty for any): ")
        return lines


def _line(read: Callable[[int], bytes | None]) -> bytes:
    """A line of a terminal, which gives one at a time."""
    line = b""
    while len(line) < _LONGEST and not line.endswith(b"\n"):
        some = read(_LONGEST)
        if not some:
            break
        line += some
    return line
