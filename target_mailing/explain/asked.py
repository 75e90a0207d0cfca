"""The key or address in question: from a file or from the terminal, never from an argument or standard input."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any, Final

import msgspec

from mailing_api.addresses import fold_address, other_spelling, sent_address
from mailing_api.errors import ConfigurationError
from target_mailing.contacts.values import number_text, whole_float

__all__ = ["TERMINAL", "Asked", "ask", "encoded_key", "is_confirmed"]

#: The value of the option without a file. No file has this name.
TERMINAL: Final = "\0"

#: Names of standard input.
_STANDARD_INPUT: Final = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
#: Bytes of a file, and columns of a key that are read as text.
_LONGEST: Final = 8192
_MOST_COLUMNS: Final = 4

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Asked(msgspec.Struct, frozen=True):
    """The person in question.

    Attributes:
        text: a key or an address.
        stream: the stream of the key; None if it is not said.
    """

    text: str
    stream: str | None = None

    @property
    def email(self) -> str | None:
        """The address as it would be sent; None if it is none."""
        try:
            return sent_address(self.text)
        except ValueError:
            return None

    @property
    def address(self) -> str | None:
        """The address in the form in which equal mailboxes are equal; None if it is none."""
        return None if self.email is None else fold_address(self.email)

    @property
    def folded(self) -> set[str]:
        """What a value of a rejected row may be when it is folded, also where it is no valid address."""
        return {fold_address(self.text)} if "@" in self.text else set()

    @property
    def keys(self) -> list[bytes]:
        """What the text may stand for as a key, encoded as the keys of rows are.

        `7` may be a number or a string. Several columns are a JSON array, or divided by slashes as in the log.
        """
        values = _json(self.text)
        keys: list[Sequence[Any]] = [values] if isinstance(values, list) else [(one,) for one in _values(self.text)]
        parts = self.text.split("/")
        if 1 < len(parts) <= _MOST_COLUMNS:
            keys += product(*map(_values, parts))
        encoded = [*map(encoded_key, keys)]
        if self.address is not None:  # a mirror remembers the address itself as a key
            encoded.append(self.address.encode())
        return [*dict.fromkeys(encoded)]

    @property
    def texts(self) -> set[str]:
        """The key of one column as the history shows it, where that is another text: 7 for 7.0 or [7]."""
        values = _json(self.text)
        values = values if isinstance(values, list) else [values]
        if len(values) != 1 or type(values[0]) not in {str, int, float}:
            return set()
        with suppress(ValueError):  # no row has such a number
            return {values[0] if isinstance(values[0], str) else number_text(values[0])}
        return set()

    def spellings(self, known: Sequence[str]) -> list[str]:
        """The spellings of the address for a provider, the likeliest first: those that were sent, then its own."""
        own = [] if self.email is None else [self.email, fold_address(self.email), other_spelling(self.email)]
        return [*dict.fromkeys(one for one in (*known, *own) if one)]


def encoded_key(values: Sequence[Any]) -> bytes:
    """A key with these values, as it is hashed."""
    return _encode([*map(_whole, values)])


def _whole(value: Any) -> Any:
    """A value in which 7 and 7.0 are the same."""
    return whole_float(value) if type(value) is float else value


def ask(where: str, option: str = "--explain") -> Asked:
    """Read which person is in question.

    Args:
        where: the value of the option: the name of a file, or TERMINAL.
        option: its name, for messages.

    Raises:
        ConfigurationError: nobody was named; the message quotes neither the file's name nor its content.
    """
    option = f"Option {option}"
    if where in _STANDARD_INPUT:
        raise ConfigurationError(f"{option} does not read standard input. Name a file, or none to be asked.")
    lines = _typed(option) if where == TERMINAL else _lines_of(where, option)
    if not 1 <= len(lines) <= 2:
        found = f"{len(lines)} lines" if lines else "nothing"
        raise ConfigurationError(
            f"{option} found {found}. Give one key or address, and in a second line the stream of the key, if that is "
            "to be said."
        )
    return Asked(*lines)


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


def _typed(option: str) -> list[str]:
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise ConfigurationError(f"{option} asks at a terminal, and there is none. Name a file.") from None
    with os.fdopen(terminal, "rb", buffering=0) as file:

        def asked(prompt: str) -> list[str]:
            os.write(terminal, prompt.encode())
            return _lines(_line(file.read).decode("utf-8", "replace"))

        lines = asked("Key or e-mail address: ")
        if len(lines) == 1 and Asked(lines[0]).address is None:
            lines += asked("Stream of the key (empty for any): ")
        return lines


def is_confirmed(question: str) -> bool:
    """Ask at the terminal whether to go ahead; only "yes" is a yes.

    Raises:
        OSError: there is no terminal.
    """
    terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    with os.fdopen(terminal, "rb", buffering=0) as file:
        os.write(terminal, question.encode())
        return _line(file.read).strip().lower() == b"yes"


def _line(read: Callable[[int], bytes | None]) -> bytes:
    """A line of a terminal, which gives one at a time."""
    line = b""
    while len(line) < _LONGEST and not line.endswith(b"\n"):
        some = read(_LONGEST)
        if not some:
            break
        line += some
    return line


def _values(text: str) -> Iterator[Any]:
    """The values that a string may stand for."""
    yield text
    value = _json(text)
    if isinstance(value, str | int | float):
        yield value


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
