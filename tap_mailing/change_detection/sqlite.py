"""Snapshots in a SQLite file, for its owner alone."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.storage.locks import Foreign, Held, HeldFile, Mark
from tap_mailing.change_detection.store import TABLES, Found, Note, Store, held

__all__ = ["FileStore"]

_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "cache_size=-16384",
    "wal_autocheckpoint=8192",
)

_MARK: Final = Mark(application_id=0x744D536E, tables=TABLES)

_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS constants (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    (
        "CREATE TABLE IF NOT EXISTS parts (part INTEGER PRIMARY KEY, stream TEXT NOT NULL, account TEXT NOT NULL, "
        "last INTEGER NOT NULL, UNIQUE (stream, account))"
    ),
    (
        "CREATE TABLE IF NOT EXISTS generations (part INTEGER, name TEXT, number INTEGER NOT NULL, "
        "since INTEGER NOT NULL, scope BLOB NOT NULL, PRIMARY KEY (part, name)) WITHOUT ROWID"
    ),
    (
        "CREATE TABLE IF NOT EXISTS entries (part INTEGER, key TEXT, place INTEGER NOT NULL, hash INTEGER, "
        "written INTEGER NOT NULL, PRIMARY KEY (part, key)) WITHOUT ROWID"
    ),
)


class FileStore(Store):
    """The file is made where there is none. Its lock is held while the store is open."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is done."""
        self.name = str(path)
        self._file = HeldFile(path, _MARK)
        self._database: sqlite3.Connection | None = None

    def find(self, part: int, keys: Sequence[str]) -> dict[str, Found]:
        """Those of the rows that are there."""
        query = (
            "SELECT key, place, hash, written FROM entries WHERE part = ? AND key IN (SELECT value FROM json_each(?))"
        )
        found = self._read(tuple[str, int, int | None, int], query, (part, msgspec.json.encode(keys).decode()))
        return {key: (place, row, written) for key, place, row, written in found}

    def put(self, part: int, number: int, notes: Collection[Note]) -> None:
        """Note rows, each key once, as written by a walk."""
        statement = (
            "INSERT INTO entries (part, key, place, hash, written) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (part, key) DO UPDATE SET "
            "place = excluded.place, hash = excluded.hash, written = excluded.written"
        )
        with self._telling():
            # In order of the keys, each page of the table is touched once.
            self._opened.executemany(statement, [(part, key, place, row, number) for key, place, row in sorted(notes)])

    def commit(self) -> None:
        """Keep what was noted, so that it survives a power cut."""
        with self._telling():
            self._opened.commit()
        if not self._file.is_there:
            raise ConfigurationError(
                f"Setting `change_detection`: {self.name} was removed or replaced while this run held it. What is "
                "noted from now on would be lost. Put the file back if it was moved, and run again."
            )

    def rollback(self) -> None:
        """Forget what was not committed."""
        with self._telling():
            self._opened.rollback()

    def close(self) -> None:
        """Close the file and let go of its lock."""
        self._file.let_go(self._close)

    def _close(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
            self._database = None

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise RuntimeError("not open")
        return self._database

    def _connect(self) -> None:
        try:
            self._file.hold()
            with self._telling():
                self._database = sqlite3.connect(self._file.path)
                self._file.mark(self._database.execute)
        except Held as exc:
            raise held(self.name, exc.holder) from None
        except Foreign as exc:
            raise ConfigurationError(f"Setting `change_detection.path`: {self.name} {exc}.") from None
        except OSError as exc:
            raise self._unusable(exc.strerror or type(exc).__name__) from None
        with self._telling():
            there = {name for (name,) in self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            self._check_tables(there)
            for statement in (*(f"PRAGMA {pragma}" for pragma in _PRAGMAS), *_TABLES):
                self._database.execute(statement)

    def _hold(self, stream: str, account: str) -> None:
        """Nothing more to do: the whole file is held."""

    def _run(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with self._telling():
            return self._opened.execute(statement, parameters).fetchall()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            # The kind alone; SQLite's own words may name tables and columns, which help nobody.
            kind = getattr(exc, "sqlite_errorname", "SQLITE_CORRUPT")  # none: a value that cannot be decoded
            if kind.startswith(_DAMAGE):
                raise self._damaged() from None
            raise self._unusable(_KINDS.get(kind, kind)) from None
        except (UnicodeError, OverflowError):
            raise self._damaged() from None

    def _unusable(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"Setting `change_detection`: {self.name} cannot be used ({why}). Choose a place that can be written, or "
            "make room there."
        )


#: What SQLite's errors begin with where a file is damaged; the last of them: a table or a column is missing.
_DAMAGE: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_MISMATCH", "SQLITE_CONSTRAINT", "SQLITE_ERROR")
_KINDS: Final = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_CANTOPEN": "it cannot be opened",
    "SQLITE_READONLY": "it is read-only",
    "SQLITE_IOERR": "the disk failed",
}
