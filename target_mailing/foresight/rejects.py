"""The rejects of a plan, which are in no file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from target_mailing.foresight.foresight import Foresight
from target_mailing.journal.journal import Reject

__all__ = ["UnwrittenRejects"]


class UnwrittenRejects:
    """Takes rejects and shows some of them: the outcomes count them."""

    path = Path()
    rows = left = 0

    def __init__(self, foresight: Foresight) -> None:
        """Take what shows some of them."""
        self._foresight = foresight
        self.earlier: Counter[str] = Counter()

    @property
    def files(self) -> list[str]:
        """None."""
        return []

    def declare(self, stream: str, columns: Iterable[str], keys: Sequence[str]) -> None:
        """No file has columns."""

    def count_earlier(self, files: Iterable[str]) -> None:
        """Rejects of earlier runs are rejects of this one."""

    def write(self, rejects: Sequence[Reject]) -> None:
        """Show some of them."""
        for reject in rejects:
            self._foresight.note_reject(reject.stream, reject.code, reject.record)

    def close(self) -> None:
        """Nothing is open."""
