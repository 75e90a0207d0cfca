"""Rows kept on disk by ID, for a listing that can be neither sorted nor filtered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

__all__ = ["Spill"]

_MOST_PARAMETERS = 500


class Spill:
    """A temporary table that SQLite keeps in memory while it is small and on disk otherwise."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, row BLOB NOT NULL)")

    def add(self, rows: Iterable[tuple[int, Any]]) -> None:
        """Keep rows; a later one of the same ID replaces the earlier."""
        encoded = ((key, msgspec.json.encode(row)) for key, row in rows)
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
