"""When splitting is stopped: batches fail one after the other, and no row arrives; pure."""

from __future__ import annotations

from typing import Final

__all__ = ["SPLITTING_STOPPED", "Brake"]

#: Batches that fail as a whole, without naming rows and without any success in between, until the run stops; and
#: batches split from them that failed in the same way. With faulty rows alone, one half of a batch would arrive.
_MOST_WHOLE: Final = 3
_MOST_PARTS: Final = 12
#: What the run says then.
SPLITTING_STOPPED: Final = (
    f"{_MOST_WHOLE} batches or more failed as a whole one after the other, and so did {_MOST_PARTS} batches that were "
    "split from them, without naming rows. So the cause is not a faulty row: see how the jobs ended at the provider, "
    "and check the settings of the destination. The journal keeps these batches, and the next run sends their rows "
    "again."
)


class Brake:
    """Failures since anything last arrived."""

    def __init__(self) -> None:
        self._whole = 0
        self._parts = 0

    def succeeded(self) -> None:
        """Rows of a batch arrived, or the provider named the rows that it refused."""
        self._whole = self._parts = 0

    def failed(self, *, is_part: bool) -> bool:
        """A batch failed without naming rows; returns whether it is not to be split."""
        if is_part:
            self._parts += 1
        else:
            self._whole += 1
        return self._whole >= _MOST_WHOLE and self._parts >= _MOST_PARTS
