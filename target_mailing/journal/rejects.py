"""Rows that could not be delivered: those that are in no rejects file yet, and hashes of those that are in one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import sqlalchemy as sa

from mailing_api.storage.folders import is_there
from target_mailing.journal import tables
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.open_rejects import OpenRejects
from target_mailing.journal.reject import WRITTEN, Reject
from target_mailing.journal.statements import replace_rows, select_in

__all__ = ["JournalRejects", "reject_content"]


class JournalRejects:
    """Rejects: in no file yet, in one, and open; calls are transactions of their own unless they say otherwise."""

    def __init__(
        self,
        connection: sa.Connection,
        hashes: Hashes,
        transaction: Callable[[], AbstractContextManager[None]],
        reading: Callable[[], AbstractContextManager[None]],
        opened: OpenRejects,
    ) -> None:
        """Use the journal's tables, its hashes, its transactions, and its open rejects."""
        self._connection = connection
        self._hashes = hashes
        self._transaction = transaction
        self._reading = reading
        self._open = opened

    def add(self, rejects: Sequence[Reject]) -> None:
        """Add rejects; the caller commits."""
        if rejects:
            # A provider's message may hold NUL, which PostgreSQL refuses in a string.
            rows = [
                {name: getattr(reject, name) for name in WRITTEN} | {"reason": reject.reason.replace("\0", "")}
                for reject in rejects
            ]
            self._connection.execute(sa.insert(tables.rejects), rows)
            self._open.add(rejects)

    def pending(self, most: int) -> list[tuple[int, Reject]]:
        """The oldest rejects that are in no file yet, at most so many, with their numbers."""
        columns = tables.rejects.c
        query = sa.select(columns.id, *(columns[name] for name in WRITTEN))
        with self._reading():
            rows = self._connection.execute(query.order_by(columns.id).limit(most)).all()
            return [(number, Reject(*values)) for number, *values in rows]

    def id_of(self, reject: Reject) -> int:
        """The keyed hash of a reject, the same for the same row, stream and code."""
        return self._hashes.fingerprints("reject")([reject_content(reject.stream, reject.code, reject.record)])[0]

    def written(self, ids: Sequence[int]) -> dict[int, tuple[int, str]]:
        """By hash, attempt and file of those of these rejects that are in a file which still exists."""
        table = tables.known_rejects
        with self._transaction():
            rows = [*select_in(self._connection, sa.select(table), table.c.id, ids)]
        files = {file for file in {row.file for row in rows} if is_there(Path(file))}
        return {row.id: (row.attempt, row.file) for row in rows if row.file in files}

    def erase(self, up_to: int, *, written: Iterable[tuple[int, int, str]] = ()) -> None:
        """Erase rejects up to a number, which are in a file; `written` has hash, attempt and file of each."""
        now = time.time()
        latest = {each: {"id": each, "attempt": attempt, "file": file, "at": now} for each, attempt, file in written}
        with self._transaction():
            replace_rows(self._connection, tables.known_rejects, [*latest.values()])
            self._connection.execute(sa.delete(tables.rejects).where(tables.rejects.c.id <= up_to))

    def forget_before(self, moment: float) -> None:
        """Forget written rejects that no run rejected again since this time (Unix seconds); the caller commits."""
        self._connection.execute(sa.delete(tables.known_rejects).where(tables.known_rejects.c.at < moment))


def reject_content(stream: str, code: str, record: bytes) -> bytes:
    """What is hashed of a reject: the same for the same row, stream and code."""
    return b"\0".join((stream.encode(), code.encode(), record))
