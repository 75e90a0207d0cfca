"""Whether a value mentions an address of one person, in whatever spelling, and not only a longer one; pure."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote

from mailing_api.addresses import (
    check_address,
    fold_address,
    other_spelling,
    sent_address,
    without_hidden,
)

__all__ = ["Mentions"]

#: Strings without any of this hold no address.
_SIGN: Final = re.compile("[@\uff20\ufe6b]|%40|&")
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
#: What joins two parts of one local part, between letters: of O'Brien, for example.
_JOINING: Final = frozenset(".+-'")
#: The same in a domain.
_IN_DOMAINS: Final = frozenset(".-")


class Mentions:
    """Finds the addresses of one person."""

    def __init__(self, addresses: Collection[str], spellings: Iterable[str]) -> None:
        """Take the addresses.

        Args:
            addresses: folded.
            spellings: of them, as they may be written.
        """
        self._addresses = addresses
        spelled = {_plain(one) for each in {*addresses, *spellings} for one in _spelled(each)}
        self._spelled = sorted(one for one in spelled if "@" in one)
        self._bytes = [
            form for one in self._spelled for form in (one.encode("utf-8", "replace"), json.dumps(one)[1:-1].encode())
        ]

    def is_address(self, value: Any) -> bool:
        """Whether a value is one of the addresses, and nothing else."""
        return isinstance(value, str) and (_address(value) or fold_address(value)) in self._addresses

    def among(self, value: Any) -> bool:
        """Whether any string in a value, however deep, is one of the addresses, or mentions one."""
        return any(_SIGN.search(text) and self._is_in(text) for text in _strings(value))

    def in_bytes(self, line: bytes) -> bool:
        """Whether a line that cannot be decoded may hold one of the addresses."""
        lowered = line.lower()
        return any(form in lowered for form in self._bytes)

    def _is_in(self, text: str) -> bool:
        if (address := _address(text)) is not None:
            return address in self._addresses
        if fold_address(text) in self._addresses:  # who is in question may have no valid address
            return True
        return any(self._is_within(_plain(form)) for form in {text, unquote(text), html.unescape(text)})

    def _is_within(self, text: str) -> bool:
        for spelled in self._spelled:
            begin = text.find(spelled)
            while begin >= 0:
                before, after = text[max(0, begin - 2) : begin][::-1], text[begin + len(spelled) :][:2]
                if not (_goes_on(before, _JOINING) or _goes_on(after, _IN_DOMAINS)):
                    return True
                begin = text.find(spelled, begin + 1)
        return False


def _goes_on(beside: str, joining: Collection[str]) -> bool:
    """Whether an address is longer in a direction, by the next two characters there."""
    return beside[1:] in _PLAIN if beside[:1] in joining else beside[:1] in _PLAIN


def _address(text: str) -> str | None:
    """The address that a string is, folded; None if it is none, or more."""
    try:
        email = sent_address(text)
        check_address(email)
    except ValueError:
        return None
    return fold_address(email)


def _spelled(address: str) -> Iterator[str]:
    yield address
    if (other := other_spelling(address)) is not None:
        yield other


def _plain(text: str) -> str:
    """A string in lower case, with the usual forms of characters."""
    return unicodedata.normalize("NFKC", without_hidden(unicodedata.normalize("NFKC", text))).lower()


def _strings(value: Any) -> Iterator[str]:
    """All strings in decoded JSON."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
