"""Finds a batch's own addresses in a provider's messages; pure.

No pattern shows where an address begins or ends, so a message is searched for the batch's addresses, longest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mailing_api.addresses import fold_address

__all__ = ["NamedAddresses"]

#: Parts of words and names, whatever addresses the batch has.
_ALWAYS_PART: Final = frozenset("+-_")
#: Characters of punctuation after which the rest does not matter.
_FAR: Final = 100
#: Words before an address that the message mentions without being about it.
_MENTIONED: Final = re.compile(
    r"\b(?:of|as|with|than|like|to|into|from|by|via|see|after|before|sender|owner|manager|administrator"
    r"|(?:previous|earlier|existing|original|other|first)\W+\w+)\W*\Z"
)


class NamedAddresses:
    """The addresses of a batch's rows, given as they are sent."""

    def __init__(self, emails: Iterable[str]) -> None:
        #: As sent, or folded, in lower case -> folded.
        self._spelled: dict[str, str] = {}
        for email in emails:
            folded = fold_address(email)
            self._spelled[folded.lower()] = folded
            self._spelled[email.lower()] = folded
        self._count = len(set(self._spelled.values()))
        self._characters = _ALWAYS_PART.union(*self._spelled)
        #: Domain -> length of the local part -> local parts.
        self._domains: dict[str, dict[int, set[str]]] = {}
        for spelled in self._spelled:
            local, _, domain = spelled.rpartition("@")
            self._domains.setdefault(domain, {}).setdefault(len(local), set()).add(local)
        self._domain_lengths = sorted({len(domain) for domain in self._domains}, reverse=True)

    def __len__(self) -> int:
        return self._count

    def have(self, character: str) -> bool:
        """Whether any of the addresses contains this character, so that splitting there may cut it in two."""
        return character in self._characters

    def whole(self, text: str) -> str | None:
        """The folded address of the row that a whole string is the address of."""
        text = text.strip()
        address = self._spelled.get(text.lower())
        if address is None and "@" in text and not re.search(r"\s", text):
            folded = fold_address(text)
            address = folded if self._spelled.get(folded.lower()) == folded else None
        return address

    def subject(self, text: str) -> str | None:
        """The folded address that a message is about: it begins with it, or mentions no other address."""
        lowered = text.lower()
        occurrences = self._occurrences(lowered)
        if not occurrences:
            return None
        start, _, address = occurrences[0]
        if not any(map(str.isalnum, lowered[:start])):
            return address
        known = sum(lowered.count("@", start, end) for start, end, _ in occurrences)
        is_alone = len({address for _, _, address in occurrences}) == 1 and known == lowered.count("@")
        return address if is_alone and not _MENTIONED.search(lowered[:start]) else None

    def _occurrences(self, text: str) -> list[tuple[int, int, str]]:
        """The positions of addresses in lowercase text, in order; of overlapping ones the longest."""
        occurrences: list[tuple[int, int, str]] = []
        at = text.find("@")
        while at >= 0:
            longest = max(self._around(text, at), key=lambda span: span[1] - span[0], default=None)
            if longest is not None:
                start, end = longest
                while occurrences and occurrences[-1][1] > start:  # an `@` inside quotes
                    occurrences.pop()
                occurrences.append((start, end, self._spelled[text[start:end]]))
            at = text.find("@", at + 1)
        return occurrences

    def _around(self, text: str, at: int) -> Iterable[tuple[int, int]]:
        for domain_length in self._domain_lengths:
            end = at + 1 + domain_length
            for local_length, locals_ in self._domains.get(text[at + 1 : end], {}).items():
                start = at - local_length
                if start >= 0 and text[start:at] in locals_ and self._is_bounded(text, start, end):
                    yield start, end

    def _is_bounded(self, text: str, start: int, end: int) -> bool:
        """Whether only punctuation separates the address from characters that no address of the batch contains."""
        before = text[max(0, start - _FAR) : start]
        return self._ends(before[::-1]) and self._ends(text[end : end + _FAR])

    def _ends(self, text: str) -> bool:
        for character in text:
            if character.isalnum():
                return False
            if character.isspace() or character not in self._characters:
                return True
        return True
