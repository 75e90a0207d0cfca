"""What a run reports of its rows and jobs while it lasts; nobody reads it if the run keeps no history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from target_mailing.rows.outcome import Outcome

__all__ = ["History", "Job", "Keys", "SentBy"]

#: Some lines of a stream, and for each what `KeyColumns.encoded` returns.
Keys = tuple[Sequence[int], Sequence[bytes]]


class SentBy(msgspec.Struct, frozen=True):
    """What a row was sent by.

    Attributes:
        batch: its number in the journal.
        job: the provider's ID of its job; None where it had none, or the row was not in it.
    """

    batch: int
    job: str | None = None


class Job(msgspec.Struct):
    """A job of the provider; times in Unix seconds.

    Attributes:
        batch: its number in the journal.
        job_id: the provider's ID.
        destination: its name.
        route: by which it was sent.
        action: of its rows.
        rows: how many it had.
        submitted: when it was submitted; when its step began, for a job of an earlier run.
        resumed: an earlier run submitted it.
        ended: when it ended; None before that.
        looks: how often it was polled; None if a signal stopped the run meanwhile.
        status: submitted, or how it ended: see `JobRecords.ended`.
        refused: how many rows were rejected.
    """

    batch: int
    job_id: str
    destination: str
    route: str
    action: str
    rows: int
    submitted: float
    resumed: bool = False
    ended: float | None = None
    looks: int | None = 0
    status: str = "submitted"
    refused: int = 0


class History:
    """Takes the reports of a run, and keeps nothing; for the thread that owns the delivery.

    Attributes:
        is_kept: whether anything is kept of rows: otherwise keys need not be read.
        takes_jobs: whether anything becomes of jobs.
        path: the final name of the file; None for no file.
        totals: returns the totals of the run at its end.
    """

    is_kept = False
    takes_jobs = False

    def __init__(self) -> None:
        """Begin with nothing."""
        self.path: Path | None = None
        self.totals: Callable[[], Mapping[str, Any]] = dict
        self._others: list[Callable[[Job], None]] = []
        #: Jobs that have not ended, by batch and ID.
        self._open: dict[tuple[int, str], Job] = {}

    def tell(self, other: Callable[[Job], None]) -> None:
        """Tell somebody else of the jobs, too."""
        self._others.append(other)
        self.takes_jobs = True

    def take(self, first: int, lines: int, keys: Iterable[Keys]) -> None:
        """Lines were read: the first one's number, how many, and the keys of the records among them."""

    def sent(self, line: int, by: SentBy) -> None:
        """The row of a line was sent, but it ends only with other rows of its key."""

    def ended(
        self, lines: Sequence[int], outcome: Outcome, code: str | None, destination: str, by: SentBy | None
    ) -> None:
        """Lines have their outcome, all alike; arguments as in `Outcomes.settle_alike`."""

    def job(self, job: Job) -> None:
        """A job was submitted, or has ended."""
        key = job.batch, job.job_id
        if job.status == "submitted":
            self._open[key] = job
        else:
            self._open.pop(key, None)
        for take in self._others:
            take(job)

    def end(self, failure: type[BaseException] | None, error: BaseException | None, *_: object) -> None:  # noqa: ARG002
        """The run has ended, with this error if it failed; as the exit of a context."""
        for job in [*self._open.values()]:  # they stay for the next run
            self.job(msgspec.structs.replace(job, status="unfinished", looks=None))
