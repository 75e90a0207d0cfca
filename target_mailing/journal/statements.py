"""Statements with as many values as there are: a database limits the parameters of one statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

__all__ = ["VALUES_AT_ONCE", "delete_rows", "replace_rows", "select_in"]

#: Values in one statement; SQLite's documented limit of parameters is 32,766.
VALUES_AT_ONCE: Final = 5000


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
        # A parameter may not have the name of a column.
        where = [column == sa.bindparam(f"key_{column.name}") for column in table.primary_key]
        keys = [{f"key_{column.name}": row[column.name] for column in table.primary_key} for row in rows]
        connection.execute(sa.delete(table).where(*where), keys)


def replace_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; each takes the place of the row with the same primary key."""
    if rows:
        delete_rows(connection, table, rows)
        connection.execute(sa.insert(table), rows)
