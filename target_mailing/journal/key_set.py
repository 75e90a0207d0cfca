"""A set of keys of streams, of which the journal keeps hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

import sqlalchemy as sa

from target_mailing.journal.statements import replace_rows, select_in

__all__ = ["KeySet"]


class KeySet:
    """Hashes of keys in a table of their own; each call is a transaction of its own."""

    def __init__(
        self, connection: sa.Connection, table: sa.Table, transaction: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Use the table, whose only column is `key`."""
        self._connection = connection
        self._table = table
        self._transaction = transaction
        self._is_empty = connection.execute(sa.select(table).limit(1)).first() is None

    def among(self, keys: Sequence[bytes]) -> set[bytes]:
        """Which of these keys are in the set."""
        if self._is_empty:
            return set()
        with self._transaction():
            return {key for (key,) in select_in(self._connection, sa.select(self._table), self._table.c.key, keys)}

    def add(self, keys: Iterable[bytes]) -> None:
        """Add keys."""
        with self._transaction():
            replace_rows(self._connection, self._table, [{"key": key} for key in keys])
        self._is_empty = False
