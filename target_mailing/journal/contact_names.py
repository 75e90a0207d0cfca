"""Names by contact: the provider's IDs of contacts, or topics that contacts declined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa

from target_mailing.journal.statements import delete_rows, replace_rows, select_in

__all__ = ["ContactName", "ContactNames"]

#: A contact's keyed hash, and a name.
ContactName = tuple[int, str]


class ContactNames:
    """Names by contact, in a table of their own.

    A contact may have several names, and a name may belong to several contacts.
    """

    def __init__(
        self, connection: sa.Connection, table: sa.Table, transaction: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Use a table.

        Args:
            connection: to the journal.
            table: with columns `contact` and `name`.
            transaction: in which each call is made; nothing where the caller commits.
        """
        self._connection = connection
        self._table = table
        self._transaction = transaction
        self._is_empty = connection.execute(sa.select(table).limit(1)).first() is None

    def of(self, contacts: Sequence[int]) -> dict[int, set[str]]:
        """The names of these contacts, by contact."""
        names: dict[int, set[str]] = {}
        if not self._is_empty:
            with self._transaction():
                for row in select_in(self._connection, sa.select(self._table), self._table.c.contact, contacts):
                    names.setdefault(row.contact, set()).add(row.name)
        return names

    def holders(self, names: Sequence[str], **columns: Any) -> dict[str, list[int]]:
        """By name, the contacts that have it, where the other columns of the table are these."""
        query, found = sa.select(self._table).filter_by(**columns), dict[str, list[int]]()
        with self._transaction():
            for row in select_in(self._connection, query, self._table.c.name, names):
                found.setdefault(row.name, []).append(row.contact)
        return found

    def add(self, names: Iterable[ContactName], **columns: Any) -> None:
        """Add names, each to its contact; `columns` are the others of the table."""
        if rows := _rows(names):
            with self._transaction():
                replace_rows(self._connection, self._table, [row | columns for row in rows])
            self._is_empty = False

    def drop(self, names: Iterable[ContactName]) -> None:
        """Forget names, each of its contact."""
        if rows := _rows(names):
            with self._transaction():
                delete_rows(self._connection, self._table, rows)


def _rows(names: Iterable[ContactName]) -> list[dict[str, Any]]:
    return [{"contact": contact, "name": name} for contact, name in dict.fromkeys(names)]
