"""The people whom a stream takes off by deleted rows: how many of whom nothing is known are not counted."""

from __future__ import annotations

__all__ = ["Deletions"]


class Deletions:
    """What one run does with those of one stream at one destination.

    A table that keeps its deleted rows brings people whom the journal took off and has forgotten since. The guard has
    let each of these pass before, so as many as were forgotten do not count. All others do: if a journal is lost, the
    new one has forgotten nobody.

    Attributes:
        forgotten: how many were forgotten before this run; None if an earlier version did not note it, so that none of
            whom nothing is known counts until a run ends well.
        before: then, those whom that version took off and who are remembered, each with the time (Unix seconds).
    """

    def __init__(self, forgotten: int | None) -> None:
        """Begin a run."""
        self.forgotten = forgotten
        self.before: dict[int, float] = {}
        self._unknown = 0

    def counts(self, *, is_known: bool) -> bool:
        """Whether one more person counts, of whom something is known, or nothing."""
        if is_known or (self.forgotten is not None and self._unknown >= self.forgotten):
            return True
        self._unknown += 1
        return False

    def was_done(self, contact: int, at: float | None) -> None:
        """A row takes somebody off of whom it is known that this was done, and when (Unix seconds)."""
        if self.forgotten is None and at is not None:
            self.before[contact] = at
