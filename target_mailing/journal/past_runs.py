"""The runs up to now, and their jobs in short; no row, no key and nobody's data is among them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.known import CLOCKS_DIFFER
from target_mailing.journal.statements import replace_rows
from target_mailing.run_identity import run_id_at

__all__ = [
    "MOST_JOBS", "MOST_RUNS", "PastJob", "PastRun", "PastRuns", "RunTotals", "jobs_of", "open_jobs", "run_ids",
    "runs_of",
]  # fmt: skip

#: Runs that are remembered, the newest; and jobs of all of them, of which a run's are forgotten together.
MOST_RUNS: Final = 5000
MOST_JOBS: Final = 10_000


class RunTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a run up to now.

    Attributes:
        outcomes: by outcome, its rows.
        codes: by outcome, rows by code; of delivered rows, by effect.
        events: what else occurred how often, under the names that the fields of the log have.
        calls: to the provider, retries among them.
        retries: of calls.
        throttled: calls that were refused as too many.
        seconds_waited: for turns and retries.
        jobs: submitted or followed.
        rejects: rows by rejects file that has them, where these are not too many.
        streams: by stream and the list where its rows went, rows by outcome; where these are not too many.
        report: the page of its report, written when it ends; None for none.
    """

    outcomes: Mapping[str, int] = {}
    codes: Mapping[str, Mapping[str, int]] = {}
    events: Mapping[str, int] = {}
    calls: int = 0
    retries: int = 0
    throttled: int = 0
    seconds_waited: float = 0.0
    jobs: int = 0
    rejects: Mapping[str, int] = {}
    streams: Mapping[str, Mapping[str, int]] = {}
    report: str | None = None

    @property
    def rows(self) -> int:
        """Rows that have an outcome."""
        return sum(self.outcomes.values())


class PastRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run; times in Unix seconds.

    Attributes:
        run_id: as in the history.
        account: provider and account.
        list: the setting.
        version: of the package.
        history: its file; None for no file.
        started_at: when it began.
        ended_at: None if it was killed, or has not ended.
        exit_code: likewise.
        error: that ended it, the first sentence that the log has of it; None for none.
        totals: its numbers, as last noted.
    """

    run_id: str
    account: str | None = msgspec.field(name="destination")  # the name of its column
    list: str | None
    version: str | None
    history: str | None
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    error: str | None = None
    totals: RunTotals = RunTotals()


class PastJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job of a run; the attributes are those of the history's `Job`, but for rows that are not known here."""

    batch: int
    job_id: str
    destination: str
    route: str
    action: str
    rows: int | None
    submitted: float
    resumed: bool
    ended: float | None
    looks: int | None
    status: str
    refused: int


class PastRuns:
    """The tables; each call is made in a transaction of its own."""

    def __init__(self, connection: sa.Connection, transaction: Callable[..., AbstractContextManager[None]]) -> None:
        """Use the tables.

        Args:
            connection: to the journal.
            transaction: makes a transaction, whose error says of what is lost: `else_`.
        """
        self._connection = connection
        self._transaction = transaction

    @property
    def may_note(self) -> bool:
        """Whether nothing else is to be committed with what would be noted now."""
        return not self._connection.in_transaction()

    def begin(self, run: PastRun, oldest: str) -> None:
        """Note a run that begins, and forget those whose IDs are less than `oldest`, or that are too many.

        Raises:
            JournalError: the journal cannot be written.
        """
        runs, jobs = tables.past_runs.c.run_id, tables.past_jobs.c.run_id
        with self._noting():
            self._put(run)
            oldest = max(oldest, self._at(runs, MOST_RUNS))
            for column, first in ((runs, oldest), (jobs, max(oldest, self._at(jobs, MOST_JOBS)))):
                self._connection.execute(sa.delete(column.table).where(column < first))

    def note(self, run: PastRun, jobs: Iterable[PastJob]) -> None:
        """Note what is known of a run now, and of some of its jobs; in place of what was noted of these before.

        Raises:
            JournalError: the journal cannot be written.
        """
        rows = [{"run_id": run.run_id, **msgspec.structs.asdict(job)} for job in jobs]
        with self._noting():
            self._put(run)
            replace_rows(self._connection, tables.past_jobs, rows)

    def abandon(self) -> None:
        """Give up what is not committed, as closing the journal would."""
        with suppress(sa.exc.SQLAlchemyError):
            self._connection.rollback()

    def _put(self, run: PastRun) -> None:
        row = {**msgspec.to_builtins(run), "totals": msgspec.json.encode(run.totals).decode()}
        replace_rows(self._connection, tables.past_runs, [row])

    def _noting(self) -> AbstractContextManager[None]:
        return self._transaction(else_="`--history` may not tell all of this run")

    def _at(self, column: sa.Column[Any], number: int) -> str:
        """The ID in a row of this number, the newest first; "" if there are fewer rows."""
        ids = sa.select(column).order_by(column.desc()).offset(number - 1).limit(1)
        return self._connection.execute(ids).scalar() or ""


