"""Tables that end with the run: made when they are needed, however many rows they get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.schema import DropTable

from target_mailing.journal.statements import Driver

__all__ = ["RunTable"]

#: The type of 64 bits that SQLite takes as a row's own number.
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class RunTable:
    """In SQLite a temporary table; in PostgreSQL, where a role may not make these, one that the next run empties.

    Attributes:
        table: for statements; it exists once `make` was called.
        is_made: whether it exists.
    """

    def __init__(
        self,
        connection: sa.Connection,
        name: str,
        transaction: Callable[[], AbstractContextManager[None]],
        *columns: str,
    ) -> None:
        """Take its name and those of its columns, all of numbers; the first is the primary key.

        `transaction` is where it is made.
        """
        self._connection = connection
        self._driver = Driver(connection)
        self._transaction = transaction
        kind = "TEMPORARY" if connection.dialect.name == "sqlite" else "UNLOGGED"
        self.table = _table(kind, name, *columns)
        self.is_made = False
        self._select = f"SELECT {','.join(columns)} FROM {name} WHERE {columns[0]} IN"  # noqa: S608 - names are ours
        others = ",".join(f"{one}=excluded.{one}" for one in columns[1:])
        self._replacing = f" ON CONFLICT ({columns[0]}) DO " + (f"UPDATE SET {others}" if others else "NOTHING")

    def rows(self, keys: Sequence[int]) -> list[Any]:
        """The rows with these primary keys, in no order; called in a transaction."""
        return self._driver.select(self._select, keys) if self.is_made else []

    def replace(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, which have different primary keys, in place of those that are there; called in a transaction."""
        if rows:
            self._driver.insert(self.table, [*zip(*rows, strict=True)], then=self._replacing)

    def make(self) -> None:
        """Make it, empty, unless this run has."""
        if not self.is_made:
            with self._transaction():
                self._connection.execute(DropTable(self.table, if_exists=True))
                self.table.create(self._connection, checkfirst=False)
            self.is_made = True


@cache
def _table(kind: str, name: str, key: str, *others: str) -> sa.Table:
    """The same one each time, so that SQLAlchemy knows the statements about it that it has compiled."""
    columns = [sa.Column(other, _NUMBER, nullable=False) for other in others]
    first = sa.Column(key, _NUMBER, primary_key=True, autoincrement=False)
    return sa.Table(name, sa.MetaData(), first, *columns, prefixes=[kind])
