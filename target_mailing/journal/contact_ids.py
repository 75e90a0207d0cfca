"""What providers call contacts, where a contact can only be removed by the provider's own ID."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from target_mailing.journal import tables

__all__ = ["ContactIds", "Named"]

#: Names, each with its contact.
Named = Iterable[tuple[int, str]]

#: Values in one statement; SQLite's documented limit of parameters is 32,766.
_AT_ONCE = 5000


class ContactIds:
    """Names by contact; the caller commits.

    A contact may have several: the provider may have made it anew, and nobody knows what became of the old one. A name
    may belong to several contacts: the provider may take as the same what we do not, and a contact of the account that
    is on two of its lists has one name, but is two contacts here.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def of(self, contacts: Sequence[int]) -> dict[int, list[str]]:
        """The names of these contacts, by contact."""
        found: dict[int, list[str]] = {}
        for contact, name in self._select(tables.names.c.contact, contacts):
            found.setdefault(contact, []).append(name)
        return found

    def contacts(self, destination: int, names: Sequence[str]) -> dict[str, list[int]]:
        """The contacts of these names at one destination, by name."""
        found: dict[str, list[int]] = {}
        for contact, name in self._select(tables.names.c.name, names, tables.names.c.destination == destination):
            found.setdefault(name, []).append(contact)
        return found

    def add(self, destination: int, names: Named) -> None:
        """Add names, each with its contact, all at one destination."""
        if wanted := dict.fromkeys(names):
            known = {(contact, name) for contact, each in self.of([one for one, _ in wanted]).items() for name in each}
            new = [
                {"contact": contact, "name": name, "destination": destination}
                for contact, name in wanted
                if (contact, name) not in known
            ]
            if new:
                self._connection.execute(sa.insert(tables.names), new)

    def drop(self, names: Named) -> None:
        """Forget names, each of its contact."""
        for contact, name in names:
            self._connection.execute(
                sa.delete(tables.names).where(tables.names.c.contact == contact, tables.names.c.name == name)
            )

    def _select(
        self, column: sa.Column[int] | sa.Column[str], values: Sequence[object], *where: sa.ColumnElement[bool]
    ) -> Iterable[tuple[int, str]]:
        wanted = sorted(set(values), key=str)
        query = sa.select(tables.names.c.contact, tables.names.c.name).where(*where)
        for at in range(0, len(wanted), _AT_ONCE):
            some = self._connection.execute(query.where(column.in_(wanted[at : at + _AT_ONCE])))
            yield from ((contact, name) for contact, name in some)
