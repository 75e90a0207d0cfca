"""Merges of listings that are sorted by one key, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby, islice

from tap_mailing.records.columns import Row

__all__ = ["matched", "union"]

Key = Callable[[Row], int]
Pages = Iterable[Sequence[Row]]

_PAGE = 1000


def union(walks: Sequence[Pages], key: Key) -> Iterator[Sequence[Row]]:
    """The rows of several listings in order of `key`; of rows with the same key only that of the first listing."""
    merged = heapq.merge(*map(chain.from_iterable, walks), key=key)
    rows = (next(rows_of_key) for _, rows_of_key in groupby(merged, key))
    while page := list(islice(rows, _PAGE)):
        yield page


def matched(pages: Pages, others: Pages, key: Key) -> Iterator[tuple[Sequence[Row], dict[int, Row]]]:
    """Each page with the rows of the other listing that have the same keys, by key."""
    rows = chain.from_iterable(others)
    upcoming: Row | None = next(rows, None)
    for page in pages:
        matches: dict[int, Row] = {}
        first, last = (key(page[0]), key(page[-1])) if page else (0, -1)
        while upcoming is not None and (upcoming_key := key(upcoming)) <= last:
            if upcoming_key >= first:
                matches[upcoming_key] = upcoming
            upcoming = next(rows, None)
        yield page, matches
