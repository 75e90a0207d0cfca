"""The rows and ends of a chunk of lines, handed on together."""

from __future__ import annotations

from collections.abc import Sequence

from target_mailing.contacts.mapping import Values
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.input.stream import End, Stream, WithOptOut
from target_mailing.journal.journal import Journal, Reject
from target_mailing.lines import Lines
from target_mailing.outcome import Outcome
from target_mailing.row import Row

__all__ = ["Collector"]


class Collector:
    """Collects records of one stream after the other, which become rows together; and ends of any records."""

    def __init__(self, lines: Lines, journal: Journal, outcomes: Outcomes) -> None:
        """Collect what comes of these lines: rejects for `journal`, ends for `outcomes`, and rows for their queues."""
        self._lines = lines
        self._journal = journal
        self._outcomes = outcomes
        self._rows: dict[DestinationQueue, list[Row]] = {}
        self._rejects: list[Reject] = []
        self._ends: list[tuple[tuple[int, ...], Outcome, str | None]] = []
        #: Of the records that have not become rows yet.
        self._stream: Stream | None = None
        self._numbers: list[int] = []
        self._values: list[Values] = []

    def take(self, numbers: Sequence[int], stream: Stream, values: Sequence[Values]) -> None:
        """Take records of a stream: their lines and their values."""
        if stream is not self._stream:
            self._make_rows()
            self._stream = stream
        self._numbers.extend(numbers)
        self._values.extend(values)

    def add(self, number: int, result: Row | End | WithOptOut, stream: Stream) -> None:
        """Add what a stream made of the record in this line, after those taken before."""
        self._make_rows()
        self._add(number, result, stream)

    def skip(self, number: int) -> None:
        """The record in this line is not delivered anywhere."""
        self._ends.append(((number,), Outcome.SKIPPED, None))

    def hand_on(self) -> None:
        """Hand on everything: rejects first, since the journal must have them before they are settled."""
        self._make_rows()
        if self._rejects:
            self._journal.note_rows(rejects=self._rejects)
        self._outcomes.settle_all(self._ends)
        for queue, rows in self._rows.items():
            queue.offer(rows)

    def _make_rows(self) -> None:
        """Have the stream make rows of the records that were taken."""
        stream, numbers, values = self._stream, self._numbers, self._values
        if stream is None or not numbers:
            return
        self._numbers, self._values = [], []
        results = stream.rows(self._lines, numbers, values)
        rows = [row for row in results if isinstance(row, Row)]
        if len(rows) == len(results):
            self._rows.setdefault(stream.queue, []).extend(rows)
            return
        for number, result in zip(numbers, results, strict=True):
            self._add(number, result, stream)

    def _add(self, number: int, result: Row | End | WithOptOut, stream: Stream) -> None:
        if isinstance(result, Row):
            self._rows.setdefault(stream.queue, []).append(result)
        elif isinstance(result, WithOptOut):
            is_opt_out = result.end[0] is Outcome.REJECTED and stream.is_opt_out(result.row)
            self._outcomes.expect(number, 2, is_opt_out=is_opt_out)
            self._add(number, result.row, stream)
            self._add(number, result.end, stream)
        else:
            outcome, code, reject = result
            self._ends.append(((number,), outcome, code))
            if reject is not None:
                self._rejects.append(reject)
