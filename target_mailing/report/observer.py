"""Passes on what a run reports to its history, and notes the jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from target_mailing.history.observer import History, Job, Keys, SentBy
from target_mailing.outcome import Outcome
from target_mailing.report.job_log import JobLog

__all__ = ["ReportedHistory"]


class ReportedHistory(History):
    """The history of a run that also has a report. The history itself learns of the end."""

    takes_jobs = True

    def __init__(self, history: History, jobs: JobLog) -> None:
        """Pass everything on to this history, and jobs to both."""
        super().__init__()
        self.is_kept = history.is_kept
        self._history = history
        self._jobs = jobs

    def take(self, first: int, lines: int, keys: Iterable[Keys]) -> None:
        """See `History`."""
        self._history.take(first, lines, keys)

    def sent(self, line: int, by: SentBy) -> None:
        """See `History`."""
        self._history.sent(line, by)

    def ended(
        self, lines: Sequence[int], outcome: Outcome, code: str | None, destination: str, by: SentBy | None
    ) -> None:
        """See `History`."""
        self._history.ended(lines, outcome, code, destination, by)

    def job(self, job: Job) -> None:
        """See `History`."""
        self._jobs.take(job)
        self._history.job(job)
