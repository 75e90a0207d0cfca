"""The key or address in question, and what it may stand for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from mailing_api.addresses import fold_address, other_spelling, sent_address
from mailing_api.process.asking import decoded, key_values, named
from target_mailing.contacts.values import number_text, whole_float

__all__ = ["Asked", "ask", "encoded_key"]

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
        encoded = [*map(encoded_key, key_values(self.text))]
        if self.address is not None:  # a mirror remembers the address itself as a key
            encoded.append(self.address.encode())
        return [*dict.fromkeys(encoded)]

    @property
    def texts(self) -> set[str]:
        """The key of one column as the history shows it, where that is another text: 7 for 7.0 or [7]."""
        values = decoded(self.text)
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
    return Asked(*named(where, option, lambda text: Asked(text).address is None))
