"""The keys of streams that came in this run, in eight bytes each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from heapq import merge
from typing import Final

__all__ = ["SeenKeys"]

#: Keys that are kept in a set before they are sorted.
_RECENT: Final = 16_384


class SeenKeys:
    """Keyed hashes of keys; of two keys with the same first eight bytes one counts for both."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._sorted: list[array[int]] = []

    def add(self, key: bytes) -> None:
        """A row of this key came."""
        self._recent.add(int.from_bytes(key[:8], "big"))
        if len(self._recent) >= _RECENT:
            newest = array("Q", sorted(self._recent))
            self._recent.clear()
            while self._sorted and len(self._sorted[-1]) <= 2 * len(newest):
                newest = array("Q", merge(self._sorted.pop(), newest))
            self._sorted.append(newest)

    def __contains__(self, key: bytes) -> bool:
        """Whether a row of this key came before."""
        number = int.from_bytes(key[:8], "big")
        if number in self._recent:
            return True
        for numbers in self._sorted:
            at = bisect_left(numbers, number)
            if at < len(numbers) and numbers[at] == number:
                return True
        return False
