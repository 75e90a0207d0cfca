"""The end of a run: a table and a sentence for people, fields for programs, and metrics."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from singer_sdk.metrics import Metric, Status, Tag

from mailing_api.counted import counted, lasting
from mailing_api.process.run_metrics import log_count, log_time, log_traffic
from mailing_api.process.table import Section, show, table, traffic_fields, traffic_rows
from target_mailing.delivery.router import Router
from target_mailing.delivery.summary import absent_in_words, effect_in_words, totals, totals_sentence
from target_mailing.delivery.tally import Tally
from target_mailing.journal.rejects_file import Rejects
from target_mailing.rows.outcome import Outcome
from target_mailing.run.run import Run

__all__ = ["Part", "RunReport", "besides", "events_of", "lists_at", "opened_of", "parts_of", "rows_of", "run_totals"]

logger = logging.getLogger("target-mailing")

#: Outcomes in words, in the order of the table, after those of delivered rows, which are their effects.
_WORDS: Final[Mapping[Outcome, str]] = {
    Outcome.UNCHANGED: "unchanged",
    Outcome.SUPERSEDED: "superseded by a later row",
    Outcome.SKIPPED: "skipped",
    Outcome.WITHHELD: "withheld",
    Outcome.REJECTED: "rejected",
}
#: Rows that have no outcome, in words.
_HELD: Final = "held back: more would leave than max_removals"
_WITHOUT: Final = "without an outcome"
#: Codes of an outcome that are shown, the most frequent first.
_MOST_CODES: Final = 5


def run_totals(run: Run, router: Router) -> dict[str, Any]:
    """The totals of a run up to now, and its calls, for its history."""
    calls = router.traffic.totals
    return {
        **totals(run.outcomes, events_of(run)),
        "calls": calls.calls,
        "retries": calls.retries,
        "throttled": calls.throttled,
        "seconds_waited": round(calls.waited, 3),
    }


def events_of(run: Run) -> dict[str, int]:
    """How often each event of batches occurred, how many removals were held back, and rows without outcome."""
    guard, opened = run.delivery.queues.guard, run.intake.messages["RECORD"] - run.outcomes.rows
    held = min(opened, sum(one.rows for one in guard.held.values()))
    more = {"removals_held": guard.removals_held, "rows_held": held, "rows_without_outcome": opened - held}
    return run.delivery.counts | more


class Part(NamedTuple):
    """Rows of one stream that go to one place, or that have no place yet.

    Attributes:
        stream: its name.
        lists: what people know the place by; "" for none.
        tally: how they ended there.
        opened: those without an outcome, in words.
    """

    stream: str
    lists: str
    tally: Tally
    opened: Mapping[str, int]

    @property
    def title(self) -> str:
        """Both names."""
        return f"{self.stream} to {self.lists}" if self.lists else self.stream


def parts_of(run: Run, router: Router) -> Iterator[Part]:
    """All rows of a run, by stream and list."""
    parts, opened = [*run.outcomes.streams], run.outcomes.streams.open_rows()
    words = _WITHOUT if events_of(run)["rows_without_outcome"] else _HELD
    places = Counter(stream for stream, _, _ in parts)
    titles = Counter((stream, lists_at(destination, router)) for stream, destination, _ in parts)
    for stream, destination, tally in parts:
        lists = lists_at(destination, router)
        if titles[stream, lists] > 1:
            lists = f"{lists} ({destination})"
        yield Part(stream, lists, tally, {words: opened.pop(stream, 0)} if places[stream] == 1 else {})
    for stream, count in opened.items():  # they may have gone to several places, or to none yet
        yield Part(stream, "", Tally(), {words: count})


def lists_at(destination: str, router: Router) -> str:
    """What people know a destination by."""
    return ", ".join(router.lists_of(destination)) or destination


def opened_of(events: Mapping[str, int]) -> dict[str, int]:
    """All rows without an outcome, in words; `events` are those of `events_of`."""
    return {_HELD: events["rows_held"], _WITHOUT: events["rows_without_outcome"]}


class RunReport:
    """Reports a run when it has ended, however it did."""

    def __init__(
        self,
        run: Run,
        rejects: Rejects,
        router: Router,
        *,
        is_plan: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin now.

        Args:
            run: that begins.
            rejects: where its rejects are written.
            router: has its destinations.
            is_plan: it is a plan, which has a table of its own.
            clock: monotonic seconds.
        """
        self._run = run
        self._rejects = rejects
        self._router = router
        self._is_plan = is_plan
        self._clock = clock
        self._began = clock()

    def __call__(self, failure: type[BaseException] | None) -> None:
        """Report it.

        Args:
            failure: why it ended early; None if it did not.
        """
        run = self._run
        if failure is not None and not run.has_worked:
            return  # most often a wrong setting: a summary of zeros would only hide it
        seconds = self._clock() - self._began
        if not self._is_plan:
            self._measure(seconds, failure)
            show([*table(self._sections()), f"The run took {lasting(seconds)}."], logger)
        sentence = totals_sentence(run.outcomes, events_of(run))
        # Structured log formats show the fields, too.
        fields = {"outcomes": totals(run.outcomes, events_of(run)), **self._fields(seconds)}
        logger.info("%s%s", "Plan: " if self._is_plan else "", sentence, extra=fields)
        self._warn()

    def _warn(self) -> None:
        """Log what somebody has to look at: keys that are none, and the rejects files."""
        rejects = self._rejects
        for stream, rows in self._run.delivery.queues.repeated_keys().items():
            logger.warning(
                "Stream %r: %s a key that several addresses share, so it identifies no contact, and no former address "
                "was removed for these rows. Correct the stream's key, or the duplicates at the source",
                stream,
                counted(rows, "row has", "rows have"),
            )
        if own := rejects.rows - rejects.left:
            logger.warning("%s: %s", counted(own, "reject"), rejects.path)
        if rejects.left:
            left = counted(rejects.left, "reject")
            logger.warning("%s of an earlier run that failed or was stopped: %s", left, rejects.path)
        for file, count in sorted(rejects.earlier.items()):
            logger.warning("%s as before: %s", counted(count, "reject"), file)

    def _sections(self) -> Iterator[Section]:
        """The table: rows by stream and list, and in all, where these are not the same; then jobs and calls."""
        outcomes, events = self._run.outcomes, events_of(self._run)
        parts = [*parts_of(self._run, self._router)]
        for part in parts:
            counts = rows_of(part.tally, part.opened)
            yield Section(part.title, [*counts] if part.tally.rows else [next(counts)])
        left = [(words, f"{count:,}") for words, count in besides(outcomes, events).items()]
        if len(parts) != 1:
            yield Section("All streams", [*rows_of(outcomes, opened_of(events)), *left])
        elif left:
            yield Section("Not among the rows", left)
        for destination, times in self._run.delivery.queues.job_times().items():
            rows = [("jobs that have ended", f"{times.jobs:,}")]
            if times.median is not None and times.longest is not None:
                rows += [("median time", lasting(times.median)), ("longest time", lasting(times.longest))]
            yield Section(f"Jobs at {lists_at(destination, self._router) or destination}", rows)
        yield Section(f"Calls to {self._router.provider.title}", traffic_rows(self._router.traffic.totals))

    def _fields(self, seconds: float) -> dict[str, Any]:
        """The table for programs."""
        jobs = self._run.delivery.queues.job_times().items()
        return {
            "streams": [
                {
                    "stream": stream,
                    "destination": destination,
                    "lists": [*self._router.lists_of(destination)],
                    "rows": tally.rows,
                    **{str(outcome): tally.counts[outcome] for outcome in Outcome},
                    "effects": tally.codes_of(Outcome.DELIVERED),
                    "reasons": dict(tally.codes),
                }
                for stream, destination, tally in self._run.outcomes.streams
            ],
            "jobs": {
                destination: {"ended": times.jobs, "median_seconds": times.median, "longest_seconds": times.longest}
                for destination, times in jobs
            },
            "calls": traffic_fields(self._router.traffic.totals),
            "seconds": round(seconds, 3),
        }

    def _measure(self, seconds: float, failure: type[BaseException] | None) -> None:
        """Log the table as metrics."""
        for stream, destination, tally in self._run.outcomes.streams:
            tags = {str(Tag.STREAM.value): stream, "destination": destination}
            for outcome, rows in tally.counts.items():
                if outcome is not Outcome.DELIVERED:
                    log_count(Metric.RECORD_COUNT, rows, {**tags, "outcome": str(outcome)})
            for effect, rows in tally.codes_of(Outcome.DELIVERED).items():
                own = {"outcome": str(Outcome.DELIVERED), "effect": effect}
                log_count(Metric.RECORD_COUNT, rows, {**tags, **own})
        log_traffic(self._router.traffic.totals, {"provider": self._router.provider.name})
        status = Status.SUCCEEDED if failure is None else Status.FAILED
        log_time(Metric.SYNC_DURATION, seconds, {str(Tag.STATUS.value): str(status.value)})


