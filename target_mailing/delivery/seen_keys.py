"""The keys that rows of this run had, in eight bytes each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import Final

__all__ = ["SeenKeys"]

#: Keys kept in a set before they are moved into an array.
_RECENT: Final = 16_384
#: Arrays of about the same length that become one.
_AT_ONCE: Final = 8


class SeenKeys:
    """Keyed hashes of keys. Two of which Python's hashes, of 64 bits, are equal are treated as one."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        #: Arrays that are not sorted yet: most runs never ask.
        self._unsorted: list[array[int]] = []
        self._sorted: list[array[int]] = []

    def update(self, keys: Iterable[bytes]) -> None:
        """Rows have these keys."""
        self._recent.update(map(hash, keys))
        if len(self._recent) >= _RECENT:
            self._unsorted.append(array("q", self._recent))
            self._recent.clear()

    def __contains__(self, key: bytes) -> bool:
        """Whether an earlier row had this key."""
        number = hash(key)
        if number in self._recent:
            return True
        self._sort()
        for numbers in self._sorted:
            index = bisect_left(numbers, number)
            if index < len(numbers) and numbers[index] == number:
                return True
        return False

    def _sort(self) -> None:
        for numbers in self._unsorted:
            self._sorted.append(array("q", sorted(numbers)))
            while len(alike := self._sorted[-_AT_ONCE:]) == _AT_ONCE and len(alike[0]) < 2 * len(alike[-1]):
                self._sorted[-_AT_ONCE:] = [_merged(alike)]
        self._unsorted.clear()


def _merged(arrays: Sequence[array[int]]) -> array[int]:
    """The numbers of sorted arrays, sorted; some at a time, since a list of numbers takes much memory."""
    merged = array("q")
    parts = 1 + sum(map(len, arrays)) // _RECENT
    bounds = [(1 << 64) * part // parts - (1 << 63) for part in range(parts + 1)]
    for low, high in pairwise(bounds):
        some = [numbers[bisect_left(numbers, low) : bisect_left(numbers, high)] for numbers in arrays]
        merged.extend(sorted(chain.from_iterable(some)))
    return merged
