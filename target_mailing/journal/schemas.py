"""The tables of a journal in a schema of PostgreSQL, as a whole: copied, or rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from mailing_api.storage import postgres
from target_mailing.journal import tables

__all__ = ["compact", "copy", "copy_table", "run_over"]

#: Tables that end with a run stay, unlogged, until the next one empties them.
_OF_RUNS: Final = (
    "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = %s AND c.relkind = 'r' AND c.relpersistence = 'u'"
)


def copy(connection: sa.Connection, schema: str, path: Path) -> bool:
    """Copy the tables, in a transaction that only reads and is rolled back; returns False for an earlier format.

    Args:
        connection: not in a transaction.
        schema: of the journal.
        path: of a new SQLite file.
    """
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.exec_driver_sql("SET LOCAL extra_float_digits TO 1")  # numbers in full, whatever the role's setting is
    there = sa.inspect(connection).get_table_names(schema=schema)
    if "contacts_log" in there:
        return False
    file = sa.create_engine(sa.URL.create("sqlite", database=str(path)), hide_parameters=True)
    try:
        with file.begin() as target:
            tables.make(target, only={"meta", *there})  # what is missing shows when the copy is opened
            for table in tables.metadata.sorted_tables:
                if table.name in there:
                    copy_table(connection, target, table, schema)
    finally:
        file.dispose()
    connection.rollback()
    return True


def copy_table(source: sa.Connection, target: sa.Connection, table: sa.Table, schema: str) -> None:
    """Copy a table's rows from a schema into a SQLite file, which has the table."""
    there = {column["name"] for column in sa.inspect(source).get_columns(table.name, schema=schema)}
    columns = [one for one in table.to_metadata(sa.MetaData(), schema).columns if one.name in there]
    rows = source.execute(sa.select(*columns).execution_options(stream_results=True))
    names = [one.name for one in columns]
    insert = f"INSERT INTO {table.name} ({','.join(names)}) VALUES ({','.join('?' * len(names))})"  # noqa: S608 - ours
    for part in rows.partitions(10_000):
        target.exec_driver_sql(insert, [tuple(row) for row in part])


def compact(connection: sa.Connection, schema: str) -> None:
    """Drop the tables of former runs, and rewrite all others without their deleted rows; no transaction may be open."""
    for (table,) in connection.exec_driver_sql(_OF_RUNS, (schema,)).all():
        connection.exec_driver_sql(f'DROP TABLE "{schema}"."{table}"')
    connection.commit()
    names = sa.inspect(connection).get_table_names(schema=schema)
    connection.commit()
    level = connection.default_isolation_level
    connection.execution_options(isolation_level="AUTOCOMMIT")
    try:
        for table in names:
            connection.exec_driver_sql(f'VACUUM (FULL) "{schema}"."{table}"')
    finally:
        connection.rollback()  # nothing: each was a transaction of its own
        connection.execution_options(isolation_level=level)


def run_over(connection: sa.Connection) -> postgres.Run:
    """What runs single statements over a connection."""

    def run(statement: str, *parameters: str) -> Sequence[Sequence[Any]]:
        result = connection.exec_driver_sql(statement, parameters or None)
        return result.all() if result.returns_rows else []

    return run
