"""Statements with as many values as there are: a database limits the parameters of one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Final

import sqlalchemy as sa

__all__ = ["VALUES_AT_ONCE", "Driver", "delete_rows", "padded", "replace_rows", "select_in"]

#: Values in one statement; SQLite's documented limit of parameters is 32,766.
VALUES_AT_ONCE: Final = 5000
#: Values that one statement of SQLite looks up in an index: sqlite3 keeps 128 statements, of 200 bytes a value.
_SQLITE_VALUES_AT_ONCE: Final = 500
#: Rows in one INSERT: SQLite takes half as long as for a statement each, and no less for more of them.
_ROWS_AT_ONCE: Final = 200
#: Tables whose statements are kept.
_TABLES: Final = 64


class Driver:
    """Statements as strings, where rows are many: SQLAlchemy takes longer for a parameter than the database.

    Attributes:
        connection: to the journal.
        parameter: stands for a value in a statement.
        is_sqlite: whether the database is SQLite.
        values_at_once: how many values one statement looks up in an index.
        has_erased: an address was erased since this was last reset.
    """

    def __init__(self, connection: sa.Connection) -> None:
        """Use a connection to the journal."""
        self.connection = connection
        self.dialect = connection.dialect
        self.execute: Callable[..., sa.CursorResult[Any]] = connection.execute
        self.is_sqlite = connection.dialect.name == "sqlite"
        self.has_erased = False
        self.parameter = "?" if self.is_sqlite else "%s"
        # What is one call for SQLite is a round trip for others.
        self._rows_at_once = _ROWS_AT_ONCE if self.is_sqlite else VALUES_AT_ONCE
        self.values_at_once = _SQLITE_VALUES_AT_ONCE if self.is_sqlite else VALUES_AT_ONCE

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query."""
        return [*self.connection.exec_driver_sql(statement, tuple(values) or None).cursor.fetchall()]

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run a statement that has no rows."""
        self.connection.exec_driver_sql(statement, tuple(values) or None)

    def run_each(self, statement: str, values: list[tuple[Any, ...]]) -> None:
        """Run a statement with each of these parameters."""
        if values:
            self.connection.exec_driver_sql(statement, values)

    def select(self, query: str, values: Sequence[Any]) -> list[Any]:
        """The rows of a query that ends with IN, for any number of values."""
        found: list[Any] = []
        for begin in range(0, len(values), VALUES_AT_ONCE):
            some = padded(values[begin : begin + VALUES_AT_ONCE])
            found += self.query(f"{query} ({','.join([self.parameter] * len(some))})", some)
        return found

    def insert(self, table: sa.Table, columns: Sequence[Sequence[Any]], *, then: str = "") -> None:
        """Insert rows, given by all columns of the table, in its order; `then` ends the statement."""
        names = ",".join(column.name for column in table.columns)
        row = f"({','.join([self.parameter] * len(columns))})"
        rows, count = zip(*columns, strict=True), len(columns[0])
        for begin in range(0, count, self._rows_at_once):
            some = min(self._rows_at_once, count - begin)
            insert = f"INSERT INTO {table.name} ({names}) VALUES {','.join([row] * some)}{then}"  # noqa: S608 - names are ours
            self.run(insert, tuple(chain.from_iterable(islice(rows, some))))

    @contextmanager
    def free_pages_stay(self) -> Iterator[None]:
        """Meanwhile, SQLite leaves what is in pages that become free, until they are used again."""
        if self.is_sqlite:
            self.run("PRAGMA secure_delete=FAST")
        try:
            yield
        finally:
            if self.is_sqlite:
                self.run("PRAGMA secure_delete=ON")


def padded(values: Sequence[Any]) -> Sequence[Any]:
    """Values to look up, with NULLs, which equal nothing, up to one of few lengths: a known statement is not parsed."""
    return [*values, *[None] * ((1 << len(values).bit_length()) - len(values))]


def select_in(
    connection: sa.Connection, query: sa.Select[Any], column: sa.ColumnElement[Any], values: Sequence[object]
) -> Iterator[sa.Row[Any]]:
    """The rows of a query whose column has one of these values."""
    wanted = list(dict.fromkeys(values))
    for begin in range(0, len(wanted), VALUES_AT_ONCE):
        yield from connection.execute(query.where(column.in_(wanted[begin : begin + VALUES_AT_ONCE])))


def delete_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Delete the rows that have the primary keys of these."""
    if rows:
        keys = [{f"key_{column.name}": row[column.name] for column in table.primary_key} for row in rows]
        connection.execute(_delete(table), keys)


def replace_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; each takes the place of the row with the same primary key."""
    if rows:
        delete_rows(connection, table, rows)
        connection.execute(_insert(table), rows)


# SQLAlchemy takes longer to compose these than SQLite to run them.


@lru_cache(_TABLES)
def _delete(table: sa.Table) -> sa.Delete:
    # A parameter may not have the name of a column.
    return sa.delete(table).where(*(column == sa.bindparam(f"key_{column.name}") for column in table.primary_key))


@lru_cache(_TABLES)
def _insert(table: sa.Table) -> sa.Insert:
    return sa.insert(table)
