"""What a report says of a run; the page and its form in Markdown have the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from mailing_api.http.traffic import TrafficTotals
from mailing_api.process.log_filter import safe_line
from target_mailing.delivery.router import Router
from target_mailing.delivery.summary import effect_in_words
from target_mailing.delivery.tally import Tally
from target_mailing.journal.rejects_file import Rejects
from target_mailing.report.codes import about
from target_mailing.report.job_log import JobLog
from target_mailing.report.series import Point
from target_mailing.report.shown_settings import Shown, shown_settings
from target_mailing.rows.outcome import Outcome
from target_mailing.run.run import Run
from target_mailing.run.run_report import besides, events_of, lists_at, opened_of, parts_of, rows_of
from target_mailing.run_events import Job
from target_mailing.settings.declared_settings import value_of

__all__ = ["Contents", "Head", "Link", "Reason", "Rows", "Segment", "contents", "nothing"]

#: Outcomes as segments of a bar, in their order: their words.
_SEGMENTS: Final[Mapping[Outcome, str]] = {
    Outcome.DELIVERED: "delivered",
    Outcome.UNCHANGED: "unchanged",
    Outcome.SUPERSEDED: "superseded",
    Outcome.SKIPPED: "skipped",
    Outcome.WITHHELD: "withheld",
    Outcome.REJECTED: "rejected",
}
#: Outcomes with codes that a table explains, those that need attention first.
_EXPLAINED: Final = (Outcome.REJECTED, Outcome.WITHHELD, Outcome.SKIPPED)
#: What is shown of removals that were held back, by the names in `Held`.
_HELD: Final[Mapping[str, str]] = {
    "removed": "contacts that would be removed",
    "absent": "of these absent from the input",
    "moved": "contacts that would be moved to a new address",
    "lately": "contacts that left within the last 24 hours",
    "limit": "most that may leave (max_removals)",
    "rows": "rows that wait with them",
    "allow_removals_once": "allow_removals_once that would allow it",
}
#: Streams and lists that are shown, at most; the numbers of all rows include the others.
_MOST_PARTS: Final = 100


class Head(NamedTuple):
    """What is known of a run before it begins, and how it ended.

    Attributes:
        is_plan: nothing was delivered.
        run_id: its name.
        provider: its title.
        account: the provider's and the account's label.
        version: of the package.
        began: Unix seconds.
        ended: Unix seconds.
        status: completed, failed or stopped.
        error: in words; "" for none.
    """

    is_plan: bool
    run_id: str
    provider: str
    account: str
    version: str
    began: float
    ended: float
    status: str
    error: str


class Segment(NamedTuple):
    """Rows of a bar: the name of their colour, what they are, how many, and the same in more detail, or ""."""

    name: str
    words: str
    rows: int
    note: str = ""


class Rows(NamedTuple):
    """Rows that are shown together.

    Attributes:
        stream: its name; "" for all rows.
        lists: where they go; "" for nowhere, or for all rows.
        segments: of the bar; they add up to `rows`.
        counts: the same in detail, each with what it counts; they add up to `rows`, which is not among them.
        rows: how many.
    """

    stream: str
    lists: str
    segments: Sequence[Segment]
    counts: Sequence[tuple[str, str]]
    rows: int


class Reason(NamedTuple):
    """A code that rows were given, what it means, and what to do about it."""

    code: str
    outcome: str
    rows: int
    meaning: str
    advice: str


class Link(NamedTuple):
    """A file: what it is, its place relative to the report's, the same as a URL, and what is said of it."""

    words: str
    path: str
    url: str
    note: str


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """All that a report says.

    Attributes:
        head: of the run.
        lists: that it went to.
        whole: all rows, each once.
        parts: rows by stream and list.
        more_parts: how many parts are not shown.
        is_divided: rows went to several lists, so that the parts have more rows than there are.
        besides: contacts that no row of their own took off, and those that were not taken off.
        held: by list, removals that were held back.
        reasons: codes of rows, the most frequent first.
        jobs: those that are shown.
        statuses: how many jobs have each status, all of them.
        job_rows: rows that they had.
        jobs_planned: of a plan: jobs that a delivery needs.
        points: how far the run was, over time.
        traffic: calls.
        links: files.
        settings: that matter.
        places: by destination, what people know it by.
    """

    head: Head
    lists: Sequence[str]
    whole: Rows
    parts: Sequence[Rows]
    more_parts: int
    is_divided: bool
    besides: Mapping[str, int]
    held: Mapping[str, Sequence[tuple[str, int]]]
    reasons: Sequence[Reason]
    jobs: Sequence[Job]
    statuses: Mapping[str, int]
    job_rows: int
    jobs_planned: int | None
    points: Sequence[Point]
    traffic: TrafficTotals
    links: Sequence[Link]
    settings: Sequence[Shown]
    places: Mapping[str, str]

    @property
    def jobs_in_all(self) -> int:
        """How many jobs there were."""
        return sum(self.statuses.values())


