"""Rows that could not be delivered, kept in the journal until they are in a rejects file."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.row import Row

__all__ = ["Reject", "UnwrittenRejects"]


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
        """The rejects of a row: its record, after those that it superseded, whose content it was to deliver too."""
        now = time.time()
        return [cls(row.stream, record, code, reason, job, attempt, now) for record, attempt in row.records()]


class UnwrittenRejects:
    """Rejects, numbered; the caller commits."""

    def __init__(self, connection: sa.Connection) -> None:
        """Use the journal's table."""
        self._connection = connection

    def add(self, rejects: Sequence[Reject]) -> None:
        """Add rejects."""
        if rejects:
            # PostgreSQL's text takes no NUL, which a provider's message may hold.
            values = [msgspec.structs.asdict(one) | {"reason": one.reason.replace("\0", "")} for one in rejects]
            self._connection.execute(sa.insert(tables.rejects), values)

    def oldest(self, most: int) -> list[tuple[int, Reject]]:
        """So many of them at most, oldest first, with their numbers."""
        columns = tables.rejects.c
        query = sa.select(columns.id, *(columns[name] for name in Reject.__struct_fields__))
        found = self._connection.execute(query.order_by(columns.id).limit(most))
        return [(number, Reject(*values)) for number, *values in found]

    def erase(self, up_to: int) -> None:
        """Erase those up to a number."""
        self._connection.execute(sa.delete(tables.rejects).where(tables.rejects.c.id <= up_to))
