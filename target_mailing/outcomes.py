"""What became of every row: counted, and told to the ledger (P4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

from target_mailing.checkpoint import Ledger

__all__ = ["End", "Outcome", "Outcomes", "RejectLimit"]


class Outcome(StrEnum):
    """The ways a row can end. Where one line makes several rows, the first of these is the line's."""

    REJECTED = "rejected"
    WITHHELD = "withheld"
    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"


#: The lines of a row, its own last, its outcome, and the code of that.
End = tuple[Sequence[int], Outcome, str | None]

_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


class RejectLimit:
    """How many rejects are too many."""

    def __init__(self, *, count: int | None = None, share: float | None = None) -> None:
        """Make a limit of a number of rows, or of a share of them (0 to 1)."""
        self._count = count
        self._share = share

    def is_exceeded(self, rejected: int, rows: int) -> bool:
        """Whether so many of so many rows are too many."""
        if self._count is not None:
            return rejected > self._count
        return self._share is not None and rejected > self._share * rows

    def __str__(self) -> str:
        return f"{self._count} rows" if self._count is not None else f"{self._share:.2%} of the rows"


class Outcomes:
    """The outcomes of a run's rows."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._parts: dict[int, tuple[int, Outcome, str | None]] = {}
        self.counts: Counter[Outcome] = Counter()
        self.codes: Counter[str] = Counter()

    @property
    def rows(self) -> int:
        """Rows that have their outcome."""
        return self.counts.total()

    def expect(self, line: int, parts: int) -> None:
        """A row of this line has become so many; the line is settled by the last of them."""
        left, worst, code = self._parts.get(line, (1, Outcome.SKIPPED, None))
        self._parts[line] = (left + parts - 1, worst, code)

    def settle(self, lines: Sequence[int], outcome: Outcome, code: str | None = None) -> None:
        """A row ends: its own line is the last, the others are those that it superseded.

        Raises:
            ValueError: a line had its outcome before.
        """
        self.settle_all([(lines, outcome, code)])

    def settle_same(self, rows: Iterable[Sequence[int]], outcome: Outcome) -> None:
        """Rows end, each given by its lines as in `settle`, all in the same way."""
        if self._parts:
            self.settle_all([(lines, outcome, None) for lines in rows])
            return
        ended = 0
        done: list[int] = []
        for lines in rows:
            if lines:
                ended += 1
                done.extend(lines)
        self.counts[outcome] += ended
        self.counts[Outcome.SUPERSEDED] += len(done) - ended
        self._ledger.settle(done)

    def settle_all(self, ends: Sequence[End]) -> None:
        """Rows end, as in `settle`, all at once."""
        done: list[int] = []
        for lines, outcome, code in ends:
            for line in lines[:-1]:
                self._end(line, Outcome.SUPERSEDED, None, done)
            if lines:
                self._end(lines[-1], outcome, code, done)
        self._ledger.settle(done)

    def _end(self, line: int, outcome: Outcome, code: str | None, done: list[int]) -> None:
        if line in self._parts:
            left, worst, worst_code = self._parts.pop(line)
            if _RANK[outcome] < _RANK[worst]:
                worst, worst_code = outcome, code
            if left > 1:
                self._parts[line] = (left - 1, worst, worst_code)
                return
            outcome, code = worst, worst_code
        self.counts[outcome] += 1
        if code is not None:
            self.codes[code] += 1
        done.append(line)
