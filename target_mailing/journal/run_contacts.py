"""Contacts of which this run learned something that later rows must know; few are in memory, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import sqlalchemy as sa

from target_mailing.journal.run_table import RunTable

__all__ = ["RunContacts"]

#: Contacts in memory, until they are written to the table.
_RECENT: Final = 16_384


class RunContacts:
    """A set of contacts' hashes, which ends with the run."""

    def __init__(
        self, connection: sa.Connection, name: str, transaction: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Begin empty.

        Args:
            connection: to the journal.
            name: of the table.
            transaction: in which each call is made.
        """
        self._transaction = transaction
        self._own = RunTable(connection, name, transaction, "contact")
        self._table = self._own.table
        self._recent: set[int] = set()
        self._looked_up: dict[int, bool] = {}

    def look_up(self, contacts: Sequence[int]) -> set[int]:
        """Which of these are in the set, by one query; the next questions are about them."""
        found = self._recent.intersection(contacts)
        if self._own.is_made:
            stored = self._stored(contacts)
            self._looked_up = {contact: contact in stored for contact in contacts}
            found |= stored
        return found

    def __contains__(self, contact: int) -> bool:
        """Whether a contact is in the set."""
        if not self._own.is_made or contact in self._recent:
            return contact in self._recent
        if contact not in self._looked_up:
            self._looked_up[contact] = bool(self._stored([contact]))
        return self._looked_up[contact]

    def add(self, contact: int) -> None:
        """Add a contact."""
        self._recent.add(contact)
        if len(self._recent) >= _RECENT:
            self._store()

    def add_all(self, contacts: Iterable[int]) -> None:
        """Add contacts."""
        self._recent.update(contacts)
        if len(self._recent) >= _RECENT:
            self._store()

    def all(self) -> sa.Select[tuple[int]]:
        """A query of all, for statements of this run."""
        self._store()
        return sa.select(self._table.c.contact)

    def _store(self) -> None:
        recent, self._recent = self._recent, set()
        self._own.make()
        with self._transaction():
            self._own.replace([(contact,) for contact in sorted(recent)])
        self._looked_up.update(dict.fromkeys(recent & self._looked_up.keys(), True))

    def _stored(self, contacts: Sequence[int]) -> set[int]:
        with self._transaction():
            return {contact for (contact,) in self._own.rows(contacts)}
