"""How long jobs took lately, by their kind, so that a plan foresees how often jobs are polled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from statistics import median
from typing import Final

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.statements import replace_rows

__all__ = ["MOST_TIMES", "RecentTimes"]

#: The latest jobs of a kind, whose times are kept.
MOST_TIMES: Final = 21
_NAME: Final = "job_seconds "


class RecentTimes:
    """The times of jobs, in the journal's table of single values; a journal of an earlier version has none."""

    def __init__(self, connection: sa.Connection, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        """Use the table; each call is made in a transaction."""
        self._connection = connection
        self._transaction = transaction

    def seconds(self, kind: str) -> float | None:
        """How long a job of this kind takes: the median of the latest ones; None if no time is known."""
        with self._transaction():
            times = self._times(kind)
        return median(times) if times else None

    def note(self, times: Mapping[str, Iterable[float]]) -> None:
        """Note the times of jobs that have ended (seconds), the latest last, by their kind."""
        with self._transaction():
            rows = [
                {"name": _NAME + kind, "value": msgspec.json.encode([*self._times(kind), *latest][-MOST_TIMES:])}
                for kind, latest in times.items()
            ]
            replace_rows(self._connection, tables.meta, rows)

    def _times(self, kind: str) -> list[float]:
        query = sa.select(tables.meta.c.value).where(tables.meta.c.name == _NAME + kind)
        found = self._connection.execute(query).scalar()
        return [] if found is None else msgspec.json.decode(found, type=list[float])
