"""A stream's rows from their contacts: encoded for the destination and hashed for the journal, many together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, Final

import msgspec

from mailing_api.addresses import fold_addresses
from target_mailing.contacts.contact import EncodedContact
from target_mailing.contacts.fields import RowRejected, attempt
from target_mailing.contacts.mapping import Values
from target_mailing.contacts.row_address import opt_out_address
from target_mailing.input.row_key import RowKey
from target_mailing.interface.destination import Destination
from target_mailing.journal.hashes import Hashes
from target_mailing.rows.lines import Lines
from target_mailing.rows.row import Row

__all__ = ["Records", "RowEncoder"]

_DELETED: Final = attrgetter("deleted")


class Records(msgspec.Struct, frozen=True):
    """Some records of a stream, by column.

    Attributes:
        numbers: of their lines.
        values: needed by the mapping, and their keys.
        keys: hashed, None where the journal need not remember it; RowRejected where it is missing.
        contacts: mapped; RowRejected where that is impossible.
    """

    numbers: Sequence[int]
    values: Sequence[Values]
    keys: Sequence[Any]
    contacts: Sequence[Any]

    def at(self, places: Sequence[int]) -> Records:
        """Those at these places."""
        return Records(
            _at(self.numbers, places), _at(self.values, places), _at(self.keys, places), _at(self.contacts, places)
        )


class RowEncoder:
    """Makes the rows of one stream."""

    def __init__(
        self, source: str, stream: str, destination: Destination, key: RowKey, hashes: Hashes, *, tells_changes: bool
    ) -> None:
        """Make it.

        Args:
            source: the stream's name in the input.
            stream: its name after stream maps.
            destination: of its rows.
            key: reads its keys.
            hashes: the journal's keyed hashes.
            tells_changes: it is a log.
        """
        self._source = source
        self._stream = stream
        self._destination = destination
        self._actions = destination.actions
        self._identify = destination.fields.identify
        self._key = key
        self._hashes = hashes
        self._contact_ids = hashes.contact_ids(destination.name)
        self._tells_changes = tells_changes

    def rows(self, lines: Lines, records: Records, actions: Sequence[Any]) -> list[Any]:
        """The rows of those records that have an action, or why their contacts cannot be sent; else what is there."""
        results = [*actions]
        for action in dict.fromkeys(actions):
            if isinstance(action, str):
                places = [at for at, one in enumerate(actions) if one == action]
                results = _put(results, places, self._rows(lines, records.at(places), action))
        return results

    def _rows(self, lines: Lines, records: Records, action: str) -> list[Row | RowRejected]:
        results = self._encoded(action, records)
        fit = _fit(results)
        sent, records = _at(results, fit), records.at(fit)
        ids = self._contact_ids([contact.address for contact in sent])
        fingerprints = self._hashes.fingerprints(action)([contact.content for contact in sent])
        deleted = [*map(_DELETED, records.contacts)]
        drops, tells = [False] * len(deleted), [False] * len(deleted)
        if any(deleted):
            drops = [is_deleted and key is not None for is_deleted, key in zip(deleted, records.keys, strict=True)]
        if self._tells_changes:  # a log leaves the deletion mark empty, or fills it with a time
            marks = zip(deleted, records.values, strict=True)
            tells = [is_deleted or values[1] is None for is_deleted, values in marks]
        columns = (records.numbers, lines.at(records.numbers), repeat(self._source), records.keys, ids, repeat(action))
        return _put(results, fit, [*map(Row, *columns, fingerprints, sent, drops, tells)])

    def _encoded(self, action: str, records: Records) -> list[Any]:
        """The contacts as they are sent, or why they cannot be."""
        emails = self._emails(action, records)
        fit = _fit(emails)
        sent, records = _at(emails, fit), records.at(fit)
        contents = self._destination.encode_all(records.contacts, action)
        encoded = [
            content if isinstance(content, RowRejected) else EncodedContact(email, address, content, reference)
            for email, address, content, reference in zip(
                sent, fold_addresses(sent), contents, self._references(records), strict=True
            )
        ]
        return _put(emails, fit, encoded)

    def _emails(self, action: str, records: Records) -> list[Any]:
        """The address of each contact, or what else identifies it."""
        if action == self._actions.unsubscribe:
            for contact in records.contacts:
                if contact.email:
                    contact.email = opt_out_address(contact.email, ascii_only=self._destination.fields.ascii_only)
        emails: list[Any]
        if self._identify is None:
            emails = [contact.email or "" for contact in records.contacts]
        else:
            emails = [attempt(self._identify, contact, action) for contact in records.contacts]
        if "" in emails:
            for at, (email, key) in enumerate(zip(emails, records.keys, strict=True)):
                if email == "" and key is None:
                    emails[at] = RowRejected("unknown_key", "a deleted row without address and key")
        return emails

    def _references(self, records: Records) -> list[tuple[str, ...]]:
        """The stream and key of each, where the destination has the provider keep them."""
        if self._identify is None:
            return [()] * len(records.keys)
        return [
            () if key is None else (self._stream, self._key.text(values))
            for key, values in zip(records.keys, records.values, strict=True)
        ]


def _fit(column: Sequence[Any]) -> Sequence[int]:
    """The places of what is not rejected: nearly always all."""
    if RowRejected not in {*map(type, column)}:
        return range(len(column))
    return [at for at, one in enumerate(column) if not isinstance(one, RowRejected)]


def _at(column: Sequence[Any], places: Sequence[int]) -> Sequence[Any]:
    """What is at these places."""
    return column if len(places) == len(column) else [column[at] for at in places]


def _put(column: list[Any], places: Sequence[int], those: list[Any]) -> list[Any]:
    """The column with those at these places."""
    if len(places) == len(column):
        return those
    for at, one in zip(places, those, strict=True):
        column[at] = one
    return column
