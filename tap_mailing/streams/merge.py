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


def matched(
    pages: Pages, others: Pages, keys_of: Callable[[Sequence[Row]], Sequence[int]]
) -> Iterator[tuple[Sequence[Row], Sequence[Row | None]]]:
    """Each page with the row of the other listing for each of its rows, None where that has none with this key.

    In memory are the page, a page of the other listing, and the rows of that which belong to later pages: fewer than a
    page.
    """
    rest = iter(others)
    read: dict[int, Row] = {}
    reached = -1
    for page in pages:
        keys = keys_of(page)
        wanted, last = frozenset(keys), max(keys, default=-1)
        while reached < last and (rows := next(rest, None)) is not None:
            other_keys = keys_of(rows)
            reached = max(reached, *other_keys)
            new = dict(zip(other_keys, rows, strict=True))
            if not wanted.issuperset(new):
                new = {key: row for key, row in new.items() if key in wanted or key > last}
            read |= new
        yield page, list(map(read.get, keys))
        # Most often nothing was read beyond the page.
        read = {key: row for key, row in read.items() if key > last} if reached > last else {}
