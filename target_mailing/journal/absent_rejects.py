"""Open rejects of people whom a whole input does not name."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.open_rejects import OpenRejects
from target_mailing.rows.row import Resource

__all__ = ["AbsentRejects"]


class AbsentRejects:
    """Notes whom an input names, as far as they have open rejects, and closes those of all others."""

    def __init__(self, opened: OpenRejects) -> None:
        """Begin with nobody named."""
        self._opened = opened
        self._named: set[Resource] = set()

    def name(self, resources: Iterable[Resource]) -> None:
        """The input names these keys and contacts."""
        if not self._opened.is_empty and (known := self._opened.resources()) is not None:
            self._named.update(known.intersection(resources))

    def close(self, destination: str, stream: str) -> int:
        """A whole input of a stream was read: close earlier rejects of people whom it does not name.

        Returns:
            How many these are; none where there are too many rejects to know whom it names.
        """
        opened, table = self._opened, tables.open_rejects.c
        if opened.is_empty or opened.resources() is None:
            return 0
        query = sa.select(table.id, table.key, table.contact).where(
            table.destination == destination, table.stream == stream, table.n <= opened.base
        )
        with opened.transaction():
            rows = opened.connection.execute(query)
            gone = [one.id for one in rows if self._named.isdisjoint((one.key, one.contact))]
            opened.delete(gone)
        return len(gone)
