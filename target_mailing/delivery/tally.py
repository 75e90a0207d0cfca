"""How many rows ended how."""

from __future__ import annotations

from collections import Counter

from target_mailing.rows.outcome import Outcome

__all__ = ["Tally"]


class Tally:
    """Counts rows by outcome and code; a delivered row's code is its effect."""

    def __init__(self) -> None:
        """Begin with none."""
        self.counts: Counter[Outcome] = Counter()
        self._codes: Counter[tuple[Outcome, str]] = Counter()
        #: Former addresses that were removed because the rows of their keys have another one.
        self.former_removed = 0
        #: How rows ended that were to take off contacts whom a whole input did not name; they have no lines.
        self.absent: Counter[Outcome] = Counter()
        #: How many of those that were delivered unsubscribed their contacts, which stay on the list.
        self.absent_unsubscribed = 0

    @property
    def rows(self) -> int:
        """Rows that have their outcome."""
        return self.counts.total()

    @property
    def codes(self) -> Counter[str]:
        """How often each code was given; effects are not codes."""
        codes: Counter[str] = Counter()
        for (outcome, code), count in self._codes.items():
            if outcome is not Outcome.DELIVERED:
                codes[code] += count
        return codes

    def codes_of(self, outcome: Outcome) -> dict[str, int]:
        """How often each code of an outcome was given, the most frequent first; for delivered rows, each effect.

        Equally frequent ones are in the order of their names, whichever job ended first.
        """
        counts = {code: count for (other, code), count in self._codes.items() if other is outcome}
        return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))

    def count(self, rows: int, outcome: Outcome, code: str | None) -> None:
        """Rows ended alike."""
        if rows:
            self.counts[outcome] += rows
            if code is not None:
                self._codes[outcome, code] += rows
