"""A table whose keys are hashes, written at the pace of a table that only grows.

Hashes are spread over the whole table: a batch of five thousand changes nearly as many pages. So entries are first
appended to a log, a batch in one row and in the batch's own transaction, and merged into the table by tens of
thousands, when one page written serves many of them. The entries of the log are also in memory, where look-ups begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa

from target_mailing.journal.statements import VALUES_AT_ONCE

__all__ = ["HashTable"]

#: Entries in the log before they are merged.
_MERGE_AT = 65_536
#: A new table has so many marks, of a byte each: a key whose mark is not set is not in the table.
_MARKS = 1 << 21
#: Entries in one INSERT, which takes half as long as a statement for each.
_ROWS_AT_ONCE = 200

Entry = tuple[Any, ...]

_LOGGED = msgspec.msgpack.Decoder(list[Entry])


class HashTable:
    """Entries (key, value, ...) of one table and its log; the caller commits."""

    def __init__(self, connection: sa.Connection, table: sa.Table, log: sa.Table) -> None:
        """Open the table, with the entries that earlier runs left in the log.

        Args:
            connection: to the journal; its driver gets statements as strings, because SQLAlchemy takes longer to
                prepare each parameter than the database takes to store it.
            table: its first column is the key, its second is never null.
            log: a number of its own, and entries, encoded.
        """
        self._connection = connection
        self._parameter = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        self._columns = [column.name for column in table.columns]
        self._table = table.name
        self._append = f"INSERT INTO {log.name} (entries) VALUES ({self._parameter})"  # noqa: S608 - the name is ours
        self._clear_log = f"DELETE FROM {log.name}"  # noqa: S608
        #: By key, the newest entry in the log; None where it was dropped.
        self._recent: dict[Any, Entry | None] = {}
        # A new table need not be searched: all entries are in the log.
        self._has_entries = connection.execute(sa.select(table).limit(1)).first() is not None
        for entries in connection.execute(sa.select(log.c.entries).order_by(log.c.n)).scalars():
            self._recent.update((e[0], e if len(e) > 1 else None) for e in _LOGGED.decode(entries))
        # The keys of an older table are not all known.
        self._marks = None if self._has_entries else bytearray(_MARKS)

    def find(self, keys: Sequence[Any]) -> dict[Any, Entry]:
        """The entries of these keys, by key."""
        recent = self._recent.keys() & keys
        entries = {key: entry for key in recent if (entry := self._recent[key]) is not None}
        if not self._has_entries:
            return entries
        keys = [key for key in keys if key not in recent]
        if (marks := self._marks) is not None:
            keys = [key for key in keys if marks[hash(key) % _MARKS]]
        select = f"SELECT {','.join(self._columns)} FROM {self._table}"  # noqa: S608 - the names are ours
        for begin in range(0, len(keys), VALUES_AT_ONCE):
            some = tuple(keys[begin : begin + VALUES_AT_ONCE])
            parameters = ",".join([self._parameter] * len(some))
            result = self._connection.exec_driver_sql(f"{select} WHERE {self._columns[0]} IN ({parameters})", some)
            entries.update((entry[0], entry) for entry in result.cursor.fetchall())
        return entries

    def put(self, entries: list[Entry]) -> None:
        """Add entries, or replace those of the same key."""
        self._log(entries, dict(zip(map(itemgetter(0), entries), entries, strict=True)))

    def drop(self, keys: Iterable[Any]) -> None:
        """Remove the entries of these keys."""
        dropped: dict[Any, None] = dict.fromkeys(keys)
        self._log([(key,) for key in dropped], dropped)

    def erase(self, keys: Sequence[Any]) -> None:
        """Erase what these keys had before their newest entry, from the log, too."""
        self._delete(keys)
        self._connection.exec_driver_sql(self._clear_log)
        newest = [(key,) if entry is None else entry for key, entry in self._recent.items()]
        if newest:
            self._connection.exec_driver_sql(self._append, (msgspec.msgpack.encode(newest),))

    def merge_if(self, is_due: Callable[[Entry], bool]) -> None:
        """Merge if the log holds such an entry."""
        if any(entry is not None and is_due(entry) for entry in self._recent.values()):
            self.merge()

    def merge(self) -> None:
        """Move the entries of the log into the table."""
        if not self._recent:
            return
        entries = sorted((entry for entry in self._recent.values() if entry is not None), key=itemgetter(0))
        if (marks := self._marks) is not None:
            numbers = [hash(entry[0]) % _MARKS for entry in entries]
            new = [entry for entry, number in zip(entries, numbers, strict=True) if not marks[number]]
            entries = [entry for entry, number in zip(entries, numbers, strict=True) if marks[number]]
            self._write(new, replaces=False)
            for number in numbers:
                marks[number] = 1
        self._write(entries, replaces=True)
        self._delete([key for key, entry in self._recent.items() if entry is None])
        self._connection.exec_driver_sql(self._clear_log)
        self._recent.clear()
        self._has_entries = True

    def _delete(self, keys: Sequence[Any]) -> None:
        if keys and self._has_entries:
            delete = f"DELETE FROM {self._table} WHERE {self._columns[0]} = {self._parameter}"  # noqa: S608
            self._connection.exec_driver_sql(delete, [(key,) for key in keys])

    def _write(self, entries: Sequence[Entry], *, replaces: bool) -> None:
        """Write entries, of which some may replace others."""
        for begin in range(0, len(entries), _ROWS_AT_ONCE):
            some = entries[begin : begin + _ROWS_AT_ONCE]
            self._connection.exec_driver_sql(
                self._insert(len(some), replaces=replaces), tuple(chain.from_iterable(some))
            )

    def _insert(self, rows: int, *, replaces: bool) -> str:
        key, *others = self._columns
        row = f"({','.join([self._parameter] * len(self._columns))})"
        values = ",".join([row] * rows)
        insert = f"INSERT INTO {self._table} ({','.join(self._columns)}) VALUES {values}"  # noqa: S608
        sets = ",".join(f"{name}=excluded.{name}" for name in others)
        return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {sets}" if replaces else insert

    def _log(self, logged: list[Entry], recent: Mapping[Any, Entry | None]) -> None:
        """Append to the log; an entry of a key alone says that it was dropped."""
        if logged:
            self._connection.exec_driver_sql(self._append, (msgspec.msgpack.encode(logged),))
            self._recent.update(recent)
            if len(self._recent) >= _MERGE_AT:
                self.merge()
