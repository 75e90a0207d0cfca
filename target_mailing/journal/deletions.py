"""The people whom a stream removes by deleted rows: how many of whom nothing is known are not counted."""

from __future__ import annotations

__all__ = ["Deletions"]


class Deletions:
    """What runs before told of one stream at one destination, and what this run does.

    A table that keeps its deleted rows brings people whom the journal took off and has forgotten since. With those that
    it remembers there are at most as many as the stream was seen to remove by runs that ended well, each of which the
    guard has let pass: so many do not count, and all others do. If a journal is lost, the new one has
    seen few.

    Attributes:
        known: as many people the stream was seen to remove; None if an earlier version did not note it, so that none
            of whom nothing is known counts until a run ends well.
    """

    def __init__(self, known: int | None) -> None:
        """Begin a run."""
        self.known = known
        self._counted = self._others = 0

    def removes(self, *, is_known: bool) -> bool:
        """A row removes somebody of whom something is known, or nothing; whether that counts."""
        if not is_known and (self.known is None or self._others < self.known):
            self._others += 1
            return False
        self._counted += 1
        return True

    def removed_before(self) -> None:
        """A row removes somebody of whom it is known that this was done."""
        self._others += 1

    @property
    def at_end(self) -> int:
        """As many people the stream was seen to remove once this run ends well.

        Those that count are new ones. A table that brings all of its rows tells at once how many it has.
        """
        return max((self.known or 0) + self._counted, self._others + self._counted)
