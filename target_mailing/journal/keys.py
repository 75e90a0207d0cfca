"""The addresses of streams' keys: the one that each key has at the provider, and others that may be there, too."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.arrivals import Arrivals
from target_mailing.journal.runs import Index, Runs
from target_mailing.journal.seen_keys import SeenKeys
from target_mailing.journal.statements import Driver, delete_rows, replace_rows
from target_mailing.rows.row import Row, emails_of, have_extras

__all__ = ["Keys"]


#: What is written over the row of a key that changes. It stays, so that the rows around it stay where they are.
_ERASED: Final = {"id": b"", "email": "", "contact": 0}
#: Contacts are read ahead if the row of the next one is not farther from the last one's than this; and how many rows.
_NEAR: Final = 16
_AHEAD: Final = 512
_KEY: Final = attrgetter("key")
_NOTED: Final = attrgetter("noted_key")
_PRESENT: Final = "(contact <> 0 OR email <> '')"


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

    A key has one confirmed address, or was deleted; a key of several people is noted once for each address
    (`Row.noted_key`). Besides it there may be possible addresses: addresses that were
    sent under the key without a confirmed result, and addresses whose removal failed. The next row of the key removes
    them.
    """

    def __init__(self, connection: sa.Connection, driver: Driver) -> None:
        """Open the tables, with the entries of earlier runs."""
        self._connection = connection
        self._driver = driver
        #: The keys of contacts that may come next, until keys are noted.
        self.read_ahead: dict[int, list[bytes]] = {}
        #: The number of the row that was read last for that.
        self._asked = 0
        # Most pipelines never need this index; it is made when it is first used.
        self._by_contact = Runs(driver, tables.keys, Index("keys_by_contact", "contact", where=_PRESENT))
        by_id = Index("keys_by_id", "id", start=8, where=_PRESENT)
        self.table = Arrivals(driver, tables.keys, by_id, others=[self._by_contact], replaced=_ERASED)
        self._seen = bytearray()
        self._possible: dict[bytes, dict[str, _PossibleAddress]] = {}
        #: Keys that have a possible address, by its contact.
        self._possible_keys: dict[int, set[bytes]] = {}
        for key, email, contact, is_stuck in connection.execute(sa.select(tables.possible_addresses)):
            self._possible.setdefault(key, {})[email] = _PossibleAddress(contact, is_stuck)
            self._possible_keys.setdefault(contact, set()).add(key)

    def seen(self) -> SeenKeys:
        """The keys that rows of one destination have from now on; none has come yet."""
        return SeenKeys(self.table.last, self._seen)

    def emails(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        """The address last confirmed under each of these keys; "" for a key that was deleted since."""
        return {key: email for key, (_, _, email, _) in self.table.find(keys).items()}

    @property
    def has_possible_addresses(self) -> bool:
        """Whether any key has a possible address."""
        return bool(self._possible)

    def possible_addresses(self, key: bytes | None) -> list[str]:
        """Addresses that may be at the provider under a key, besides its own."""
        return [] if key is None else list(self._possible.get(key, ()))

    def count(self) -> int:
        """How many keys have an address."""
        query = sa.select(sa.func.count()).where(tables.keys.c.email != "")
        return int(self._connection.execute(query).scalar_one())

    def named(self, keys: Sequence[bytes]) -> tuple[list[int], list[int]]:
        """The contacts of these keys, with those that may be at the provider under one of them; and their rows."""
        found = self.table.find(keys, "name").values()
        contacts = [contact for _, _, _, contact in found]
        if self._possible:
            contacts += [one.contact for key in keys for one in self._possible.get(key, {}).values()]
        return contacts, [entry[0] for entry in found]

    def addresses(self, contacts: Iterable[int]) -> dict[int, list[tuple[bytes, str]]]:
        """The keys that each of these contacts was last confirmed under, each with its address."""
        addresses: dict[int, list[tuple[bytes, str]]] = {contact: [] for contact in contacts}
        for _, key, email, contact in self._by_contact.rows(addresses):
            if email and contact in addresses:
                addresses[contact].append((key, email))
        return addresses

    def of(self, contacts: Iterable[int]) -> dict[int, list[bytes]]:
        """The keys that each of these contacts was last confirmed under."""
        return {contact: [key for key, _ in entries] for contact, entries in self.addresses(contacts).items()}

    def of_one(self, contact: int) -> list[bytes]:
        """The keys of one contact.

        Contacts that leave mostly come in the order in which they came first: then those of the next are read, too.
        """
        if contact not in self.read_ahead:
            number = max((row[0] for row in self._by_contact.rows([contact])), default=0)
            following: list[int] = []
            if self._asked < number <= self._asked + _NEAR:
                where = f"n BETWEEN {number:d} AND {number + _AHEAD:d}"
                rows = self._driver.query(f"SELECT n, contact FROM {tables.keys.name} WHERE {where} ORDER BY n")  # noqa: S608
                number, following = rows[-1][0], [row[1] for row in rows]
            self._asked = number
            self.read_ahead = self.of([contact, *following])
        return self.read_ahead[contact]

    def note(self, rows: Sequence[Row]) -> None:
        """The keys of these rows have the rows' addresses, or were deleted, as they were known to be."""
        self.read_ahead = {}
        gone = "", -int(time.time())  # a deleted key is kept: its delete may come again after a stop
        has_extras = have_extras(rows)
        own = [
            (key, *gone) if row.drops_key else (key, email, row.id)
            for row, key, email in zip(rows, map(_NOTED if has_extras else _KEY, rows), emails_of(rows), strict=True)
        ]
        entries = {entry[0]: entry for entry in own if entry[0]}
        leaving: list[tuple[bytes, int]] = []
        if has_extras:
            entries.update((key, (key, *entry[1:])) for row, entry in zip(rows, own, strict=True) for key in row.also)
            leaving = [(row.key, row.id) for row in rows if row.drops_key and row.key and row.is_of_shared_key]
        before = self.table.find([*entries, *(key for key, _ in leaving)], "write")
        for key, contact in leaving:  # which the key may have had before it was known to be of several people
            if key in before and before[key][3] == contact:
                entries[key] = (key, *gone)
        if before:
            entries = {key: entry for key, entry in entries.items() if key not in before or before[key][1:] != entry}
        self.table.replace(entries, before)

    def forget_before(self, moment: float) -> None:
        """Forget keys that were deleted before this time (Unix seconds)."""
        contact = tables.keys.c.contact
        self.table.forget(tables.keys.c.email == "", contact > -int(moment), contact < _ERASED["contact"])

    def confirm(self, rows: Sequence[Row]) -> None:
        """These rows arrived: their keys have the rows' addresses, or are deleted."""
        self.note(rows)
        self.forget_possible(rows)

    def note_uncertain(self, rows: Iterable[Row]) -> None:
        """These rows may have arrived."""
        adding = [row for row in rows if not row.drops_key]
        emails = zip(adding, emails_of(adding), strict=True)
        addresses = [(key, email, row.id) for row, email in emails for key in (row.noted_key, *row.also) if key]
        self._add_possible(addresses, is_stuck=False)

    def note_pending_removals(self, addresses: Iterable[tuple[bytes, str, int]]) -> None:
        """These addresses of keys, each with its contact, are still to be removed."""
        self._add_possible(addresses, is_stuck=True)

    def forget_possible(self, rows: Iterable[Row]) -> None:
        """Forget possible addresses that became the own address of their key, or that a row without key removed."""
        gone: dict[tuple[bytes, str], int] = {}
        for row in rows if self._possible else ():
            keys = self._possible_keys.get(row.id, ()) if row.key is None else row.contact_keys
            for key in keys:
                for email, address in self._possible.get(key, {}).items():
                    is_own = address.contact == row.id
                    if is_own or (row.key is not None and not address.is_stuck):
                        gone[key, email] = address.contact
        for (key, email), contact in gone.items():
            left = self._possible[key]
            del left[email]
            if not left:
                del self._possible[key]
            if all(address.contact != contact for address in left.values()):
                self._possible_keys[contact].discard(key)
                if not self._possible_keys[contact]:
                    del self._possible_keys[contact]
        delete_rows(self._connection, tables.possible_addresses, [{"key": key, "email": email} for key, email in gone])

    def _add_possible(self, addresses: Iterable[tuple[bytes, str, int]], *, is_stuck: bool) -> None:
        new = []
        for key, email, contact in addresses:
            known = self._possible.setdefault(key, {})
            if email not in known or known[email].is_stuck != is_stuck:
                known[email] = _PossibleAddress(contact, is_stuck)
                self._possible_keys.setdefault(contact, set()).add(key)
                new.append({"key": key, "email": email, "contact": contact, "stuck": is_stuck})
        replace_rows(self._connection, tables.possible_addresses, new)
