"""Notes a run in the journal: when it begins, now and then with its jobs, and when it has ended."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from target_mailing.delivery.router import Router
from target_mailing.history.opening import history_keep
from target_mailing.journal.journal import Journal
from target_mailing.journal.past_runs import PastJob, PastRun, PastRuns, RunTotals
from target_mailing.journal.rejects_file import Rejects
from target_mailing.journal.stores import JournalError
from target_mailing.rows.outcome import Outcome
from target_mailing.run.run import Run
from target_mailing.run.run_report import parts_of, run_totals
from target_mailing.run_events import History, Job
from target_mailing.run_identity import AboutRun, exit_code, run_id_at

__all__ = ["NoNotes", "RunNotes", "open_notes", "totals_of"]

#: Totals that have places of their own.
_COLUMNS: Final = frozenset({"rows", "calls", "retries", "throttled", *map(str, Outcome)})

logger = logging.getLogger("target-mailing.past")

#: Jobs of a run that are noted, the first; and seconds between two notes while it lasts.
MOST_OF_A_RUN: Final = 1000
_EVERY: Final = 10.0
#: Rejects files of a run that are noted, those with most rows.
_MOST_FILES: Final = 5
#: Streams of a run that are noted, the first, each with a list.
_MOST_STREAMS: Final = 20
#: How a sentence ends. The first one of an error says what is wrong; those that follow may name rows.
_SENTENCE_ENDS: Final = re.compile(r"(?<=[.!?]) (?=[A-Z])")


class NoNotes:
    """Notes nothing.

    Attributes:
        totals: returns the numbers of the run up to now.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.totals: Callable[[], RunTotals] = RunTotals

    def end(self, failure: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        """The run has ended, with this error if it failed; as the exit of a context."""


class RunNotes(NoNotes):
    """Notes one run; for the thread that owns the delivery. A journal that cannot be written for it is a warning."""

    def __init__(
        self,
        past_runs: PastRuns,
        about: AboutRun,
        history: History,
        *,
        report: str | None,
        keep: float,
        words_of: Callable[[Exception], str],
    ) -> None:
        """Note that the run begins.

        Args:
            past_runs: of the journal.
            about: the run.
            history: reports its jobs.
            report: the page of its report; None for none.
            keep: seconds for which older runs are remembered.
            words_of: the message of an error, as the log has it.
        """
        super().__init__()
        self._past_runs = past_runs
        self._words_of = words_of
        self._run = PastRun(
            run_id=about.run_id,
            account=about.account,
            list=about.list,
            version=about.version,
            history=None if history.path is None else str(history.path),
            started_at=about.began_at,
            totals=RunTotals(report=report),
        )
        self._jobs = 0
        #: Batch and ID of those that are noted, or will be.
        self._known: set[tuple[int, str]] = set()
        #: Those of which something is to be noted.
        self._changed: dict[tuple[int, str], PastJob] = {}
        self._noted_at = time.monotonic()
        self._guarded(lambda: past_runs.begin(self._run, run_id_at(about.began_at - keep)), logging.WARNING)
        history.tell(self._job)

    def end(self, failure: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        """See `NoNotes`."""
        code = exit_code(failure, error)
        reason = _first_sentence(self._words_of(error)) if isinstance(error, Exception) else None
        self._run = msgspec.structs.replace(self._run, ended_at=time.time(), exit_code=code, error=reason)
        self._past_runs.abandon()
        self._note(logging.DEBUG if isinstance(error, JournalError) else logging.WARNING)

    def _job(self, job: Job) -> None:
        """A job was submitted, or has ended."""
        key = job.batch, job.job_id
        self._jobs += job.status == "submitted"
        if key in self._known or len(self._known) < MOST_OF_A_RUN:
            self._known.add(key)
            self._changed[key] = PastJob(**msgspec.structs.asdict(job))
        if time.monotonic() - self._noted_at >= _EVERY and self._past_runs.may_note:
            self._note(logging.DEBUG)

    def _note(self, level: int) -> None:
        totals = msgspec.structs.replace(self.totals(), jobs=self._jobs, report=self._run.totals.report)
        self._run = msgspec.structs.replace(self._run, totals=totals)
        self._noted_at = time.monotonic()
        self._guarded(lambda: self._past_runs.note(self._run, self._changed.values()), level)
        self._changed.clear()

    @staticmethod
    def _guarded(call: Callable[[], None], level: int) -> None:
        try:
            call()
        except JournalError as error:
            logger.log(level, "%s", error)


def open_notes(
    config: Mapping[str, Any],
    journal: Journal,
    about: AboutRun,
    history: History,
    *,
    report: str | None,
    words_of: Callable[[Exception], str],
) -> NoNotes:
    """Note that a run begins, unless its journal ends with it; arguments as of `RunNotes`.

    Raises:
        ConfigurationError: `history_keep` is no time.
    """
    if not journal.name:
        return NoNotes()
    keep = history_keep(config)
    return RunNotes(journal.past_runs, about, history, report=report, keep=keep, words_of=words_of)


def totals_of(run: Run, router: Router, rejects: Rejects) -> RunTotals:
    """The numbers of a run up to now."""
    fields, outcomes = run_totals(run, router), run.outcomes
    files = {str(rejects.path): rejects.rows - rejects.left, **rejects.earlier}
    most = sorted(files.items(), key=lambda file: -file[1])[:_MOST_FILES]
    parts = ((part.title, part.tally.counts) for part in parts_of(run, router))
    streams = ((title, {str(outcome): rows for outcome, rows in counts.items() if rows}) for title, counts in parts)
    counts = {name: count for name, count in fields.items() if isinstance(count, int) and count}
    return RunTotals(
        outcomes={str(outcome): rows for outcome, rows in outcomes.counts.items() if rows},
        codes={str(outcome): codes for outcome in Outcome if (codes := outcomes.codes_of(outcome))},
        events={name: count for name, count in counts.items() if name not in _COLUMNS},
        calls=fields["calls"],
        retries=fields["retries"],
        throttled=fields["throttled"],
        seconds_waited=fields["seconds_waited"],
        rejects={file: rows for file, rows in most if rows},
        streams=dict(islice(streams, _MOST_STREAMS)),
    )


def _first_sentence(text: str) -> str:
    return _SENTENCE_ENDS.split(text, 1)[0]
