"""How long the jobs of a destination took."""

from __future__ import annotations

from collections import Counter

__all__ = ["JobTimes"]


class JobTimes:
    """The times of jobs that have ended, to a tenth of a second, so that many jobs take little memory.

    Attributes:
        jobs: how many ended, also those that an earlier run submitted, whose times are unknown.
    """

    def __init__(self) -> None:
        self.jobs = 0
        self._by_tenths: Counter[int] = Counter()

    def ended(self, seconds: float | None) -> None:
        """A job ended; None where it is unknown how long it took."""
        self.jobs += 1
        if seconds is not None:
            self._by_tenths[round(seconds * 10)] += 1

    @property
    def longest(self) -> float | None:
        """Seconds; None where no time is known."""
        return max(self._by_tenths) / 10 if self._by_tenths else None

    @property
    def median(self) -> float | None:
        """Seconds that half of the jobs took at most, to a tenth; None where no time is known."""
        left = (self._by_tenths.total() + 1) // 2
        for tenths, jobs in sorted(self._by_tenths.items()):
            left -= jobs
            if left <= 0:
                return tenths / 10
        return None
