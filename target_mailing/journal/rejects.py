"""Rows that could not be delivered: those that are in no rejects file yet, and hashes of those that are in one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sa

from mailing_api.storage.folders import is_there
from target_mailing.journal import tables
from target_mailing.journal.statements import replace_rows, select_in
from target_mailing.row import Row

__all__ = ["JournalRejects", "Reject", "reject_content"]


class Reject(msgspec.Struct):
    """A row that could not be delivered, until it is written to the rejects file."""

    stream: str
    record: bytes
    code: str
    reason: str
    job: str | None
    attempt: int
    at: float

    @classmethod
    def of(cls, row: Row, code: str, reason: str, job: str | None = None) -> list[Reject]:
        """The rejects of a row: the records that it superseded, whose content it was to deliver too, then its own."""
        now = time.time()
        return [cls(row.stream, record, code, reason, job, attempt, now) for record, attempt in row.records()]


class JournalRejects:
    """Rejects; the caller commits."""

    def __init__(self, connection: sa.Connection) -> None:
        """Use the journal's tables."""
        self._connection = connection

    def add(self, rejects: Sequence[Reject]) -> None:
        """Add rejects."""
        if rejects:
            # A provider's message may hold NUL, which PostgreSQL refuses in a string.
            rows = [msgspec.structs.asdict(reject) | {"reason": reject.reason.replace("\0", "")} for reject in rejects]
            self._connection.execute(sa.insert(tables.rejects), rows)

    def pending(self, most: int) -> list[tuple[int, Reject]]:
        """The oldest rejects that are in no file yet, at most so many, with their numbers."""
        columns = tables.rejects.c
        query = sa.select(columns.id, *(columns[name] for name in Reject.__struct_fields__))
        rows = self._connection.execute(query.order_by(columns.id).limit(most))
        return [(number, Reject(*values)) for number, *values in rows]

    def written(self, ids: Sequence[int]) -> dict[int, tuple[int, str]]:
        """By hash, attempt and file of those of these rejects that are in a file which still exists."""
        table = tables.known_rejects
        rows = [*select_in(self._connection, sa.select(table), table.c.id, ids)]
        files = {file for file in {row.file for row in rows} if is_there(Path(file))}
        return {row.id: (row.attempt, row.file) for row in rows if row.file in files}

    def erase(self, up_to: int, written: Iterable[tuple[int, int, str]]) -> None:
        """Erase rejects up to a number, which are in a file; `written` has hash, attempt and file of each."""
        now = time.time()
        latest = {each: {"id": each, "attempt": attempt, "file": file, "at": now} for each, attempt, file in written}
        replace_rows(self._connection, tables.known_rejects, [*latest.values()])
        self._connection.execute(sa.delete(tables.rejects).where(tables.rejects.c.id <= up_to))

    def forget_before(self, moment: float) -> None:
        """Forget written rejects that no run rejected again since this time (Unix seconds)."""
        self._connection.execute(sa.delete(tables.known_rejects).where(tables.known_rejects.c.at < moment))


def reject_content(stream: str, code: str, record: bytes) -> bytes:
    """What is hashed of a reject: the same for the same row, stream and code."""
    return b"\0".join((stream.encode(), code.encode(), record))
