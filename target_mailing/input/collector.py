"""The rows and ends of a chunk of lines, handed on together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

from target_mailing.contacts.mapping import Values
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.input.input_observer import InputObserver
from target_mailing.input.source_keys import SourceKeys
from target_mailing.input.stream import End, Stream, WithOptOut, is_rejected
from target_mailing.journal.journal import Journal
from target_mailing.journal.retried import Retried
from target_mailing.rows.lines import Lines
from target_mailing.rows.outcome import Outcome
from target_mailing.rows.row import Resource, Row
from target_mailing.rows.row_queue import RowQueue
from target_mailing.run_events import Keys

__all__ = ["Collector"]


class Collector:
    """Collects a chunk's records, which become rows together, stream by stream; and ends of any records."""

    def __init__(
        self,
        lines: Lines,
        journal: Journal,
        outcomes: Outcomes,
        mirror: InputObserver | None = None,
        keys: SourceKeys | None = None,
        *,
        retried: Retried | None = None,
    ) -> None:
        """Collect what comes of these lines: rejects for `journal`, ends for `outcomes`, and rows for their queues.

        Whom they name goes to the mirrors of the run, if it has any; `keys` tells their keys to its history. `retried`
        is there where the lines are rejects of earlier runs.
        """
        self._retried = retried
        self._mirror = mirror
        self._keys = keys
        self._named: list[Keys] = []
        self._lines = lines
        self._journal = journal
        self._outcomes = outcomes
        #: By stream, the lines and the values of records that become rows.
        self._taken: dict[Stream, tuple[list[int], list[Values]]] = {}
        self._rows: dict[RowQueue, list[Row]] = {}
        #: By destination.
        self._ends: dict[str, list[tuple[int, End]]] = {}

    def name(self, number: int, stream: str, record: Mapping[str, Any]) -> None:
        """The record in this line was not decoded with its message: take its key, as far as that can be read."""
        if self._keys is not None:
            self._named.append(self._keys.of_record(number, stream, record))

    def begin(self, streams: Iterable[Stream | None]) -> None:
        """A line may hold records of all of these streams, in their order."""
        for stream in streams:
            if stream is not None:
                self._taken.setdefault(stream, ([], []))

    def take(self, numbers: Sequence[int], stream: Stream, values: Sequence[Values]) -> None:
        """Take records of a stream: their lines and their values."""
        all_numbers, all_values = self._taken.setdefault(stream, ([], []))
        all_numbers.extend(numbers)
        all_values.extend(values)

    def add(self, number: int, result: Row | End | WithOptOut, stream: Stream) -> None:
        """Add what a stream made of the record in this line."""
        if isinstance(result, Row):
            self._rows.setdefault(stream.queue, []).append(result)
        elif isinstance(result, WithOptOut):
            is_opt_out = result.end[0] is Outcome.REJECTED and stream.is_opt_out(result.row)
            self._outcomes.expect(number, 2, is_opt_out=is_opt_out)
            self.add(number, result.row, stream)
            self.add(number, result.end, stream)
        else:
            self._ends.setdefault(stream.queue.destination.name, []).append((number, result))

    def filtered(
        self, number: int, streams: Iterable[Stream | None], record: Mapping[str, Any], mapped: Collection[str]
    ) -> None:
        """Stream maps omit the record in this line from these streams.

        `record` has the columns as they came; those that maps change, `mapped`, tell nothing of whom it names.
        """
        for stream in streams:
            if stream is not None:
                found = stream.names.resources([number], [stream.read(record)])
                kinds = stream.told_by(mapped)
                self._ended_early([one for one in found if isinstance(one[0], kinds)])

    def skip(self, number: int) -> None:
        """The record in this line is not delivered anywhere."""
        self._ends.setdefault("", []).append((number, (Outcome.SKIPPED, None, None)))

    def hand_on(self) -> None:
        """Hand on everything, in the order of the lines.

        Rejects come first, since the journal must have them before they are settled.
        """
        if self._keys is not None:
            self._keys.tell(self._lines, self._taken, self._named)
        for stream, (numbers, values) in self._taken.items():
            if numbers:
                self._make_rows(stream, numbers, values)
        ends = sorted(chain.from_iterable(self._ends.values()), key=itemgetter(0))
        if rejects := [reject for _, (_, _, reject) in ends if reject is not None]:
            self._journal.note_rows(rejects=rejects)
        for destination, own in self._ends.items():
            own.sort(key=itemgetter(0))
            self._outcomes.at(destination).settle_all([((number,), *end[:2]) for number, end in own])
        for queue, rows in self._rows.items():
            rows.sort(key=attrgetter("line"))
            queue.offer(rows if self._retried is None else self._latest(queue.destination.name, rows, self._retried))

    def _latest(self, destination: str, rows: list[Row], retried: Retried) -> list[Row]:
        """Rows of rejects that are sent again, without those of contacts that may have something newer."""
        overtaken = retried.overtaken(destination, rows)
        self._outcomes.at(destination).settle_all([(row.lines, Outcome.SKIPPED, "order_unknown") for row in overtaken])
        left_out = {*map(id, overtaken)}
        return [row for row in rows if id(row) not in left_out]

    def _ended_early(self, resources: Sequence[tuple[Resource, int]]) -> None:
        """Records ended that are no rejects, each with a key or contact and its line: they close open rejects."""
        if resources:
            self._journal.open_rejects.ended(resources, self._outcomes.settled_up_to)

    def _make_rows(self, stream: Stream, numbers: Sequence[int], values: Sequence[Values]) -> None:
        results = stream.rows(self._lines, numbers, values)
        rows = [row for row in results if isinstance(row, Row)]
        if self._mirror is not None:
            self._mirror.name_rows(stream, rows, values)
            if len(rows) < len(results):
                ended = [one for one, row in zip(values, results, strict=True) if not isinstance(row, Row)]
                self._mirror.name(stream, ended)
        if len(rows) == len(results):
            self._rows.setdefault(stream.queue, []).extend(rows)
            return
        at = [at for at, one in enumerate(results) if not isinstance(one, Row) and not is_rejected(one)]
        self._ended_early(stream.names.resources([numbers[one] for one in at], [values[one] for one in at]))
        for number, result in zip(numbers, results, strict=True):
            self.add(number, result, stream)
