"""The outcome of every row: counted for the run and for its destination, and reported to the ledger (P4)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Final

from target_mailing.contacts.effects import Effect
from target_mailing.delivery.checkpoints import Ledger
from target_mailing.delivery.stream_tallies import StreamTallies
from target_mailing.delivery.tally import Tally
from target_mailing.rows.outcome import Outcome
from target_mailing.run_events import History, SentBy

__all__ = ["End", "Outcomes", "OutcomesAt", "Replayed", "worst"]

#: The lines of a row, its own last; its outcome; the code of the outcome, or a delivered row's effect.
End = tuple[Sequence[int], Outcome, str | None]

#: Outcome and code of a part of a line, and what it was sent by.
_Ended = tuple[Outcome, str | None, SentBy | None]

_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}
_EFFECT_RANK: dict[str | None, int] = {effect: rank for rank, effect in enumerate(Effect)}
#: Effects on the former address of a row's key, beside the row's own.
_OF_FORMER: Final = frozenset({Effect.REMOVED, Effect.LOOKED_UP})


def worst(ends: Iterable[tuple[Outcome, str | None]]) -> tuple[Outcome, str | None]:
    """The outcome of a row of which several things were done."""
    return min(ends, key=lambda end: _rank(*end))


def _rank_of(end: _Ended) -> tuple[int, int]:
    return _rank(*end[:2])


def _rank(outcome: Outcome, code: str | None) -> tuple[int, int]:
    return _RANK[outcome], _EFFECT_RANK.get(code, 0) if outcome is Outcome.DELIVERED else 0


class Replayed:
    """Input lines whose rows were rejects before, as runs of consecutive lines."""

    def __init__(self) -> None:
        self.rows = 0
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def add(self, line: int) -> None:
        """Add a line, which comes after those added before."""
        self.rows += 1
        if self._lasts and self._lasts[-1] == line - 1:
            self._lasts[-1] = line
        else:
            self._firsts.append(line)
            self._lasts.append(line)

    def __contains__(self, line: int) -> bool:
        """Whether the row of this line was a reject before."""
        at = bisect_right(self._firsts, line) - 1
        return at >= 0 and line <= self._lasts[at]


class Outcomes(Tally):
    """The outcomes of a run's rows."""

    def __init__(self, ledger: Ledger, history: History | None = None) -> None:
        """Begin with none.

        Args:
            ledger: gets the lines that have an outcome.
            history: gets their outcomes; None for no history.
        """
        super().__init__()
        self._ledger = ledger
        self.history = history or History()
        self._places: dict[str, OutcomesAt] = {}
        self.streams = StreamTallies(lambda: ledger.prefix)
        #: By line, how many of its parts are left, and how the others ended by destination.
        self._parts: dict[int, tuple[int, dict[OutcomesAt, _Ended]]] = {}
        self.replayed = Replayed()
        #: Rejected rows that were rejects before.
        self.rejected_again = 0
        #: Lines of rejected rows whose opt-outs are under way.
        self._opt_outs: set[int] = set()
        #: Rejected rows whose opt-outs were still sent, and the provider has.
        self.opt_outs_obeyed = 0

    def at(self, destination: str) -> OutcomesAt:
        """The outcomes of the rows of a destination; "" for those that go nowhere."""
        return self._places.setdefault(destination, OutcomesAt(self, destination))

    @property
    def places(self) -> Mapping[str, Tally]:
        """The outcomes by destination. A line whose parts go to several counts at each of them."""
        return self._places

    @property
    def settled_up_to(self) -> int:
        """The line before the first one that has no outcome."""
        return self._ledger.prefix

    def expect(self, line: int, parts: int, *, is_opt_out: bool = False) -> None:
        """A row of this line was divided into parts; the last part to end settles the line.

        Args:
            line: its number in the input.
            parts: how many.
            is_opt_out: the row is rejected, and one part is its opt-out, which is still sent.
        """
        if is_opt_out:
            self._opt_outs.add(line)
        left, ends = self._parts.get(line, (1, {}))
        self._parts[line] = (left + parts - 1, ends)

    def settle_all(self, ends: Iterable[End], at: OutcomesAt, by: SentBy | None) -> None:
        """Rows of a destination end; the lines before a row's own are superseded.

        Raises:
            ValueError: a line has its outcome already.
        """
        done: list[int] = []
        for (outcome, code), alike in groupby(ends, itemgetter(1, 2)):
            done.extend(self._ended([lines for lines, _, _ in alike], (outcome, code, by), at))
        self._ledger.settle(done)

    def settle_alike(self, lines: Iterable[int], end: _Ended, at: OutcomesAt) -> None:
        """Rows of one line each end alike; see `settle_all`."""
        self._ledger.settle(self._ended([*zip(lines)], end, at))

    def _ended(self, rows: Sequence[Sequence[int]], end: _Ended, at: OutcomesAt) -> list[int]:
        """Count rows that end alike; returns their lines that have an outcome now."""
        outcome, code, by = end
        if self._parts or (outcome is Outcome.REJECTED and self.replayed.rows):
            return self._ended_one_by_one(rows, end, at)
        done, ended = [*chain.from_iterable(rows)], sum(map(bool, rows))
        for tally in (self, at):
            tally.count(ended, outcome, code)
            tally.count(len(done) - ended, Outcome.SUPERSEDED, None)
        own = done if len(done) == ended else [lines[-1] for lines in rows if lines]
        superseded = [] if own is done else [*chain.from_iterable(lines[:-1] for lines in rows)]
        for lines, how, why, sent in ((own, outcome, code, by), (superseded, Outcome.SUPERSEDED, None, None)):
            if lines:
                self.streams.ended(lines, how, why, at.destination)
                self.history.ended(lines, how, why, at.destination, sent)
        return done

    def _ended_one_by_one(self, rows: Sequence[Sequence[int]], end: _Ended, at: OutcomesAt) -> list[int]:
        """The same for rows among which are parts, or rejects that were rejects before."""
        done: list[int] = []
        for lines in rows:
            if self._opt_outs and not self._opt_outs.isdisjoint(lines):
                self._obey(lines, *end[:2])
            for line in lines[:-1]:
                self._end(line, (Outcome.SUPERSEDED, None, None), at, done)
            if lines:
                self._end(lines[-1], end, at, done)
        return done

    def _obey(self, lines: Sequence[int], outcome: Outcome, code: str | None) -> None:
        """Rows end that include opt-outs of rejected rows: count those that the provider has now."""
        if outcome is Outcome.UNCHANGED or (outcome is Outcome.DELIVERED and code not in _OF_FORMER):
            obeyed = self._opt_outs.intersection(lines)
            self._opt_outs -= obeyed
            self.opt_outs_obeyed += len(obeyed)

    def _end(self, line: int, end: _Ended, at: OutcomesAt, done: list[int]) -> None:
        left, ends = self._parts.pop(line, (1, {}))
        ends[at] = end if at not in ends else min(ends[at], end, key=_rank_of)
        if left > 1:
            self._parts[line] = (left - 1, ends)
            return
        self._opt_outs.discard(line)
        for tally, (outcome, code, _) in ends.items():
            tally.count(1, outcome, code)
            self.streams.ended([line], outcome, code, tally.destination)
        place = min(ends, key=lambda one: _rank_of(ends[one]))
        outcome, code, by = ends[place]
        self.count(1, outcome, code)
        if outcome is Outcome.REJECTED and self.replayed.rows and line in self.replayed:
            self.rejected_again += 1
        self.history.ended([line], outcome, code, place.destination, by)
        done.append(line)


