"""The position of a walk over a listing, and how it steps back when rows have moved."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import ge
from typing import Final, Generic, Protocol, TypeVar

from mailing_api.errors import IncompleteExtraction

__all__ = ["KnownRows", "Overlap", "Place", "Recent", "SortedPlace"]

T = TypeVar("T")

#: Pages whose rows are known: the walk need not start over for rows deleted together that fill fewer pages.
_REMEMBERED_PAGES: Final = 100


class Overlap:
    """How many rows of a page the next page repeats: one if nothing moves, more if rows were deleted.

    Each step back is twice as long as the one before, and the next pages repeat as many rows; each page without a step
    back halves the number. If the walk must step back again before it reads a new row, steps and repeats grow further
    until it reads one: otherwise it could cross the same place, or the end, without end.
    """

    def __init__(self) -> None:
        self._rows = 1
        self._least = 1
        self._is_idle = False

    def back(self, offset: int) -> int:
        """Return the offset to try when the page at this one begins with no known row."""
        self._rows *= 2
        if self._is_idle:
            self._least *= 2
        self._is_idle = False
        return max(0, offset - max(self._rows, self._least))

    def forward(self, offset: int, count: int, *, is_new: bool) -> int:
        """Return the offset of the page after a page of `count` rows, some of which may be new."""
        following = offset + count - self.within(count)
        self._rows = max(1, self._rows // 2)
        if is_new:
            self._least = 1
        self._is_idle = not is_new
        return following

    def within(self, count: int) -> int:
        """Return the overlap with a page of `count` rows: at most about half of it, or more if that was too little."""
        return max(min(self._rows, max(1, count // 2)), min(self._least, max(1, count - 1)))


class Place(Protocol[T]):
    """The position of a walk, as rows that it has read."""

    def is_in(self, page: Sequence[T]) -> bool:
        """Return whether the page begins at or before it, so that no row between can be missing."""

    def behind(self, page: Sequence[T]) -> Sequence[T]:
        """Return the new rows of such a page; the place moves behind them."""


class SortedPlace(Generic[T]):
    """The greatest key that was read, in a listing in order of keys."""

    def __init__(self, keys: Callable[[Sequence[T]], Sequence[int]], what: str) -> None:
        self._keys = keys
        self._what = what
        self._last: int | None = None

    def is_in(self, page: Sequence[T]) -> bool:
        """Return whether the page begins at or before that key."""
        return self._last is None or (len(page) > 0 and self._keys(page[:1])[0] <= self._last)

    def behind(self, page: Sequence[T]) -> Sequence[T]:
        """Return the rows with greater keys.

        Raises:
            IncompleteExtraction: rows out of order.
        """
        keys = self._keys(page)
        if any(map(ge, keys, keys[1:])):
            raise IncompleteExtraction(f"{self._what}: rows are not sorted as requested, so some may be missing.")
        last = self._last
        if not keys or (last is not None and keys[-1] <= last):
            return ()
        self._last = keys[-1]
        return page if last is None else page[bisect_right(keys, last) :]


class KnownRows(Generic[T]):
    """The rows read last, in a listing in another order; `limit` is that of a page."""

    def __init__(self, keys: Callable[[Sequence[T]], Sequence[int]], limit: int) -> None:
        self._keys = keys
        self._rows = Recent(_REMEMBERED_PAGES * limit)

    def is_in(self, page: Sequence[T]) -> bool:
        """Return whether the page begins with one of them."""
        return len(page) > 0 and self._keys(page[:1])[0] in self._rows

    def behind(self, page: Sequence[T]) -> Sequence[T]:
        """Return the rows that are not among them."""
        keys = self._keys(page)
        fresh = [row for row, key in zip(page, keys, strict=True) if key not in self._rows]
        self._rows.add((key, None) for key in keys)
        return fresh


class Recent:
    """The rows read last, by key, each with its version."""

    def __init__(self, size: int) -> None:
        self._size = size
        # A plain dict looks for its first entry behind all entries that were deleted before.
        self._rows: OrderedDict[Hashable, Hashable] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._rows

    def has(self, key: Hashable, version: Hashable) -> bool:
        """Return whether this row was read in this version."""
        return key in self._rows and self._rows[key] == version

    def add(self, rows: Iterable[tuple[Hashable, Hashable]]) -> None:
        """Remember rows and forget the oldest."""
        for key, version in rows:
            self._rows[key] = version
            self._rows.move_to_end(key)
        while len(self._rows) > self._size:
            self._rows.popitem(last=False)
