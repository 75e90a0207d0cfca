"""What the journal knows of streams' keys: the address that each has at the provider, and those it may have, too."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.hash_table import HashTable
from target_mailing.row import Row

__all__ = ["Keys"]


#: Keys looked up in one statement.
_AT_ONCE = 5000


class _PossibleAddress(msgspec.Struct):
    """An address that may be at the provider under a key, beside the key's own.

    Attributes:
        contact: keyed hash of destination and address.
        stuck: it certainly is there, for its removal failed.
    """

    contact: int
    stuck: bool


class Keys:
    """Addresses by key; the caller commits.

    A key has one address that was confirmed, or is gone. Beside it there may be possible addresses: addresses that were
    sent under the key without a confirmed result, and addresses whose removal failed. The next row of the key removes
    them.
    """

    def __init__(self, connection: sa.Connection) -> None:
        """Open the tables, with what earlier runs left."""
        self._connection = connection
        self._table = HashTable(connection, tables.keys, tables.keys_log)
        self._can_search_contacts = False
        #: An address left the table since somebody looked.
        self.has_erased = False
        self._possible: dict[bytes, dict[str, _PossibleAddress]] = {}
        for key, email, contact, stuck in connection.execute(sa.select(tables.possible_addresses)):
            self._possible.setdefault(key, {})[email] = _PossibleAddress(contact, stuck)
        self._has_shared = connection.execute(sa.select(tables.shared_keys).limit(1)).first() is not None

    def shared(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of these keys that one run had with several addresses at once."""
        if not self._has_shared:
            return set()
        found: set[bytes] = set()
        for at in range(0, len(keys), _AT_ONCE):
            query = sa.select(tables.shared_keys.c.key).where(tables.shared_keys.c.key.in_(keys[at : at + _AT_ONCE]))
            found.update(self._connection.execute(query).scalars())
        return found

    def share(self, keys: Iterable[bytes]) -> None:
        """These keys stand for several addresses at once; they are not known as such yet."""
        new = [{"key": key} for key in keys]
        if new:
            self._connection.execute(sa.insert(tables.shared_keys), new)
            self._has_shared = True

    def has_returned(self, key: bytes) -> bool:
        """Whether a key left an address and came back to it in one earlier run."""
        query = sa.select(tables.returned_keys.c.key).where(tables.returned_keys.c.key == key)
        return self._connection.execute(query).first() is not None

    def note_returned(self, keys: Iterable[bytes]) -> None:
        """These keys did so; they are not known as such yet."""
        self._connection.execute(sa.insert(tables.returned_keys), [{"key": key} for key in keys])

    def emails(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        """The address last confirmed under each of these keys; "" for a key that is gone since."""
        return {key: entry[1] for key, entry in self._table.find(keys).items()}

    @property
    def has_possible_addresses(self) -> bool:
        """Whether any key has one."""
        return bool(self._possible)

    def possible_addresses(self, key: bytes | None) -> list[str]:
        """Addresses that may be at the provider under a key, beside its own."""
        return [] if key is None else list(self._possible.get(key, ()))

    def of(self, contact: int) -> Sequence[bytes]:
        """The keys that a contact was last confirmed under."""
        self._table.merge()
        if not self._can_search_contacts:
            # Made when first needed: most pipelines never ask, and every key written would pay for it.
            self._connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS keys_by_contact ON keys (contact)")
            self._can_search_contacts = True
        query = sa.select(tables.keys.c.id).where(tables.keys.c.contact == contact)
        return self._connection.execute(query).scalars().all()

    def note(self, rows: Sequence[Row]) -> None:
        """The keys of these rows have their addresses, or are gone, as they were known to be."""
        now = int(time.time())
        entries = [_held(row.key, row, now) for row in rows if row.key]
        entries.extend(_held(key, row, now) for row in rows if row.also for key in row.also)
        before = self._table.find([entry[0] for entry in entries])
        self._table.put(entries)
        left = [key for key, email, _ in entries if key in before and before[key][1] not in ("", email)]
        if left:
            self._table.erase(left)
            self.has_erased = True

    def forget_before(self, moment: float) -> None:
        """Forget keys that were deleted before this time (Unix seconds)."""
        now = int(time.time())
        self._table.merge_if(lambda entry: not entry[1] and -entry[2] < moment)
        gone = tables.keys.c.email == ""
        # Of those that an earlier version noted it is not known when; so it is now.
        self._connection.execute(sa.update(tables.keys).where(gone, tables.keys.c.contact == 0).values(contact=-now))
        self._connection.execute(sa.delete(tables.keys).where(gone, tables.keys.c.contact > -int(moment)))

    def confirm(self, rows: Sequence[Row]) -> None:
        """These rows certainly arrived: their keys have their addresses, or are gone."""
        self.note(rows)
        if self._possible:
            self._forget_possible(rows)

    def doubt(self, rows: Iterable[Row]) -> None:
        """These rows may have arrived."""
        self._add_possible([(row.key, row.email, row.id) for row in rows if row.key and not row.drops_key], stuck=False)

    def keep(self, addresses: Iterable[tuple[bytes, str, int]]) -> None:
        """Removing these addresses of keys, each with its contact, failed."""
        self._add_possible(addresses, stuck=True)

    def stay(self, rows: Sequence[Row]) -> None:
        """The addresses of these removals are another key's: nobody is to remove them for those that left them."""
        if self._possible and rows:
            self._forget_possible(rows)

    def _add_possible(self, addresses: Iterable[tuple[bytes, str, int]], *, stuck: bool) -> None:
        new = []
        for key, email, contact in addresses:
            known = self._possible.setdefault(key, {})
            if email not in known or known[email].stuck != stuck:
                known[email] = _PossibleAddress(contact, stuck)
                new.append({"key": key, "email": email, "contact": contact, "stuck": stuck})
        if new:
            self._delete_possible((one["key"], one["email"]) for one in new)
            self._connection.execute(sa.insert(tables.possible_addresses), new)

    def _forget_possible(self, rows: Iterable[Row]) -> None:
        """Those that became the key's own, and those that left; they left before a row of the key was sent."""
        ids = {row.id for row in rows if row.key is None}
        own = {row.key: row.id for row in rows if row.key is not None}
        gone = [
            (key, email)
            for key, addresses in self._possible.items()
            for email, address in addresses.items()
            if address.contact in ids or (key in own and (not address.stuck or address.contact == own[key]))
        ]
        for key, email in gone:
            del self._possible[key][email]
            if not self._possible[key]:
                del self._possible[key]
        if gone:
            self._delete_possible(gone)

    def _delete_possible(self, which: Iterable[tuple[object, object]]) -> None:
        where = (
            tables.possible_addresses.c.key == sa.bindparam("k"),
            tables.possible_addresses.c.email == sa.bindparam("e"),
        )
        self._connection.execute(
            sa.delete(tables.possible_addresses).where(*where), [{"k": k, "e": e} for k, e in which]
        )


def _held(key: bytes, row: Row, now: int) -> tuple[bytes, str, int]:
    """A key with what it holds now.

    One that is gone is kept as such, with the time in place of a contact: its delete may come again after a stop.
    """
    return (key, "", -now) if row.drops_key else (key, row.email, row.id)
