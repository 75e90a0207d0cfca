"""Past runs in words, at 80 columns; pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from mailing_api.counted import counted, lasting, signal_in_words
from mailing_api.http.traffic import TrafficTotals
from mailing_api.process.table import Section, table, traffic_rows
from target_mailing.delivery.tally import Tally
from target_mailing.journal.past_runs import PastJob, PastRun, RunTotals
from target_mailing.rows.outcome import Outcome
from target_mailing.run.run_report import besides, opened_of, rows_of
from target_mailing.sections import WIDTH, Fact, listing, section, shown, time_in_words

__all__ = ["list_lines", "run_lines"]

#: Characters of a list's name.
_LONGEST_NAME: Final = 50
_HEADS: Final = ("Run", "Took", "Rows", "Delivered", "Rejected", "Exit")
#: Exit codes above this one name the signal that stopped the run.
_SIGNALS: Final = 128
#: Events that `opened_of` and `besides` read.
_EVENTS: Final = ("rows_held", "rows_without_outcome", "removals_held")


def list_lines(runs: Sequence[PastRun], holder: str | None) -> Iterator[str]:
    """A table of runs, by account and list where these change.

    Args:
        runs: the newest first.
        holder: the process that holds the journal; None for nobody.
    """
    cells = [_cells(run, _is_under_way(run, runs, holder)) for run in runs]
    widths = [max(map(len, column)) for column in zip(_HEADS, *cells, strict=True)]
    gap = 2 if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else 1
    yield _row(_HEADS, widths, gap)
    has_places = len({_place(run) for run in runs}) > 1
    for place, group in groupby(zip(runs, cells, strict=True), lambda one: _place(one[0])):
        if has_places:
            yield from section(f"{place}:")
        for _, row in group:
            yield _row(row, widths, gap)


def run_lines(run: PastRun, jobs: Sequence[PastJob], holder: str | None, files: Iterable[Fact]) -> Iterator[str]:
    """All that is remembered of a run.

    Args:
        run: in question.
        jobs: of the run, as far as they are remembered.
        holder: the process that runs it; None if it has ended, or was killed.
        files: where its files are.
    """
    yield from section(f"Run {run.run_id}", _about(run, holder))
    yield ""
    yield from map(shown, table(_numbers(run.totals)))
    yield ""
    yield from section("Files", files)
    if run.totals.streams:
        yield ""
        yield from listing("Streams", map(_stream, run.totals.streams.items()))
    if run.totals.jobs or jobs:
        yield ""
        yield from listing("Jobs", _jobs(run, jobs))


def _is_under_way(run: PastRun, runs: Sequence[PastRun], holder: str | None) -> bool:
    return holder is not None and run.ended_at is None and run is runs[0]


def _cells(run: PastRun, is_under_way: bool) -> tuple[str, ...]:
    totals, is_over = run.totals, run.ended_at is not None
    counts = (totals.rows, *(totals.outcomes.get(one, 0) for one in (Outcome.DELIVERED, Outcome.REJECTED)))
    shown_counts = (f"{count:,}" if is_over or totals.rows else "-" for count in counts)
    took = _took(run) or ("under way" if is_under_way else "not ended")
    return run.run_id, took, *shown_counts, "-" if run.exit_code is None else str(run.exit_code)


def _row(cells: Sequence[str], widths: Sequence[int], gap: int) -> str:
    first, *others = zip(cells, widths, strict=True)
    return (" " * gap).join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])


def _place(run: PastRun) -> str:
    name = None if run.list is None else textwrap.shorten(run.list, _LONGEST_NAME, placeholder="…")
    parts = [run.account or "an unknown account", None if name is None else f"list {name!r}"]
    return ", ".join(filter(None, parts))


def _took(run: PastRun) -> str | None:
    return None if run.ended_at is None else lasting(max(0.0, run.ended_at - run.started_at))


def _about(run: PastRun, holder: str | None) -> Iterator[Fact]:
    yield "account", [run.account or "unknown"]
    if run.list is not None:
        yield "list", [textwrap.shorten(run.list, _LONGEST_NAME, placeholder="…")]
    yield "began", [time_in_words(run.started_at)]
    if run.ended_at is not None:
        yield "ended", [f"{time_in_words(run.ended_at)}, after {_took(run)}"]
    elif holder is not None:
        yield "ended", [f"not yet: {holder} is under way"]
    else:
        yield "ended", ["no: the run was killed, or its machine stopped; the next run resumes its jobs"]
    if run.exit_code is not None:
        is_stopped = run.exit_code > _SIGNALS and run.error is None
        stopped = f"{run.exit_code}: stopped by {signal_in_words(run.exit_code - _SIGNALS)}"
        yield "exit code", [stopped if is_stopped else ": ".join(filter(None, [str(run.exit_code), run.error]))]
    if run.version is not None:
        yield "version", [run.version]


def _numbers(totals: RunTotals) -> Iterator[Section]:
    """The tables that the log of a run ends with."""
    tally, events = _tally_of(totals), dict.fromkeys(_EVENTS, 0) | {**totals.events}
    yield Section("Rows", [*rows_of(tally, opened_of(events))])
    yield Section("Not among the rows", [(words, f"{count:,}") for words, count in besides(tally, events).items()])
    calls = TrafficTotals(totals.calls, totals.retries, totals.throttled, totals.seconds_waited)
    yield Section("Calls to the provider", traffic_rows(calls))


def _tally_of(totals: RunTotals) -> Tally:
    tally = Tally()
    for outcome in Outcome:
        rows, codes = totals.outcomes.get(outcome, 0), totals.codes.get(outcome, {})
        for code, count in codes.items():
            tally.count(count, outcome, code)
        tally.count(rows - sum(codes.values()), outcome, None)
        tally.absent[outcome] = totals.events.get(f"absent_{outcome}", 0)
    tally.absent_unsubscribed = totals.events.get("absent_unsubscribed", 0)
    tally.former_removed = totals.events.get("former_removed", 0)
    return tally


def _stream(stream: tuple[str, Mapping[str, int]]) -> str:
    title, outcomes = stream
    most_first = sorted(outcomes.items(), key=lambda one: (-one[1], one[0]))
    parts = ", ".join(f"{rows:,} {outcome}" for outcome, rows in most_first)
    rows = counted(sum(outcomes.values()), "row")
    return f"{title}: {rows}{': ' if parts else ''}{parts}"


def _jobs(run: PastRun, jobs: Sequence[PastJob]) -> Iterator[str]:
    for job in jobs:
        yield f"{job.job_id}: {_job(job)}"
    if (more := run.totals.jobs - len(jobs)) > 0:
        yield f"{counted(more, 'other job')}, not kept by the journal"


def _job(job: PastJob) -> str:
    rows = None if job.rows is None else counted(job.rows, "row")
    what = ", ".join(filter(None, [job.route, job.action, rows]))
    took = "" if job.ended is None else f" after {lasting(max(0.0, job.ended - job.submitted))}"
    polls = counted(job.looks, "poll") if job.looks else None
    status = ", ".join(filter(None, [job.status + took, polls]))
    refused = f"{job.refused} refused" if job.refused else None
    return "; ".join(filter(None, [what, status, refused, "resumed" if job.resumed else None]))
