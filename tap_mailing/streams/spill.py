"""Rows in a temporary table, by ID or in order of time, for listings that the provider cannot sort or filter."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import msgspec

from mailing_api.errors import ConfigurationError

__all__ = ["Backlog", "Spill"]


class Spill:
    """A temporary table of rows by ID. SQLite keeps it in memory while it is small, and on disk otherwise."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, row BLOB NOT NULL)")

    def add(self, rows: Iterable[tuple[int, Any]]) -> None:
        """Add rows; a row replaces an earlier row with its ID."""
        encoded = ((key, msgspec.json.encode(row)) for key, row in rows)
        with _room_for_rows():
            self._database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", encoded)

    def get(self, keys: Sequence[int]) -> dict[int, Any]:
        """The rows with these IDs, as far as they are in the table."""
        query = "SELECT id, row FROM rows WHERE id IN (SELECT value FROM json_each(?))"
        rows = self._database.execute(query, (msgspec.json.encode(keys).decode(),))
        return {key: msgspec.json.decode(row) for key, row in rows}

    @property
    def last(self) -> int:
        """The greatest ID; 0 for an empty table."""
        return int(self._database.execute("SELECT COALESCE(MAX(id), 0) FROM rows").fetchone()[0])

    def close(self) -> None:
        """Drop the table."""
        self._database.close()


class Backlog:
    """A temporary table of rows in order of time, stored like a `Spill`."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE rows (key TEXT PRIMARY KEY, moment TEXT NOT NULL, row BLOB NOT NULL)")

    def add(self, rows: Iterable[tuple[str, str, Any]]) -> None:
        """Add rows, each with its key and its time; a row replaces an earlier row with its key."""
        encoded = ((key, moment, msgspec.json.encode(row)) for key, moment, row in rows)
        with _room_for_rows():
            self._database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", encoded)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Each row with its time, oldest first."""
        with _room_for_rows():  # sorting needs temporary files too
            rows = self._database.execute("SELECT moment, row FROM rows ORDER BY moment, key")
        for moment, row in rows:
            yield moment, msgspec.json.decode(row)

    def __len__(self) -> int:
        return int(self._database.execute("SELECT COUNT(*) FROM rows").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()


@contextmanager
def _room_for_rows() -> Iterator[None]:
    """Raise ConfigurationError if SQLite cannot write its temporary file."""
    try:
        yield
    except sqlite3.Error as exc:
        kind = getattr(exc, "sqlite_errorname", type(exc).__name__)
        raise ConfigurationError(
            f"No space for temporary files ({kind}), which this stream needs while it is read. Free space in the "
            "system's folder for temporary files, or set the environment variable SQLITE_TMPDIR to a folder with space."
        ) from None
