"""The rows and ends of a chunk of lines, handed on together."""

from __future__ import annotations

from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.input.stream import End, Stream, WithOptOut
from target_mailing.journal.journal import Journal, Reject
from target_mailing.outcome import Outcome
from target_mailing.row import Row

__all__ = ["Collector"]


class Collector:
    """Collects rows of one queue, and ends of any rows.

    Attributes:
        queue: the queue of the rows.
        rows: not handed on yet.
    """

    def __init__(self, journal: Journal, outcomes: Outcomes) -> None:
        """Hand rejects on to `journal`, ends to `outcomes`, and rows to their queue."""
        self._journal = journal
        self._outcomes = outcomes
        self.queue: DestinationQueue | None = None
        self.rows: list[Row] = []
        self._rejects: list[Reject] = []
        self._ends: list[tuple[tuple[int, ...], Outcome, str | None]] = []

    def add(self, number: int, result: Row | End | WithOptOut | None, stream: Stream | None) -> None:
        """Add what a stream made of the record in this line; None where the record is skipped."""
        if stream is None or result is None:
            self.skip(number)
        elif isinstance(result, Row):
            if stream.queue is not self.queue:
                self._offer()
                self.queue = stream.queue
            self.rows.append(result)
        elif isinstance(result, WithOptOut):
            is_opt_out = result.end[0] is Outcome.REJECTED and stream.is_opt_out(result.row)
            self._outcomes.expect(number, 2, is_opt_out=is_opt_out)
            self.add(number, result.row, stream)
            self.add(number, result.end, stream)
        else:
            outcome, code, reject = result
            self._ends.append(((number,), outcome, code))
            if reject is not None:
                self._rejects.append(reject)

    def skip(self, number: int) -> None:
        """The record in this line is not delivered anywhere."""
        self._ends.append(((number,), Outcome.SKIPPED, None))

    def hand_on(self) -> None:
        """Hand on everything: rejects first, since the journal must have them before they are settled."""
        rejects, self._rejects = self._rejects, []
        ends, self._ends = self._ends, []
        if rejects:
            self._journal.note_rows(rejects=rejects)
        self._outcomes.settle_all(ends)
        self._offer()

    def _offer(self) -> None:
        if self.queue is not None and self.rows:
            rows, self.rows = self.rows, []
            self.queue.offer(rows)
