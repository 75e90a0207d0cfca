"""What people declined who are not at the provider yet: it keeps choices only of contacts that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

import sqlalchemy as sa

from target_mailing.journal import tables

__all__ = ["Declined"]

#: Values in one statement; SQLite's documented limit of parameters is 32,766.
_AT_ONCE = 5000


class Declined:
    """Names of what is declined, such as topics, by contact. They are kept until the provider has them."""

    def __init__(self, connection: sa.Connection, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        """Use the table, each time in a transaction of its own."""
        self._connection = connection
        self._transaction = transaction
        self._is_empty = connection.execute(sa.select(tables.declined.c.contact).limit(1)).first() is None

    def of(self, contacts: Sequence[int]) -> dict[int, set[str]]:
        """What these contacts declined."""
        found: dict[int, set[str]] = {}
        if self._is_empty:
            return found
        table = tables.declined.c
        with self._transaction():
            for at in range(0, len(contacts), _AT_ONCE):
                some = sa.select(table.contact, table.name).where(table.contact.in_(contacts[at : at + _AT_ONCE]))
                for contact, name in self._connection.execute(some):
                    found.setdefault(contact, set()).add(name)
        return found

    def add(self, names: Iterable[tuple[int, str]]) -> None:
        """Contacts decline these, each with its contact; none of them is known yet."""
        if new := [{"contact": contact, "name": name} for contact, name in names]:
            with self._transaction():
                self._connection.execute(sa.insert(tables.declined), new)
            self._is_empty = False

    def drop(self, names: Iterable[tuple[int, str]]) -> None:
        """The provider has these now, each with its contact."""
        table = tables.declined.c
        with self._transaction():
            for contact, name in names:
                at = (table.contact == contact) & (table.name == name)
                self._connection.execute(sa.delete(tables.declined).where(at))
