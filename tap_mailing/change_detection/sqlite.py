"""Snapshots in a SQLite file that only its owner can read."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.storage.compaction import compact
from mailing_api.storage.locks import Foreign, Held, HeldFile, Mark
from tap_mailing.change_detection.store import TABLES, Found, Note, Store, held

__all__ = ["FileStore"]

_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",  # deleted keys are overwritten
    "PRAGMA cache_size=-16384",
    "PRAGMA wal_autocheckpoint=8192",
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
    """A file, created if it does not exist and locked while the store is open."""

    def __init__(self, path: Path) -> None:
        """Name the file, without opening it."""
        self.name = str(path)
        self._file = HeldFile(path, _MARK)
        self._database: sqlite3.Connection | None = None

    def find(self, part: int, keys: Sequence[str]) -> dict[str, Found]:
        """The stored rows with these keys, by key."""
        query = (
            "SELECT key, place, hash, written FROM entries WHERE part = ? AND key IN (SELECT value FROM json_each(?))"
        )
        rows = self._read(tuple[str, int, int | None, int], query, (part, msgspec.json.encode(keys).decode()))
        return {key: (place, row_hash, written) for key, place, row_hash, written in rows}

    def put(self, part: int, number: int, notes: Collection[Note]) -> None:
        """Store rows that a walk writes; each key may occur once."""
        statement = (
            "INSERT INTO entries (part, key, place, hash, written) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (part, key) DO UPDATE SET "
            "place = excluded.place, hash = excluded.hash, written = excluded.written"
        )
        with self._errors():
            # In order of the keys, so that SQLite writes each page of the table once.
            self._opened.executemany(
                statement, [(part, key, place, row_hash, number) for key, place, row_hash in sorted(notes)]
            )

    def compact(self) -> None:
        """Rewrite the file; what it gives up is overwritten."""
        self.commit()
        try:
            with self._errors():
                compact(self._opened.execute, self._file)
        except OSError as exc:
            raise self._unusable(exc.strerror or type(exc).__name__) from None

    def commit(self) -> None:
        """Write the changes, so that they survive a power cut."""
        with self._errors():
            self._opened.commit()
        if not self._file.is_there:
            raise ConfigurationError(
                f"Setting `change_detection`: {self.name} was removed or replaced while this run used it, so the "
                "snapshot would be lost. If the file was moved, move it back; then run again."
            )

    def rollback(self) -> None:
        """Undo the changes since the last commit."""
        with self._errors():
            self._opened.rollback()

    def close(self) -> None:
        """Close the file and release its lock."""
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
            with self._errors():
                self._database = sqlite3.connect(self._file.path)
                self._file.mark(self._database.execute)
        except Held as exc:
            raise held(self.name, exc.holder) from None
        except Foreign as exc:
            raise ConfigurationError(f"Setting `change_detection.path`: {self.name} {exc}.") from None
        except OSError as exc:
            raise self._unusable(exc.strerror or type(exc).__name__) from None
        self._check_tables({name for (name,) in self._run("SELECT name FROM sqlite_master WHERE type = 'table'")})
        for statement in (*_PRAGMAS, *_TABLES):
            self._run(statement)

    def _hold(self, stream: str, account: str) -> None:
        """Do nothing: the whole file is locked."""

    def _run(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with self._errors():
            return self._opened.execute(statement, parameters).fetchall()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise ConfigurationError for an error of SQLite."""
        try:
            yield
        except sqlite3.Error as exc:
            # Only the kind of the error: SQLite's messages name tables and columns, which do not help users.
            kind = getattr(exc, "sqlite_errorname", "SQLITE_CORRUPT")  # without a name: a value could not be decoded
            if kind.startswith(_DAMAGE):
                raise self._damaged() from None
            raise self._unusable(_KINDS.get(kind, kind)) from None
        except (UnicodeError, OverflowError):
            raise self._damaged() from None

    def _unusable(self, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"Setting `change_detection`: {self.name} cannot be used ({reason}). Free disk space, or choose a place "
            "that can be written."
        )


#: Prefixes of SQLite's errors for a damaged file. SQLITE_ERROR: a table or a column is missing.
_DAMAGE: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_MISMATCH", "SQLITE_CONSTRAINT", "SQLITE_ERROR")
_KINDS: Final = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_CANTOPEN": "it cannot be opened",
    "SQLITE_READONLY": "it is read-only",
    "SQLITE_IOERR": "disk error",
}
