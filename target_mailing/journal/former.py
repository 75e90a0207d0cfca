"""Journals of the format before: two tables ordered by hashes, each with a log before it. They are taken over once."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.arrivals import Arrivals
from target_mailing.journal.runs import Entry
from target_mailing.journal.statements import Driver
from target_mailing.journal.streams import UNKNOWN

__all__ = ["TABLES", "copy", "put_aside", "take_over"]

#: By table of that format, the one that has its rows now. Both have the same columns, but for the number
#: and the streams, which are unknown.
_TABLES: Final = {"contacts": tables.contacts, "keys": tables.keys}
#: The tables that every such journal has, but for those that this format has, too.
TABLES: Final = ("contacts", "contacts_log", "keys", "keys_log")

_LOGGED = msgspec.msgpack.Decoder(list[tuple[Any, ...]])


def put_aside(driver: Driver) -> None:
    """Give their names to the new tables. The whole is one transaction."""
    if driver.is_sqlite:
        driver.run("BEGIN")
    for name in TABLES:
        driver.run(f"ALTER TABLE {name} RENAME TO former_{name}")


def copy(driver: Driver) -> None:
    """Fill the new tables from those that are ordered by hashes."""
    for name, table in _TABLES.items():
        columns = ",".join(column.name for column in table.columns if column.name not in {"n", "streams"})
        driver.run(
            f"INSERT INTO {name} (n, {columns}) SELECT row_number() OVER (ORDER BY id), {columns} "  # noqa: S608
            f"FROM former_{name}"
        )
    # The first of these versions did not note when a key was deleted: it is now.
    keys = tables.keys
    undated = sa.update(keys).where(keys.c.email == "", keys.c.contact == 0)
    driver.execute(undated.values(contact=-int(time.time())))


def take_over(driver: Driver, contacts: Arrivals, keys: Arrivals) -> None:
    """Add the entries of the logs, and drop the former tables."""
    for name, table in (("contacts", contacts), ("keys", keys)):
        newest: dict[Any, Entry] = {}
        for (entries,) in driver.query(f"SELECT entries FROM former_{name}_log ORDER BY n"):  # noqa: S608
            newest.update((entry[0], entry) for entry in _LOGGED.decode(entries))
        rest = (UNKNOWN,) if name == "contacts" else ()
        table.put((*entry, *rest) for entry in newest.values() if len(entry) > 1)
        table.drop(key for key, entry in newest.items() if len(entry) == 1)
    for name in TABLES:
        driver.run(f"DROP TABLE former_{name}")
