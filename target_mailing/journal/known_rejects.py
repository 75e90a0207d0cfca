"""Which rejects are in a rejects file already: a run that rejects the same rows again does not write them again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import sqlalchemy as sa

from mailing_api.storage.folders import is_there
from target_mailing.journal import tables

__all__ = ["KnownRejects"]

#: Keys looked up in one statement.
_AT_ONCE = 5000


class KnownRejects:
    """Rejects by a keyed hash of stream, code and record, each with its latest attempt and file; the caller commits."""

    def __init__(self, connection: sa.Connection) -> None:
        """Use the journal's table."""
        self._connection = connection

    def of(self, ids: Sequence[int]) -> dict[int, tuple[int, str]]:
        """Attempt and file of the rejects known, by hash, as far as the files are still there."""
        table = tables.known_rejects.c
        found: dict[int, tuple[int, str]] = {}
        for at in range(0, len(ids), _AT_ONCE):
            query = sa.select(table.id, table.attempt, table.file).where(table.id.in_(ids[at : at + _AT_ONCE]))
            found |= {row.id: (row.attempt, row.file) for row in self._connection.execute(query)}
        there = {file for file in {file for _, file in found.values()} if is_there(Path(file))}
        return {one: (attempt, file) for one, (attempt, file) in found.items() if file in there}

    def note(self, entries: Iterable[tuple[int, int, str]]) -> None:
        """These are current: hash, attempt and file of each."""
        now = time.time()
        latest = {one: {"id": one, "attempt": attempt, "file": file, "at": now} for one, attempt, file in entries}
        if latest:
            gone = tables.known_rejects.c.id == sa.bindparam("gone")
            self._connection.execute(sa.delete(tables.known_rejects).where(gone), [{"gone": one} for one in latest])
            self._connection.execute(sa.insert(tables.known_rejects), list(latest.values()))

    def forget_before(self, moment: float) -> None:
        """Forget rejects that were current last before this time (Unix seconds)."""
        self._connection.execute(sa.delete(tables.known_rejects).where(tables.known_rejects.c.at < moment))
