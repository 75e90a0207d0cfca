"""Finding some addresses in a listing that takes a call for each page, or a call for each address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from target_mailing.mapping import fold_address

__all__ = ["FEW", "look_up"]

T = TypeVar("T")

#: Addresses up to which each is asked about by itself.
FEW: Final = 20


def look_up(
    emails: Iterable[str],
    *,
    ask: Callable[[str], T | None],
    pages: Callable[[], Iterable[Sequence[tuple[str, T]]]],
    both: Callable[[T, T], T],
) -> Mapping[str, T]:
    """What is known of those addresses that are there, by folded address.

    Nothing tells how long a listing is. So it is read for as many pages as there are addresses; if it goes on, the
    addresses that did not come yet are asked about one by one. Those with a slash can only be found in the listing.

    Args:
        emails: of whom.
        ask: what is known of one address.
        pages: the listing: addresses, and what is known of them.
        both: what is known of two that differ in case only, of which the first is spelled as asked for.
    """
    search = _Search({fold_address(email): email for email in emails}, both)
    has_slash = any("/" in email for email in search.wanted)
    if (len(search.wanted) > FEW or has_slash) and search.read(pages(), None if has_slash else len(search.wanted)):
        return search.found
    for folded, email in search.wanted.items():
        if folded not in search.found:
            for spelling in dict.fromkeys((email, folded)):
                if (known := ask(spelling)) is not None:
                    search.take(spelling, known)
    return search.found


class _Search(Generic[T]):
    """What was wanted, by folded address, and what was found of it."""

    def __init__(self, wanted: Mapping[str, str], both: Callable[[T, T], T]) -> None:
        self.wanted = wanted
        self.found: dict[str, T] = {}
        self._both = both

    def read(self, pages: Iterable[Sequence[tuple[str, T]]], most: int | None) -> bool:
        """Read so many pages at most; whether there were no more."""
        for number, page in enumerate(pages, 1):
            for email, known in page:
                self.take(email, known)
            if number == most:
                return False
        return True

    def take(self, email: str, known: T) -> None:
        """Keep what is known of an address, if it is wanted."""
        folded = fold_address(email)
        if folded not in self.wanted:
            return
        before = self.found.get(folded)
        if before is None:
            self.found[folded] = known
        elif email == self.wanted[folded]:
            self.found[folded] = self._both(known, before)
        else:
            self.found[folded] = self._both(before, known)
