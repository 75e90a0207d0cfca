"""The keys that rows of this run had, in a bit for each key that the journal has; pure."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["SeenKeys"]


class SeenKeys:
    """Which keys of one destination rows of this run had, by the numbers that the journal gives its keys.

    A key that the journal got since the first row was had by a row of this run. No two destinations have a key of one
    number, so all use the same bits, however many destinations there are.
    """

    def __init__(self, last: int, bits: bytearray) -> None:
        """Begin with none; `last` is the greatest number of a key before the destination's first row."""
        self._last = last
        self._bits = bits
        bits += bytes(max(0, (last >> 3) + 1 - len(bits)))

    def update(self, numbers: Iterable[int]) -> None:
        """Rows have the keys of these numbers."""
        bits, last = self._bits, self._last
        for number in numbers:
            if number <= last:
                bits[number >> 3] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        """Whether an earlier row had the key of a number."""
        return number > self._last or bool(self._bits[number >> 3] >> (number & 7) & 1)
