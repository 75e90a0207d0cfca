"""Who was on a list before an input was read; kept on disk, however many they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from mailing_api.addresses import fold_addresses, is_reachable, odd_addresses, sent_address
from target_mailing.contacts.contact import EncodedContact
from target_mailing.interface.list_members import Member
from target_mailing.journal.journal import Journal
from target_mailing.journal.strangers import ListedContact
from target_mailing.rows.spool import Kept

__all__ = ["ListedMembers"]

#: Members that are kept together: a provider's pages may be small.
_TOGETHER: Final = 1000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Member]).decode


class ListedMembers:
    """The members of one list, read once; they can be gone through any number of times.

    Attributes:
        count: how many were listed.
        unusable: those of them whose address is not valid: nothing is done with them.
    """

    def __init__(self, journal: Journal, destination: str, pages: Iterable[Sequence[Member]]) -> None:
        """Read all pages.

        Args:
            journal: its spool keeps the members, and it notes who opted out.
            destination: makes their hashes.
            pages: of the listing.

        Raises:
            MailingError: a page could not be read.
            SpoolError: the members cannot be written.
        """
        self._spool = journal.spool
        self._contact_ids = journal.hashes.contact_ids(destination)
        self._note_opt_outs = journal.absent.strangers.note_opt_outs
        self._kept: list[Kept] = []
        self._near: list[Member] = []
        self.count = self.unusable = 0
        for page in pages:
            usable = _usable(page)
            self.count += len(page)
            self.unusable += len(page) - len(usable)
            self._near += usable
            opted_out = [member.address for member in usable if member.opted_out]
            self._note_opt_outs(self._contact_ids(fold_addresses(opted_out)))
            if len(self._near) >= _TOGETHER:
                self._keep()
        self._keep()

    def __iter__(self) -> Iterator[list[ListedContact]]:
        """The members whose addresses can be used, some at a time."""
        for kept in self._kept:
            members = _decode(kept.contact(0).content)
            contacts = self._contact_ids(fold_addresses([member.address for member in members]))
            yield [ListedContact(contact, member.address) for contact, member in zip(contacts, members, strict=True)]

    def _keep(self) -> None:
        near, self._near = self._near, []
        if near:
            self._kept += self._spool.keep([EncodedContact("", "", _encode(near))], [b""])


def _usable(page: Sequence[Member]) -> Sequence[Member]:
    """Those whose address is one that could be sent as it is, but for letter case."""
    odd = odd_addresses([member.address for member in page])
    return [
        member
        for member in page
        if (member.address not in odd or _is_clean(member.address)) and is_reachable(member.address)
    ]


def _is_clean(address: str) -> bool:
    try:
        address.encode()
        return sent_address(address).lower() == address.lower()
    except ValueError:
        return False
