"""Rows that are of no line of the input: they take an address off, or ask about it."""

from __future__ import annotations

from mailing_api.addresses import fold_address
from target_mailing.contacts.contact import EncodedContact, MappedContact
from target_mailing.interface.destination import Destination
from target_mailing.journal.absent import AbsentContact
from target_mailing.journal.journal import Journal
from target_mailing.rows.row import Row

__all__ = ["AddressRows"]


class AddressRows:
    """Makes such rows for one destination."""

    def __init__(self, destination: Destination, journal: Journal) -> None:
        """Encode them for the destination; the journal makes their hashes."""
        self._destination = destination
        self._journal = journal

    def former(self, row: Row, email: str, action: str) -> Row:
        """A row for an address that the row's key had before."""
        contact = EncodedContact("", "", b"")
        old = Row(row.line, row.raw, row.stream, None, 0, action, 0, contact, drops_key=True)
        self.fill(old, email)
        return old

    def absent(self, stream: str, contact: AbsentContact, action: str) -> list[Row]:
        """The rows that take off a contact which a whole input of a stream did not name: one for each of its keys."""
        rows = []
        for key, email in contact.addresses:
            has_key = key is not None
            row = Row(0, b"", stream, key, 0, action, 0, EncodedContact("", "", b""), drops_key=has_key)
            row.extend().is_absent = True
            self.fill(row, email)
            rows.append(row)
        return [row for row in rows if row.id == contact.contact]

    def fingerprint(self, email: str, action: str) -> int:
        """That of a row which takes off an address."""
        row = Row(0, b"", "", None, 0, action, 0, EncodedContact("", "", b""))
        self.fill(row, email)
        return row.fingerprint

    def fill(self, row: Row, email: str) -> None:
        """Give a row this address."""
        content = self._destination.encode(MappedContact(email, {}, {}, None, None, deleted=True), row.action)
        row.contact = EncodedContact(email, fold_address(email), content, row.contact.reference)
        row.id = self._journal.contact_id(self._destination.name, row.contact.address)
        row.fingerprint = self._journal.fingerprint(row.action, content)
