"""The addresses of streams' keys: the one that each key has at the provider, and others that may be there, too."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.hash_table import HashTable
from target_mailing.journal.statements import delete_rows, replace_rows
from target_mailing.row import Row

__all__ = ["Keys"]


class _PossibleAddress(msgspec.Struct):
    """An address that may be at the provider under a key, besides the key's own.

    Attributes:
        contact: keyed hash of destination and address.
        is_stuck: it is there: its removal failed or is pending.
    """

    contact: int
    is_stuck: bool


class Keys:
    """Addresses by key; the caller commits.

    A key has one confirmed address, or was deleted. Besides it there may be possible addresses: addresses that were
    sent under the key without a confirmed result, and addresses whose removal failed. The next row of the key removes
    them.
    """

    def __init__(self, connection: sa.Connection) -> None:
        """Open the tables, with the entries of earlier runs."""
        self._connection = connection
        self._table = HashTable(connection, tables.keys, tables.keys_log)
        self._has_index = False
        #: An address was erased; the caller resets it.
        self.has_erased = False
        self._possible: dict[bytes, dict[str, _PossibleAddress]] = {}
        for key, email, contact, is_stuck in connection.execute(sa.select(tables.possible_addresses)):
            self._possible.setdefault(key, {})[email] = _PossibleAddress(contact, is_stuck)

    def emails(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        """The address last confirmed under each of these keys; "" for a key that was deleted since."""
        return {key: entry[1] for key, entry in self._table.find(keys).items()}

    @property
    def has_possible_addresses(self) -> bool:
        """Whether any key has a possible address."""
        return bool(self._possible)

    def possible_addresses(self, key: bytes | None) -> list[str]:
        """Addresses that may be at the provider under a key, besides its own."""
        return [] if key is None else list(self._possible.get(key, ()))

    def of(self, contact: int) -> Sequence[bytes]:
        """The keys that a contact was last confirmed under."""
        self._table.merge()
        if not self._has_index:
            # Most pipelines never need the index, and each key written would pay for it.
            self._connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS keys_by_contact ON keys (contact)")
            self._has_index = True
        query = sa.select(tables.keys.c.id).where(tables.keys.c.contact == contact)
        return self._connection.execute(query).scalars().all()

    def note(self, rows: Sequence[Row]) -> None:
        """The keys of these rows have the rows' addresses, or were deleted, as they were known to be."""
        now = int(time.time())
        entries = [_entry(row.key, row, now) for row in rows if row.key]
        entries.extend(_entry(key, row, now) for row in rows for key in row.also)
        before = self.emails([key for key, _, _ in entries])
        self._table.put(entries)
        left = [key for key, email, _ in entries if before.get(key, "") not in ("", email)]
        if left:
            self._table.erase(left)
            self.has_erased = True

    def forget_before(self, moment: float) -> None:
        """Forget keys that were deleted before this time (Unix seconds)."""
        now = int(time.time())
        self._table.merge_if(lambda entry: not entry[1] and -entry[2] < moment)
        is_deleted = tables.keys.c.email == ""
        # Earlier versions did not note the time: it is now.
        self._connection.execute(
            sa.update(tables.keys).where(is_deleted, tables.keys.c.contact == 0).values(contact=-now)
        )
        self._connection.execute(sa.delete(tables.keys).where(is_deleted, tables.keys.c.contact > -int(moment)))

    def confirm(self, rows: Sequence[Row]) -> None:
        """These rows arrived: their keys have the rows' addresses, or are deleted."""
        self.note(rows)
        self.forget_possible(rows)

    def note_uncertain(self, rows: Iterable[Row]) -> None:
        """These rows may have arrived."""
        adding = [row for row in rows if not row.drops_key]
        addresses = [(key, row.email, row.id) for row in adding for key in (row.key, *row.also) if key]
        self._add_possible(addresses, is_stuck=False)

    def note_pending_removals(self, addresses: Iterable[tuple[bytes, str, int]]) -> None:
        """These addresses of keys, each with its contact, are still to be removed."""
        self._add_possible(addresses, is_stuck=True)

    def forget_possible(self, rows: Iterable[Row]) -> None:
        """Forget possible addresses that became the own address of their key, or that a row without key removed."""
        if not self._possible:
            return
        removed = {row.id for row in rows if row.key is None}
        own = {key: row.id for row in rows if row.key is not None for key in (row.key, *row.also)}
        gone = [
            (key, email)
            for key, addresses in self._possible.items()
            for email, address in addresses.items()
            if address.contact in removed or (key in own and (not address.is_stuck or address.contact == own[key]))
        ]
        for key, email in gone:
            del self._possible[key][email]
            if not self._possible[key]:
                del self._possible[key]
        delete_rows(self._connection, tables.possible_addresses, [{"key": key, "email": email} for key, email in gone])

    def _add_possible(self, addresses: Iterable[tuple[bytes, str, int]], *, is_stuck: bool) -> None:
        new = []
        for key, email, contact in addresses:
            known = self._possible.setdefault(key, {})
            if email not in known or known[email].is_stuck != is_stuck:
                known[email] = _PossibleAddress(contact, is_stuck)
                new.append({"key": key, "email": email, "contact": contact, "stuck": is_stuck})
        replace_rows(self._connection, tables.possible_addresses, new)


def _entry(key: bytes, row: Row, now: int) -> tuple[bytes, str, int]:
    """A key with its address and contact.

    A deleted key is kept, with the time in place of a contact: its delete may come again after a stop.
    """
    return (key, "", -now) if row.drops_key else (key, row.email, row.id)
