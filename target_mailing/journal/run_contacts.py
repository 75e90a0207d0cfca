"""Contacts of which this run learned something that later rows must know; few are in memory, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.schema import DropTable

from target_mailing.journal.statements import select_in

__all__ = ["RunContacts"]

#: Contacts in memory, until they are written to the table.
_RECENT: Final = 16_384


class RunContacts:
    """A set of contacts' hashes, which ends with the run.

    Its table is made when it is needed: in SQLite a temporary one, in PostgreSQL, where a role may not make these, one
    that is emptied by the next run.
    """

    def __init__(
        self, connection: sa.Connection, name: str, transaction: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Begin empty.

        Args:
            connection: to the journal.
            name: of the table.
            transaction: in which each call is made.
        """
        self._connection = connection
        self._transaction = transaction
        kind = "TEMPORARY" if connection.dialect.name == "sqlite" else "UNLOGGED"
        number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
        column = sa.Column("contact", number, primary_key=True, autoincrement=False)
        self._table = sa.Table(name, sa.MetaData(), column, prefixes=[kind])
        self._is_made = False
        self._recent: set[int] = set()
        self._looked_up: dict[int, bool] = {}

    def look_up(self, contacts: Sequence[int]) -> set[int]:
        """Which of these are in the set, by one query; the next questions are about them."""
        found = self._recent.intersection(contacts)
        if self._is_made:
            stored = self._stored(contacts)
            self._looked_up = {contact: contact in stored for contact in contacts}
            found |= stored
        return found

    def __contains__(self, contact: int) -> bool:
        """Whether a contact is in the set."""
        if not self._is_made or contact in self._recent:
            return contact in self._recent
        if contact not in self._looked_up:
            self._looked_up[contact] = bool(self._stored([contact]))
        return self._looked_up[contact]

    def add(self, contact: int) -> None:
        """Add a contact."""
        self._recent.add(contact)
        if len(self._recent) >= _RECENT:
            self._store()

    def _store(self) -> None:
        recent, self._recent = self._recent, set()
        with self._transaction():
            if not self._is_made:
                self._connection.execute(DropTable(self._table, if_exists=True))
                self._table.create(self._connection, checkfirst=False)
        self._is_made = True
        new = sorted(recent - self._stored([*recent]))
        with self._transaction():
            if new:
                self._connection.execute(sa.insert(self._table), [{"contact": contact} for contact in new])
        self._looked_up.update(dict.fromkeys(recent & self._looked_up.keys(), True))

    def _stored(self, contacts: Sequence[int]) -> set[int]:
        with self._transaction():
            query, column = sa.select(self._table), self._table.c.contact
            return {row.contact for row in select_in(self._connection, query, column, contacts)}
