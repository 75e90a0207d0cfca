"""How far a walk over a listing has come, and how it steps back where rows have moved."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Final, Generic, Protocol, TypeVar

from mailing_api.errors import IncompleteExtraction

__all__ = ["REMEMBERED_PAGES", "KnownRows", "Overlap", "Place", "Recent", "SortedPlace"]

T = TypeVar("T")

#: In a stable order, rows that were deleted at once and fill so many pages do not make the walk start over.
REMEMBERED_PAGES: Final = 100


class Overlap:
    """How many rows of a page the next one shows again: one where nothing moves, more where rows were deleted.

    Each step back goes twice as far as the one before, and so much is shown again afterwards; each page that goes well
    halves it. Where the walk has to step back again before it met a new row, pages show more of each other, and it goes
    back further, until it does: otherwise it could pass over the same place, or the end, for ever.
    """

    def __init__(self) -> None:
        self._rows = 1
        self._least = 1
        self._went_on = False

    def back(self, offset: int) -> int:
        """The offset to try where nothing known stands at this one."""
        self._rows *= 2
        if self._went_on:
            self._least *= 2
        self._went_on = False
        return max(0, offset - max(self._rows, self._least))

    def forward(self, offset: int, count: int, *, is_new: bool) -> int:
        """The offset of the page after one of `count` rows, some of which may be new."""
        found = offset + count - self.within(count)
        self._rows = max(1, self._rows // 2)
        if is_new:
            self._least = 1
        self._went_on = not is_new
        return found

    def within(self, count: int) -> int:
        """The overlap with a page of `count` rows: about half of it, and more where that was too little."""
        return max(min(self._rows, max(1, count // 2)), min(self._least, max(1, count - 1)))


class Place(Protocol[T]):
    """How far a walk has come, told by rows."""

    def is_in(self, page: Sequence[T]) -> bool:
        """Whether the page begins at or before it, so that nothing can be missing between."""

    def behind(self, page: Sequence[T]) -> Sequence[T]:
        """The rows of such a page that are new; the place moves behind them."""


class SortedPlace(Generic[T]):
    """The greatest key that was read, in a listing in order of keys."""

    def __init__(self, key: Callable[[T], int], what: str) -> None:
        self._key = key
        self._what = what
        self._last: int | None = None

    def is_in(self, page: Sequence[T]) -> bool:
        """Whether the page begins at or before that key."""
        return self._last is None or (len(page) > 0 and self._key(page[0]) <= self._last)

    def behind(self, page: Sequence[T]) -> Sequence[T]:
        """The rows with greater keys.

        Raises:
            IncompleteExtraction: rows out of order.
        """
        keys = [self._key(row) for row in page]
        if any(a >= b for a, b in pairwise(keys)):
            raise IncompleteExtraction(f"{self._what}: rows are not sorted as asked, so none can be proven read.")
        last = self._last
        if not keys or (last is not None and keys[-1] <= last):
            return ()
        self._last = keys[-1]
        if last is None or keys[0] > last:
            return page
        return [row for row, key in zip(page, keys, strict=True) if key > last]


class KnownRows(Generic[T]):
    """The rows read last, in a listing in another order."""

    def __init__(self, key: Callable[[T], int], size: int) -> None:
        self._key = key
        self._rows = Recent(size)

    def is_in(self, page: Sequence[T]) -> bool:
        """Whether the page begins with one of them."""
        return len(page) > 0 and self._key(page[0]) in self._rows

    def behind(self, page: Sequence[T]) -> Sequence[T]:
        """The rows that are none of them."""
        keys = [self._key(row) for row in page]
        fresh = [row for row, key in zip(page, keys, strict=True) if key not in self._rows]
        self._rows.add((key, None) for key in keys)
        return fresh


class Recent:
    """The rows met last, by key, each with its version."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rows: dict[Hashable, Hashable] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._rows

    def has(self, key: Hashable, version: Hashable) -> bool:
        """Whether this row was met as it is."""
        return key in self._rows and self._rows[key] == version

    def add(self, rows: Iterable[tuple[Hashable, Hashable]]) -> None:
        """Remember rows, and forget the oldest."""
        for key, version in rows:
            self._rows.pop(key, None)
            self._rows[key] = version
        while len(self._rows) > self._size:
            del self._rows[next(iter(self._rows))]
