"""A table whose keys are hashes, written at the pace of a table that only grows.

Hashes land all over a table: a batch of five thousand touches nearly as many pages. So entries are appended to a log
first, a batch of them in one row and in the transaction that they belong to, and merged into the table by tens of
thousands, when one page written serves many of them. The log's entries are in memory, too, where they are looked up
first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa

__all__ = ["HashTable"]

#: Entries in the log before they are merged.
_MERGE_AT = 65_536
#: Keys looked up in one statement; SQLite's documented limit of parameters is 32,766.
_MAX_IDS = 5000
#: Places of marks, by which a new table knows most keys that it does not have: a byte each.
_PLACES = 1 << 21
#: Entries written by one statement, which takes half as long as one statement each.
_ROWS_AT_ONCE = 200

Entry = tuple[Any, ...]

_LOGGED = msgspec.msgpack.Decoder(list[Entry])


class HashTable:
    """Entries (key, value, ...) of one table and its log; the caller commits."""

    def __init__(self, connection: sa.Connection, table: sa.Table, log: sa.Table) -> None:
        """Open the table, with what earlier runs left in the log.

        Args:
            connection: to the journal; statements go to its driver as text, because SQLAlchemy's handling of each
                parameter would take longer than the database.
            table: its first column is the key, its second is never null.
            log: a number of its own, and entries, encoded.
        """
        self._connection = connection
        self._mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        self._columns = [column.name for column in table.columns]
        self._table = table.name
        self._log = log.name
        self._append = f"INSERT INTO {self._log} (entries) VALUES ({self._mark})"  # noqa: S608 - the name is ours
        self._recent: dict[Any, Entry | None] = {}
        # A new journal is not searched: everything is in the log.
        self._has_entries = connection.execute(sa.select(table).limit(1)).first() is not None
        for entries in connection.execute(sa.select(log.c.entries).order_by(log.c.n)).scalars():
            self._recent.update((e[0], e if len(e) > 1 else None) for e in _LOGGED.decode(entries))
        # The keys of a table that was not made in this run are not all known.
        self._marks = None if self._has_entries else bytearray(_PLACES)

    def find(self, keys: Sequence[Any]) -> dict[Any, Entry]:
        """The entries of these keys, by key."""
        found: dict[Any, Entry] = {}
        recent = self._recent
        if recent:
            here = recent.keys() & keys
            if here:
                found = {key: entry for key in here if (entry := recent[key]) is not None}
                keys = [key for key in keys if key not in here]
        if not self._has_entries:
            return found
        if (places := self._marks) is not None:
            keys = [key for key in keys if places[hash(key) % _PLACES]]
        select = f"SELECT {','.join(self._columns)} FROM {self._table}"  # noqa: S608 - the names are ours
        for at in range(0, len(keys), _MAX_IDS):
            some = tuple(keys[at : at + _MAX_IDS])
            marks = ",".join([self._mark] * len(some))
            result = self._connection.exec_driver_sql(f"{select} WHERE {self._columns[0]} IN ({marks})", some)
            found.update((entry[0], entry) for entry in result.cursor.fetchall())
        return found

    def put(self, entries: list[Entry]) -> None:
        """Add entries, or replace those of the same key."""
        self._note(entries, zip(map(itemgetter(0), entries), entries, strict=True))

    def drop(self, keys: Iterable[Any]) -> None:
        """Take out the entries of these keys."""
        gone = [(key,) for key in keys]
        self._note(gone, ((key, None) for (key,) in gone))

    def erase(self, keys: Sequence[Any]) -> None:
        """Leave nothing of what these keys had before their newest entry, in the log neither."""
        self._delete(keys)
        self._connection.exec_driver_sql(f"DELETE FROM {self._log}")  # noqa: S608 - the name is ours
        newest = [(key,) if entry is None else entry for key, entry in self._recent.items()]
        if newest:
            self._connection.exec_driver_sql(self._append, (msgspec.msgpack.encode(newest),))

    def merge_if(self, is_due: Callable[[Entry], bool]) -> None:
        """Merge where an entry of the log is such a one."""
        if any(entry is not None and is_due(entry) for entry in self._recent.values()):
            self.merge()

    def merge(self) -> None:
        """Bring the log's entries into the table."""
        if not self._recent:
            return
        entries = sorted((entry for entry in self._recent.values() if entry is not None), key=itemgetter(0))
        if (places := self._marks) is not None:
            at = [hash(entry[0]) % _PLACES for entry in entries]
            self._write([entry for entry, place in zip(entries, at, strict=True) if not places[place]], is_new=True)
            entries = [entry for entry, place in zip(entries, at, strict=True) if places[place]]
            for place in at:
                places[place] = 1
        self._write(entries, is_new=False)
        self._delete([one for one, entry in self._recent.items() if entry is None])
        self._connection.exec_driver_sql(f"DELETE FROM {self._log}")  # noqa: S608
        self._recent.clear()
        self._has_entries = True

    def _delete(self, keys: Sequence[Any]) -> None:
        if keys and self._has_entries:
            delete = f"DELETE FROM {self._table} WHERE {self._columns[0]} = {self._mark}"  # noqa: S608
            self._connection.exec_driver_sql(delete, [(key,) for key in keys])

    def _write(self, entries: Sequence[Entry], *, is_new: bool) -> None:
        """Write entries; those that are not new may replace others."""
        for at in range(0, len(entries), _ROWS_AT_ONCE):
            some = entries[at : at + _ROWS_AT_ONCE]
            insert = self._insert(len(some), replaces=not is_new)
            self._connection.exec_driver_sql(insert, tuple(chain.from_iterable(some)))

    def _insert(self, rows: int, *, replaces: bool) -> str:
        key, *others = self._columns
        marks = f"({','.join([self._mark] * len(self._columns))})"
        values = ",".join([marks] * rows)
        insert = f"INSERT INTO {self._table} ({','.join(self._columns)}) VALUES {values}"  # noqa: S608
        sets = ",".join(f"{name}=excluded.{name}" for name in others)
        return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {sets}" if replaces else insert

    def _note(self, logged: list[Entry], recent: Iterable[tuple[Any, Entry | None]]) -> None:
        """Note entries in the log; one of a key alone says that it was taken out."""
        if logged:
            self._connection.exec_driver_sql(self._append, (msgspec.msgpack.encode(logged),))
            self._recent.update(recent)
            if len(self._recent) >= _MERGE_AT:
                self.merge()
