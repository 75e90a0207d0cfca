"""Scales of charts: ticks, and parts of a whole; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

__all__ = ["LEAST_SHARE", "shares", "steps", "time_ticks"]

#: Percent of a bar that a part has at least.
LEAST_SHARE: Final = 0.4

#: Seconds between two ticks of a time axis: what people count in.
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


def shares(counts: Sequence[int], least: float = LEAST_SHARE) -> list[float]:
    """The widths of the parts of a bar, in percent, which add up to 100 if there is anything.

    Args:
        counts: none of them negative.
        least: percent that a part has at least which is not empty, so that it can be seen; fewer than 100 of them.
    """
    whole = sum(counts)
    wide = [max(least, 100 * count / whole) if count else 0.0 for count in counts] if whole else [0.0 for _ in counts]
    scale = 100 / sum(wide) if whole else 0.0
    return [width * scale for width in wide]


def steps(most: float, parts: int = 4) -> list[int]:
    """Ticks of an axis that begins with 0: whole numbers, equally far from each other, the last at least `most`.

    Args:
        most: the greatest value, not negative.
        parts: how many spaces there are between the ticks, at most.
    """
    rough = max(1.0, most / parts)
    power = 10 ** math.floor(math.log10(rough))
    step = next(math.ceil(power * factor) for factor in (1, 2, 2.5, 5, 10, 20) if math.ceil(power * factor) >= rough)
    return [step * number for number in range(max(1, math.ceil(most / step)) + 1)]


def time_ticks(seconds: float, most: int = 5) -> list[float]:
    """Ticks of a time axis of this length, the first one 0: as many at most, besides."""
    unit = next((one for one in _TIMES if seconds / one <= most), None)
    if unit is None:
        days = math.ceil(seconds / 86400 / most)
        unit = 86400 * days
    step: float = unit
    if seconds < most / 2:  # tenths of seconds
        tenths = next((one for one in (0.1, 0.2, 0.5, 1.0) if seconds / one <= most), 1.0)
        step = tenths
    return [round(step * number, 1) for number in range(int(seconds / step + 1e-9) + 1)]
