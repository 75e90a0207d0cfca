"""Tables that end with the run: made when they are needed, however many rows they get."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa
from sqlalchemy.schema import DropTable

__all__ = ["RunTable", "number"]


def number() -> sa.types.TypeEngine[int]:
    """The type of 64 bits that SQLite takes as a row's own number."""
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


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
        *columns: sa.Column[int],
    ) -> None:
        """Take its name and columns; `transaction` is where it is made."""
        self._connection = connection
        self._transaction = transaction
        kind = "TEMPORARY" if connection.dialect.name == "sqlite" else "UNLOGGED"
        self.table = sa.Table(name, sa.MetaData(), *columns, prefixes=[kind])
        self.is_made = False

    def make(self) -> None:
        """Make it, empty, unless this run has."""
        if not self.is_made:
            with self._transaction():
                self._connection.execute(DropTable(self.table, if_exists=True))
                self.table.create(self._connection, checkfirst=False)
            self.is_made = True
