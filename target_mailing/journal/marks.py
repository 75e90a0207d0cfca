"""Marks that tell which values are surely not among many others: a byte or a few for each value; pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations, compress, cycle, islice
from typing import Final, TypeVar

__all__ = ["Marks"]

V = TypeVar("V", bound=Hashable)

#: What marks a value in its byte: three bits, which mark few other values by chance.
_BITS: Final = [1 << a | 1 << b | 1 << c for a, b, c in islice(cycle(combinations(range(8), 3)), 64)]


class Marks:
    """Marks of values that are keyed hashes, or keyed so by Python. With one for each byte, few others look marked."""

    def __init__(self, size: int) -> None:
        """Nothing is marked yet.

        Args:
            size: bytes, a power of 2; 0 for marks that others will replace.
        """
        self._bytes = bytearray(size)

    def __len__(self) -> int:
        """Bytes."""
        return len(self._bytes)

    def double(self) -> None:
        """Take twice the bytes; what is marked stays so."""
        self._bytes += bytes(self._bytes)  # a value is marked wherever its place may be now

    def mark(self, hashes: Iterable[int]) -> None:
        """Mark values, given their Python hashes."""
        marks, mask = self._bytes, len(self._bytes) - 1
        for place in hashes:
            marks[place & mask] |= _BITS[place >> 32 & 63]

    def among(self, values: Sequence[V]) -> set[V]:
        """Those of some values that are marked, or look so. Where nearly none are, a few calls show it."""
        marks, mask = self._bytes, len(self._bytes) - 1
        if not marks:
            return set()
        met = compress(values, map(marks.__getitem__, map(mask.__and__, map(hash, values))))
        return {value for value in met if not _BITS[(at := hash(value)) >> 32 & 63] & ~marks[at & mask]}
