"""Listings in order of one key, read side by side in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice

from tap_mailing.records.columns import Row

__all__ = ["matched", "union"]

Key = Callable[[Row], int]
Pages = Iterable[Sequence[Row]]

_PAGE = 1000


def union(walks: Sequence[Pages], key: Key) -> Iterator[Sequence[Row]]:
    """The rows of several listings, each row once, in order of `key`; of equal keys the earliest listing's row."""
    rows = _distinct(heapq.merge(*map(chain.from_iterable, walks), key=key), key)
    while page := list(islice(rows, _PAGE)):
        yield page


def _distinct(rows: Iterable[Row], key: Key) -> Iterator[Row]:
    last: int | None = None
    for row in rows:
        found = key(row)
        if found != last:
            yield row
            last = found


def matched(pages: Pages, others: Pages, key: Key) -> Iterator[tuple[Sequence[Row], dict[int, Row]]]:
    """Each page with those rows of the other listing that have the same keys."""
    rows = chain.from_iterable(others)
    ahead: Row | None = next(rows, None)
    for page in pages:
        found: dict[int, Row] = {}
        first, last = (key(page[0]), key(page[-1])) if page else (0, -1)
        while ahead is not None and (at := key(ahead)) <= last:
            if at >= first:
                found[at] = ahead
            ahead = next(rows, None)
        yield page, found