def rows_of(tally: Tally, opened: Mapping[str, int] = MappingProxyType({})) -> Iterator[tuple[str, str]]:
    """The numbers of rows, each with what it counts; those before the last one add up to it.

    Args:
        tally: how rows ended.
        opened: rows without an outcome, in words.
    """
    for effect, count in tally.codes_of(Outcome.DELIVERED).items():
        yield effect_in_words(effect), f"{count:,}"
    for outcome, words in _WORDS.items():
        codes, rest = tally.codes_of(outcome), tally.counts[outcome]
        for code, count in [*codes.items()][:_MOST_CODES]:
            rest -= count
            yield f"{words}: {code}", f"{count:,}"
        if rest:
            yield f"{words}: other reasons" if codes else words, f"{rest:,}"
    yield from ((words, f"{rows:,}") for words, rows in opened.items() if rows)
    yield "rows", f"{tally.rows + sum(opened.values()):,}"


def besides(tally: Tally, events: Mapping[str, int]) -> dict[str, int]:
    """Contacts that no row of their own took off, and those that were not taken off; `events` are of `events_of`."""
    counts = {
        "former addresses removed": tally.former_removed,
        **{f"absent contacts {what}": count for what, count in absent_in_words(tally)},
        "contacts not taken off, by max_removals": events["removals_held"],
    }
    return {words: count for words, count in counts.items() if count}
