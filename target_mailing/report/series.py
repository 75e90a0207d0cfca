"""How far a run was, over time, in a fixed number of points; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from target_mailing.run.progress import Standing

__all__ = ["Point", "Series"]

#: Points that are kept at most.
_MOST: Final = 240
#: Seconds between two points, at first.
_FIRST_INTERVAL: Final = 0.05


class Point(NamedTuple):
    """How far a run was at a moment, in seconds since it began."""

    seconds: float
    standing: Standing


class Series:
    """Takes points, and drops every other one when there are too many: then there is twice as long between two."""

    def __init__(self, most: int = _MOST) -> None:
        """Begin with none; keep so many at most, at least 4."""
        self._most = most
        self._interval = _FIRST_INTERVAL
        self._due = 0.0
        self.points: list[Point] = []

    def watch(self, seconds: float, look: Callable[[], Standing]) -> None:
        """Take a point if it is time; the seconds never decrease."""
        if seconds >= self._due:
            self.add(seconds, look())

    def add(self, seconds: float, standing: Standing) -> None:
        """Take a point."""
        self.points.append(Point(seconds, standing))
        if len(self.points) > self._most:
            last = self.points[-1]
            self.points = [*self.points[:-1:2], last]
            self._interval *= 2
        self._due = seconds + self._interval