def run_ids(connection: sa.Connection, beginning: str, most: int) -> list[str]:
    """The newest IDs that begin so, at most so many, the newest first; those of a clock that was ahead come last."""
    column = tables.past_runs.c.run_id
    is_ahead = column > run_id_at(time.time() + CLOCKS_DIFFER)
    query = sa.select(column).where(sa.func.substr(column, 1, len(beginning)) == beginning)
    return [*connection.execute(query.order_by(is_ahead, column.desc()).limit(most)).scalars()]


def runs_of(connection: sa.Connection, ids: Sequence[str]) -> list[PastRun]:
    """The runs of these IDs, in their order.

    Raises:
        msgspec.ValidationError: the table is damaged.
    """
    table = tables.past_runs
    rows = {row.run_id: row for row in connection.execute(sa.select(table).where(table.c.run_id.in_(ids)))}
    return [
        msgspec.convert(_values(rows[one]) | {"totals": msgspec.json.decode(rows[one].totals)}, PastRun)
        for one in ids
        if one in rows
    ]


def jobs_of(connection: sa.Connection, run_id: str) -> list[PastJob]:
    """The jobs of a run, in the order of their submission.

    Raises:
        msgspec.ValidationError: the table is damaged.
    """
    table = tables.past_jobs
    query = sa.select(table).where(table.c.run_id == run_id).order_by(table.c.submitted, table.c.batch)
    return [msgspec.convert(_values(row), PastJob) for row in connection.execute(query)]


def open_jobs(connection: sa.Connection) -> list[PastJob]:
    """The jobs of the batches that have no result yet, for the newest run, which may not have noted them.

    Raises:
        msgspec.MsgspecError, AttributeError: the table is damaged.
    """
    batches, steps = tables.batches, tables.steps
    columns = (batches.c.id, batches.c.destination, batches.c.route, batches.c.action, steps.c.begun_at)
    query = sa.select(*columns, steps.c.evidence).join(steps, steps.c.batch == batches.c.id)
    query = query.where(batches.c.state == "open", steps.c.evidence.is_not(None))
    jobs: dict[int, PastJob] = {}
    for row in connection.execute(query.order_by(steps.c.begun_at)):
        evidence = msgspec.json.decode(row.evidence)
        if "job" in evidence and row.id not in jobs:
            jobs[row.id] = PastJob(
                batch=row.id,
                job_id=str(evidence["job"]),
                destination=row.destination,
                route=row.route,
                action=row.action,
                rows=None,
                submitted=row.begun_at,
                resumed=False,
                ended=None,
                looks=None,
                status="submitted",
                refused=0,
            )
    return [*jobs.values()]


def _values(row: sa.Row[Any]) -> dict[str, Any]:
    """The values of a row by the names of their columns, which SQLAlchemy has as strings of its own kind."""
    return {str(name): value for name, value in row._mapping.items()}  # noqa: SLF001 - a public name in spite of it
