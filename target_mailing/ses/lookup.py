"""Finding some addresses in a listing that takes a call for each page, or a call for each address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from mailing_api.addresses import fold_address, other_spelling
from mailing_api.errors import ProviderFault, RequestRefused
from target_mailing.delivery.one_by_one import take_each_that_works
from target_mailing.ses.list import refusal_of

__all__ = ["FEW", "NOBODY", "LookedUp", "look_up"]

T = TypeVar("T")

#: Addresses up to which each is asked about by itself.
FEW: Final = 20

#: Whom a call is about that only shows whether Amazon SES answers.
NOBODY: Final = "nobody@example.com"

#: Times to read a listing in which people stand that an earlier reading did not show.
_READINGS: Final = 3


class LookedUp(msgspec.Struct, Generic[T], frozen=True):
    """What came of it, by folded address.

    Attributes:
        found: what is known of those that are there.
        refused: those about which the provider takes no question, or fails while it answers about others, and that no
            listing showed; see `refusal_of`.
    """

    found: Mapping[str, T]
    refused: Mapping[str, RequestRefused | ProviderFault]


def look_up(
    emails: Iterable[str],
    *,
    ask: Callable[[str], T | None],
    pages: Callable[[], Iterable[Sequence[tuple[str, T]]]],
    both: Callable[[T, T], T],
    known: Collection[str] | None = None,
    spellings: Callable[[str], Iterable[str]] = lambda _: (),
    probe: Callable[[], object] | None = None,
) -> LookedUp[T]:
    """What is known of those addresses that are there.

    Nothing tells how long a listing is. So it is read for as many pages as there are addresses; if it goes on, the
    addresses that did not come yet are asked about one by one. Those with a slash can only be found in the listing.

    Nor is it a snapshot: tokens are positions, so that a page passes people over when others before them were deleted
    meanwhile. So nobody counts as not there because one reading did not show them: they are asked about, or where that
    takes more calls, the listing is read again, until a reading shows nobody whom those before it passed over.

    Args:
        emails: of whom.
        ask: what is known of one address; raises RequestRefused where it is not taken.
        pages: the listing: addresses, and what is known of them.
        both: what is known of two that differ in case only, of which the first is spelled as asked for.
        known: folded addresses that a moment ago were there: whoever else is not shown is not looked for any further.
        spellings: how the listing may spell a folded address, besides as it is wanted and as it is folded.
        probe: as in `take_each_that_works`; without, an address that the provider fails for is an error.
    """
    search = _Search({fold_address(email): email for email in emails}, both, spellings)
    has_slash = any("/" in email for email in search.wanted)
    if len(search.wanted) > FEW or has_slash:
        most = None if has_slash else len(search.wanted)
        for reading in range(1, _READINGS + 1):
            before = len(search.found)
            read, is_whole = search.read(pages(), most)
            missing = search.missing(known)
            shows_more = reading == 1 or len(search.found) > before
            if is_whole and not (read and missing and shows_more):
                return LookedUp(search.found, {})
            if not is_whole or (len(missing) <= read and not any("/" in one for one in missing)):
                break
    return LookedUp(search.found, search.ask(search.missing(known), ask, probe))


class _Search(Generic[T]):
    """What was wanted, by folded address, and what was found of it."""

    def __init__(
        self, wanted: Mapping[str, str], both: Callable[[T, T], T], spellings: Callable[[str], Iterable[str]]
    ) -> None:
        self.wanted = wanted
        self._spellings = spellings
        self.found: dict[str, T] = {}
        self._both = both

    def missing(self, known: Collection[str] | None) -> list[str]:
        """Those that are still to be looked for."""
        return [one for one in self.wanted if one not in self.found and (known is None or one in known)]

    def read(self, pages: Iterable[Sequence[tuple[str, T]]], most: int | None) -> tuple[int, bool]:
        """Read so many pages at most; how many it read, and whether there were no more."""
        number = 0
        for number, page in enumerate(pages, 1):
            for email, known in page:
                self._take(email, known)
            if number == most:
                return number, False
        return number, True

    def ask(
        self, missing: Sequence[str], ask: Callable[[str], T | None], probe: Callable[[], object] | None
    ) -> Mapping[str, RequestRefused | ProviderFault]:
        """Ask about each of these; those that are refused, or that the provider fails for."""
        numbers = range(len(missing))
        failing: Mapping[int, ProviderFault] = {}
        if probe is None:
            asked = {at: self._ask_one(missing[at], ask) for at in numbers}
        else:
            asked, failing = take_each_that_works(numbers, lambda at: self._ask_one(missing[at], ask), probe=probe)
            for at in failing:
                self.found.pop(missing[at], None)  # known in part
        refused = {missing[at]: error for at, error in asked.items() if error is not None}
        return refused | {missing[at]: error for at, error in failing.items()}

    def _ask_one(self, folded: str, ask: Callable[[str], T | None]) -> RequestRefused | None:
        """Ask about an address; why that is refused."""
        other = other_spelling(folded)
        for spelling in dict.fromkeys((self.wanted[folded], folded, other or folded)):
            try:
                known = ask(spelling)
            except RequestRefused as error:
                refusal_of(error)
                if spelling == other:  # which Amazon SES may not take at all
                    continue
                return error
            if known is not None:
                self._take(spelling, known)
        if folded not in self.found:
            self._ask_otherwise(folded, ask)
        return None

    def _ask_otherwise(self, folded: str, ask: Callable[[str], T | None]) -> None:
        """Ask about an address in the other spellings that the listing has."""
        for spelling in self._spellings(folded):
            try:
                known = ask(spelling)
            except RequestRefused as error:
                refusal_of(error)
            else:
                if known is not None:
                    self._take(spelling, known)

    def _take(self, email: str, known: T) -> None:
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
