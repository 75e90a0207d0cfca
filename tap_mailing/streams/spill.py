"""Rows kept on disk, by ID or in order of a moment, for a listing that can be neither sorted nor filtered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import msgspec

from mailing_api.errors import ConfigurationError

__all__ = ["Backlog", "Spill"]

_MOST_PARAMETERS = 500


class Spill:
    """A temporary table that SQLite keeps in memory while it is small and on disk otherwise."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, row BLOB NOT NULL)")

    def add(self, rows: Iterable[tuple[int, Any]]) -> None:
        """Keep rows; a later one of the same ID replaces the earlier."""
        encoded = ((key, msgspec.json.encode(row)) for key, row in rows)
        with _room_for_rows():
            self._database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", encoded)

    def get(self, keys: Sequence[int]) -> dict[int, Any]:
        """Those of the rows that are there."""
        found: dict[int, Any] = {}
        for start in range(0, len(keys), _MOST_PARAMETERS):
            wanted = keys[start : start + _MOST_PARAMETERS]
            marks = ",".join("?" * len(wanted))
            query = f"SELECT id, row FROM rows WHERE id IN ({marks})"  # noqa: S608 - question marks only
            found.update((key, msgspec.json.decode(row)) for key, row in self._database.execute(query, wanted))
        return found

    @property
    def last(self) -> int:
        """The greatest ID kept; 0 for none."""
        return int(self._database.execute("SELECT COALESCE(MAX(id), 0) FROM rows").fetchone()[0])

    def close(self) -> None:
        """Drop everything."""
        self._database.close()


class Backlog:
    """Rows in order of a moment, kept as `Spill` keeps them."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE rows (key TEXT PRIMARY KEY, moment TEXT NOT NULL, row BLOB NOT NULL)")

    def add(self, rows: Iterable[tuple[str, str, Any]]) -> None:
        """Keep rows, each with its key and its moment; a later one of the same key replaces the earlier."""
        encoded = ((key, moment, msgspec.json.encode(row)) for key, moment, row in rows)
        with _room_for_rows():
            self._database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", encoded)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Each moment with its row, the oldest first."""
        with _room_for_rows():  # to sort takes some, too
            found = self._database.execute("SELECT moment, row FROM rows ORDER BY moment, key")
        for moment, row in found:
            yield moment, msgspec.json.decode(row)

    def __len__(self) -> int:
        return int(self._database.execute("SELECT COUNT(*) FROM rows").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()


@contextmanager
def _room_for_rows() -> Iterator[None]:
    """Raise ConfigurationError where SQLite's temporary file cannot be written."""
    try:
        yield
    except sqlite3.Error as exc:
        kind = getattr(exc, "sqlite_errorname", type(exc).__name__)
        raise ConfigurationError(
            f"No room for temporary files ({kind}): this stream is kept on disk while it is read. Make room in the "
            "system's folder for them, or set the environment variable SQLITE_TMPDIR to a folder that has it."
        ) from None