class OutcomesAt(Tally):
    """The outcomes of the rows of one destination, which are the run's, too."""

    def __init__(self, run: Outcomes, destination: str) -> None:
        """Begin with none at a destination of this name."""
        super().__init__()
        self._run = run
        self.destination = destination

    def settle_all(self, ends: Iterable[End], by: SentBy | None = None) -> None:
        """Rows end; the lines before a row's own are superseded.

        Args:
            ends: of rows.
            by: what they were sent by; None where no call was needed.

        Raises:
            ValueError: a line has its outcome already.
        """
        self._run.settle_all(ends, self, by)

    def settle_alike(self, lines: Iterable[int], outcome: Outcome, code: str | None, by: SentBy | None = None) -> None:
        """Rows of one line each end alike; see `settle_all`."""
        self._run.settle_alike(lines, (outcome, code, by), self)

    def former_left(self, contacts: int) -> None:
        """Former addresses were removed."""
        for tally in (self, self._run):
            tally.former_removed += contacts

    def absent_ended(self, contacts: int, outcome: Outcome, *, is_unsubscribed: bool = False) -> None:
        """Rows ended that were to take off contacts whom a whole input did not name, or to unsubscribe them."""
        for tally in (self, self._run):
            tally.absent[outcome] += contacts
            if is_unsubscribed and outcome is Outcome.DELIVERED:
                tally.absent_unsubscribed += contacts
