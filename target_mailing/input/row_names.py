"""Whom records name that became no rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from mailing_api.addresses import fold_address, fold_addresses
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import RowRejected, attempt
from target_mailing.contacts.mapping import StreamMapping, Values
from target_mailing.input.row_key import RowKey
from target_mailing.journal.reject import Origin
from target_mailing.rows.row import Resource

__all__ = ["Names", "RowNames"]


class Names(msgspec.Struct, frozen=True):
    """Whom records name.

    Attributes:
        contacts: by address, hashed.
        keys: hashed.
        by_key: how many records tell a key and no address.
        unnamed: how many tell neither.
        is_doubtful: some may mean an address that cannot be read.
        alone: the keys of those that tell no address; but for contacts that have none at their provider.
    """

    contacts: Sequence[int]
    keys: Sequence[bytes]
    by_key: int
    unnamed: int
    is_doubtful: bool
    alone: Sequence[bytes]


class RowNames:
    """Reads keys and addresses of the records of one stream."""

    def __init__(
        self,
        mapping: StreamMapping,
        key: RowKey,
        destination: str,
        *,
        contact_ids: Callable[[Sequence[str]], Sequence[int]],
        address_keys: Callable[[Sequence[bytes]], list[bytes]] | None,
        identify: Callable[[MappedContact], str] | None,
        may_lack_address: bool,
    ) -> None:
        """Read them.

        Args:
            mapping: of the stream.
            key: reads its keys.
            destination: the name of its destination.
            contact_ids: the hashes of addresses there.
            address_keys: the hashes of addresses where they are the keys that the journal remembers; else None.
            identify: as of `Fields`, where other fields than an address identify contacts; else None.
            may_lack_address: contacts without an address are normal.
        """
        self._mapping = mapping
        self._key = key
        self._destination = destination
        self._contact_ids = contact_ids
        self._address_keys = address_keys
        self._identify = identify
        self._may_lack_address = may_lack_address

    def of(self, values: Sequence[Values]) -> Names:
        """Whom records name."""
        keys = self._key.of(values)
        found = self._addresses(values)
        contacts = self._contact_ids(fold_addresses([email for emails in found for email in emails]))
        by_key = [isinstance(key, bytes) for key, emails in zip(keys, found, strict=True) if not emails]
        cells = [one[0] for one, emails in zip(values, found, strict=True) if not emails and self._identify is None]
        hashed = [key for key in keys if isinstance(key, bytes)]
        is_doubtful = any(isinstance(cell, str) and "@" in cell for cell in cells)
        alone = [
            key
            for key, emails, one in zip(keys, found, values, strict=True)
            if isinstance(key, bytes) and not emails and not (self._may_lack_address and _is_blank(one[0]))
        ]
        return Names([*contacts], hashed, by_key.count(True), by_key.count(False), is_doubtful, alone)

    def resources(self, numbers: Sequence[int], values: Sequence[Values]) -> list[tuple[Resource, int]]:
        """The keys and contacts of records, each with the line of its record."""
        found: list[tuple[Resource, int]] = []
        for number, key, emails in zip(numbers, self._key.of(values), self._addresses(values), strict=True):
            if isinstance(key, bytes):
                found.append((key, number))
            found.extend((contact, number) for contact in self._contact_ids(fold_addresses(emails)))
        return found

    def origin(self, line: int, values: Values) -> Origin:
        """Whose the record in a line is, as far as it tells."""
        key, emails = self._key.of([values])[0], self._addresses([values])[0]
        if self._identify is not None:
            mapped = self._mapping.contacts([values])[0]
            identity = mapped if isinstance(mapped, RowRejected) else attempt(self._identify, mapped)
            emails = [identity] if isinstance(identity, str) and identity else []
        address = fold_address(emails[0]) if len(emails) == 1 else None
        if self._address_keys is not None and key is None and address is not None:
            key = self._address_keys([address.encode()])[0]
        contact = None if address is None else self._contact_ids([address])[0]
        return Origin(self._destination, line, line, line, key if isinstance(key, bytes) else None, contact)

    def _addresses(self, values: Sequence[Values]) -> list[list[str]]:
        if self._identify is not None:
            return [[] for _ in values]
        return [*map(self._mapping.addresses_in, values)]


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