def contents(
    head: Head,
    run: Run,
    router: Router,
    rejects: Rejects,
    *,
    config: Mapping[str, Any],
    jobs: JobLog,
    points: Sequence[Point],
    folder: Path,
    history: Path | None,
    jobs_planned: int | None,
) -> Contents:
    """All that is said of a run that has ended.

    Args:
        head: of it.
        run: itself.
        router: has its destinations.
        rejects: the file of its rejects.
        config: the settings.
        jobs: of the run.
        points: how far it was, over time.
        folder: in which the report will be.
        history: the file of the history; None for none.
        jobs_planned: of a plan: jobs that a delivery needs.
    """
    outcomes, events = run.outcomes, events_of(run)
    parts = [_rows(part.stream, part.lists, part.tally, part.opened) for part in parts_of(run, router)]
    whole = _rows("", "", outcomes, opened_of(events))
    places = {job.destination: safe_line(lists_at(job.destination, router)) for job in jobs.kept()}
    lists = dict.fromkeys(safe_line(lists_at(one, router)) for one in outcomes.places if one)
    return Contents(
        head=head,
        lists=[*lists],
        whole=whole,
        parts=parts[:_MOST_PARTS],
        more_parts=max(0, len(parts) - _MOST_PARTS),
        is_divided=sum(part.rows for part in parts) > whole.rows,
        besides=besides(outcomes, events),
        held={safe_line(lists_at(name, router)): [*_held(one)] for name, one in run.delivery.queues.guard.held.items()},
        reasons=[*_reasons(outcomes)],
        jobs=jobs.kept(),
        statuses=jobs.statuses,
        job_rows=jobs.rows,
        jobs_planned=jobs_planned,
        points=points,
        traffic=router.traffic.totals,
        links=[*_links(rejects, folder, history)],
        settings=[*shown_settings(config)],
        places=places,
    )


def nothing(head: Head, router: Router, config: Mapping[str, Any]) -> Contents:
    """What is said of a run that failed before it read anything: of lists, only the setting is known."""
    chosen = value_of("list", config)
    return Contents(
        head=head,
        lists=[] if chosen is None else [safe_line(str(chosen))],
        whole=_rows("", "", Tally(), {}),
        parts=[],
        more_parts=0,
        is_divided=False,
        besides={},
        held={},
        reasons=[],
        jobs=[],
        statuses={},
        job_rows=0,
        jobs_planned=None,
        points=[],
        traffic=router.traffic.totals,
        links=[],
        settings=[*shown_settings(config)],
        places={},
    )


def _rows(stream: str, lists: str, tally: Tally, opened: Mapping[str, int]) -> Rows:
    segments = [
        Segment(str(outcome), words, tally.counts[outcome], _effects(tally) if outcome is Outcome.DELIVERED else "")
        for outcome, words in _SEGMENTS.items()
        if tally.counts[outcome]
    ]
    segments += [
        Segment("held" if words.startswith("held") else "open", words.partition(":")[0], count)
        for words, count in opened.items()
        if count
    ]
    *counts, _ = rows_of(tally, opened)
    whole = sum(segment.rows for segment in segments)
    return Rows(safe_line(stream), safe_line(lists), segments, [(safe_line(words), n) for words, n in counts], whole)


def _effects(tally: Tally) -> str:
    """What was done with the delivered rows, in words."""
    counts = {effect_in_words(effect): count for effect, count in tally.codes_of(Outcome.DELIVERED).items()}
    return next(iter(counts)) if len(counts) == 1 else ", ".join(f"{n:,} {words}" for words, n in counts.items())


def _reasons(tally: Tally) -> Iterator[Reason]:
    for outcome in _EXPLAINED:
        for code, count in tally.codes_of(outcome).items():
            meaning, advice = about(code)
            yield Reason(safe_line(code), str(outcome), count, meaning, advice)


def _held(held: Any) -> Iterator[tuple[str, int]]:
    for name, words in _HELD.items():
        if (number := getattr(held, name)) or name == "limit":
            yield words, number


def _links(rejects: Rejects, folder: Path, history: Path | None) -> Iterator[Link]:
    """The files of the run, as seen from the report's folder."""
    if rejects.rows:
        yield _link("Rejected rows", rejects.path, folder, f"{rejects.rows:,} rows, with their reasons")
    for file, count in sorted(rejects.earlier.items()):
        yield _link("Rejected rows, as before", Path(file), folder, f"{count:,} of this run's rows")
    if history is not None:
        yield _link("History", history, folder, "the outcome of every row and job")


def _link(words: str, file: Path, folder: Path, note: str) -> Link:
    path = os.path.relpath(file, folder)
    return Link(words, safe_line(path), quote(path, errors="surrogateescape"), note)
