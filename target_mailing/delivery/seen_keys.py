"""The keys that rows of this run had, in eight bytes each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from heapq import merge
from typing import Final

__all__ = ["SeenKeys"]

#: Keys kept in a set before they are sorted into an array.
_RECENT: Final = 16_384


class SeenKeys:
    """Keyed hashes of keys. Two keys with the same first eight bytes are treated as one."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._sorted: list[array[int]] = []

    def add(self, key: bytes) -> None:
        """A row has this key."""
        self._recent.add(int.from_bytes(key[:8], "big"))
        if len(self._recent) >= _RECENT:
            newest = array("Q", sorted(self._recent))
            self._recent.clear()
            while self._sorted and len(self._sorted[-1]) <= 2 * len(newest):
                newest = array("Q", merge(self._sorted.pop(), newest))
            self._sorted.append(newest)

    def __contains__(self, key: bytes) -> bool:
        """Whether an earlier row had this key."""
        number = int.from_bytes(key[:8], "big")
        if number in self._recent:
            return True
        for numbers in self._sorted:
            index = bisect_left(numbers, number)
            if index < len(numbers) and numbers[index] == number:
                return True
        return False
