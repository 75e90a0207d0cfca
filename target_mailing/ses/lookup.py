"""Finding contacts by address: in a listing, at a call for each page, or one by one, at a call for each address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import msgspec

from mailing_api.addresses import fold_address, other_spelling
from mailing_api.errors import ProviderFault, RequestRefused
from target_mailing.delivery.one_by_one import take_each_that_works
from target_mailing.ses.listing import Listing
from target_mailing.ses.refusals import refusal_of

__all__ = ["FEW", "NOBODY", "LookedUp", "look_up"]

T = TypeVar("T")

#: Up to so many addresses are read one by one.
FEW: Final = 20

#: An address without a contact, for calls that only show whether Amazon SES answers.
NOBODY: Final = "nobody@example.com"

#: The most readings of a listing that shows contacts which the reading before did not show.
_READINGS: Final = 3


class LookedUp(msgspec.Struct, Generic[T], frozen=True):
    """The result, by folded address.

    Attributes:
        found: contacts.
        refused: errors of addresses that no listing showed, and whose call Amazon SES refuses, or fails for while it
            answers calls for others; see `refusal_of`.
    """

    found: Mapping[str, T]
    refused: Mapping[str, RequestRefused | ProviderFault]


def look_up(
    emails: Iterable[str],
    *,
    read: Callable[[str], T | None],
    listing: Listing[tuple[str, T]],
    both: Callable[[T, T], T],
    known: Collection[str] | None = None,
    spellings: Callable[[str], Iterable[str]] = lambda _: (),
    probe: Callable[[], object] | None = None,
) -> LookedUp[T]:
    """Find the contacts of these addresses.

    The length of the listing is unknown. So at most as many pages are read as there are addresses; if the listing is
    longer, the remaining addresses are read one by one. Addresses with a slash are only found in the listing.

    The listing is no snapshot: a token is a position, so a page skips contacts if others before them were deleted
    meanwhile. So an address that one reading does not show may have a contact: it is read alone, or if that takes more
    calls, the listing is read again, until a reading shows no further contact.

    Args:
        emails: the addresses.
        read: reads the contact of one address; raises RequestRefused if Amazon SES refuses the address.
        listing: addresses, and their contacts.
        both: combines two contacts whose addresses differ only in case; the first has the spelling of `emails`.
        known: folded addresses that had a contact a moment ago; other addresses are only looked for in the listing.
        spellings: further spellings of a folded address that the listing may have.
        probe: as in `take_each_that_works`; without it a failing address is an error.
    """
    search = _Search(dict(map(_by_address, emails)), read, both, spellings)
    has_slash = any("/" in email for email in search.emails)
    if len(search.emails) > FEW or has_slash:
        most = None if has_slash else len(search.emails)
        for reading in range(1, _READINGS + 1):
            before = len(search.found)
            count, is_whole = listing.read(search.take_page, most)
            missing = search.missing(known)
            shows_more = reading == 1 or len(search.found) > before
            if is_whole and not (count and missing and shows_more):
                return LookedUp(search.found, {})
            if not is_whole or (len(missing) <= count and not any("/" in address for address in missing)):
                break
    return LookedUp(search.found, search.read_each(search.missing(known), probe))


@dataclass(frozen=True)
class _Search(Generic[T]):
    """The contacts found so far; all addresses but `emails` are folded.

    Attributes:
        emails: the addresses to find, by folded address.
    """

    emails: Mapping[str, str]
    read: Callable[[str], T | None]
    both: Callable[[T, T], T]
    spellings: Callable[[str], Iterable[str]]
    found: dict[str, T] = field(default_factory=dict)

    def missing(self, known: Collection[str] | None) -> list[str]:
        """The addresses that are still to be found."""
        return [one for one in self.emails if one not in self.found and (known is None or one in known)]

    def take_page(self, page: Sequence[tuple[str, T]]) -> None:
        """Keep the contacts of a page that are to be found."""
        for email, contact in page:
            self._take(email, contact)

    def read_each(
        self, addresses: Sequence[str], probe: Callable[[], object] | None
    ) -> Mapping[str, RequestRefused | ProviderFault]:
        """Read these addresses one by one; returns the errors of those that are refused or fail."""
        if probe is None:
            return {address: error for address in addresses if (error := self._read_one(address)) is not None}
        errors, failing = take_each_that_works(addresses, self._read_one, probe=probe)
        for address in failing:
            self.found.pop(address, None)  # known in part
        return {address: error for address, error in errors.items() if error is not None} | failing

    def _read_one(self, address: str) -> RequestRefused | None:
        """Read an address in all of its spellings; returns the error if it is refused."""
        other = other_spelling(address)  # which Amazon SES may refuse for any contact
        for spelling in dict.fromkeys((self.emails[address], address, other or address)):
            error = self._read_spelling(spelling)
            if error is not None and spelling != other:
                return error
        if address not in self.found:
            for spelling in self.spellings(address):
                self._read_spelling(spelling)
        return None

    def _read_spelling(self, spelling: str) -> RequestRefused | None:
        try:
            contact = self.read(spelling)
        except RequestRefused as error:
            refusal_of(error)
            return error
        if contact is not None:
            self._take(spelling, contact)
        return None

    def _take(self, email: str, contact: T) -> None:
        """Keep a contact, if it is one of those to find."""
        address = fold_address(email)
        wanted = self.emails.get(address)
        if wanted is None:
            return
        # The page's own strings would keep as much memory again.
        address = wanted if wanted == address else address
        before = self.found.get(address)
        if before is None:
            self.found[address] = contact
        elif before != contact:
            self.found[address] = self.both(contact, before) if email == wanted else self.both(before, contact)


def _by_address(email: str) -> tuple[str, str]:
    """A folded address and its spelling, as one string where they are equal."""
    address = fold_address(email)
    return (email, email) if address == email else (address, email)
