"""The addresses of one batch, found again in what a provider says about it; pure.

No pattern tells where an address begins or ends: a text is searched for the batch's own addresses, the longest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mailing_api.addresses import fold_address

__all__ = ["NamedAddresses"]

#: Parts of words and names, whatever addresses the batch has.
_ALWAYS_PART: Final = frozenset("+-_")
#: Characters of punctuation after which it does not matter any more what follows.
_FAR: Final = 100
#: What stands before somebody who is mentioned, and not meant.
_MENTIONED: Final = re.compile(
    r"\b(?:of|as|with|than|like|to|into|from|by|via|see|after|before|sender|owner|manager|administrator"
    r"|(?:previous|earlier|existing|original|other|first)\W+\w+)\W*\Z"
)


class NamedAddresses:
    """The addresses of a batch's rows, given as they are sent."""

    def __init__(self, emails: Iterable[str]) -> None:
        #: As sent, or as compared, in lower case -> as compared.
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
        """Whether any of the addresses has this character, so that cutting there may cut one in two."""
        return character in self._characters

    def whole(self, text: str) -> str | None:
        """The row's address, folded, that this text is as a whole."""
        text = text.strip()
        found = self._spelled.get(text.lower())
        if found is None and "@" in text and not re.search(r"\s", text):
            folded = fold_address(text)
            found = folded if self._spelled.get(folded.lower()) == folded else None
        return found

    def subject(self, text: str) -> str | None:
        """The row's address, folded, of whom a text speaks: whom it begins with, or mentions and nobody else."""
        lowered = text.lower()
        found = self._occurrences(lowered)
        if not found:
            return None
        start, _, address = found[0]
        if not any(map(str.isalnum, lowered[:start])):
            return address
        known = sum(lowered.count("@", start, end) for start, end, _ in found)
        is_alone = len({one for _, _, one in found}) == 1 and known == lowered.count("@")
        return address if is_alone and not _MENTIONED.search(lowered[:start]) else None

    def _occurrences(self, text: str) -> list[tuple[int, int, str]]:
        """Where addresses stand in a text in lower case, in order; of those that overlap the longest."""
        found: list[tuple[int, int, str]] = []
        at = text.find("@")
        while at >= 0:
            longest = max(self._around(text, at), key=lambda span: span[1] - span[0], default=None)
            if longest is not None:
                start, end = longest
                while found and found[-1][1] > start:  # an `@` inside quotes
                    found.pop()
                found.append((start, end, self._spelled[text[start:end]]))
            at = text.find("@", at + 1)
        return found

    def _around(self, text: str, at: int) -> Iterable[tuple[int, int]]:
        for domain_length in self._domain_lengths:
            end = at + 1 + domain_length
            for local_length, locals_ in self._domains.get(text[at + 1 : end], {}).items():
                start = at - local_length
                if start >= 0 and text[start:at] in locals_ and self._is_bounded(text, start, end):
                    yield start, end

    def _is_bounded(self, text: str, start: int, end: int) -> bool:
        """Whether nothing but punctuation stands between the address and what no address of the batch contains."""
        before = text[max(0, start - _FAR) : start]
        return self._ends(before[::-1]) and self._ends(text[end : end + _FAR])

    def _ends(self, text: str) -> bool:
        for character in text:
            if character.isalnum():
                return False
            if character.isspace() or character not in self._characters:
                return True
        return True
