"""Which address each key has, while the rows of one list come in their order, and which addresses that leaves."""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from mailing_api.addresses import is_reachable
from target_mailing.contacts.consent import Actions
from target_mailing.delivery.shared_keys import SharedKeys
from target_mailing.rows.row import Row

__all__ = ["Holders", "Taken"]

#: A row without a key has one made of its stream and its address, as text; the keyed hashes of others are bytes.
_TABLE: Final = """
CREATE TABLE holders (key BLOB PRIMARY KEY, address TEXT NOT NULL, contact INTEGER NOT NULL, shared INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE INDEX holders_by_address ON holders (address);
"""
_PUT: Final = "INSERT OR REPLACE INTO holders VALUES (?,?,?,?)"


class Taken(msgspec.Struct, frozen=True):
    """What a row does.

    Attributes:
        address: of whom it concerns, folded; "" if nobody can be found by its key.
        former: the address that leaves the list, because the row's key has another one; "" for none.
        stays: the row takes its contact off, who stays for another key.
    """

    address: str
    former: str = ""
    stays: bool = False


class Holders:
    """The address that each key has by its last row, and each stream without keys; on disk."""

    def __init__(self, database: sqlite3.Connection, actions: Actions, shared: SharedKeys, *, moves: bool) -> None:
        """Begin with none.

        Args:
            database: where they are kept.
            actions: of the destination.
            shared: which keys stand for several addresses.
            moves: if the address of a key changes, its former address leaves the list.
        """
        self._database = database
        self._actions = actions
        self._shared = shared
        self._moves = moves
        database.executescript(_TABLE)

    def take(self, row: Row) -> Taken:
        """Take the next row."""
        if row.key is None:
            key = f"{row.stream}\0{row.address}"
            is_gone = row.action == self._actions.remove
            self._database.execute(_PUT, (key, "" if is_gone else row.address, row.id, False))
            return Taken(row.address)
        found = self._database.execute("SELECT address, contact, shared FROM holders WHERE key = ?", (row.key,))
        before, contact, was_shared = found.fetchone() or ("", 0, False)
        shared = {row.key} if was_shared else set()
        is_shared = self._shared.holds(row, contact if before else 0, shared, came=bool(before))
        known = "" if is_shared else before
        by_key = not row.email or (row.drops_key and known and not is_reachable(row.email))
        taken = self._taken(row, row.key, known if by_key else row.address, known)
        after = "" if self._drops(row) else taken.address
        if (after, is_shared) != (before, was_shared):
            after_contact = contact if by_key else row.id
            self._database.execute(_PUT, (row.key, after, after_contact, is_shared))
        return taken

    def _taken(self, row: Row, key: bytes, address: str, before: str) -> Taken:
        """What a row does to its own contact, and to another one that its key has."""
        stays = row.drops_key and row.action == self._actions.remove and self._is_held(address, key)
        former = before if self._moves and before != address and row.action not in self._actions.account_wide else ""
        if former and self._is_held(former, key, also_without_key=not row.drops_key):
            former = ""
        return Taken(address, former, stays)

    def _drops(self, row: Row) -> bool:
        """Whether the key has no address afterwards."""
        if row.action == self._actions.unsubscribe:
            return not self._actions.records_opt_outs
        return row.drops_key or row.action == self._actions.remove

    def _is_held(self, address: str, key: bytes, *, also_without_key: bool = False) -> bool:
        """Whether a key other than this has an address.

        Args:
            address: folded.
            key: may have it, too.
            also_without_key: a stream without keys counts, too. It does not keep an address that a deleted row
                removes, because a delivery removes it then.
        """
        others = self._database.execute("SELECT key FROM holders WHERE address = ? AND key <> ?", (address, key))
        return bool(address) and any(also_without_key or isinstance(other, bytes) for (other,) in others)
