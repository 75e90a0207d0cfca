"""Reading a listing: by offset, prefetched, with proof that no row is missing; or from page to page by tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from concurrent.futures import Future
from hashlib import blake2b
from typing import Final, Generic, TypeVar

from mailing_api.errors import IncompleteExtraction, MailingError
from mailing_api.http.page_places import KnownRows, Overlap, Place, Recent, SortedPlace
from mailing_api.http.threads import DaemonPool

__all__ = ["OffsetWalk", "TokenWalk", "UnsortedWalk"]

T = TypeVar("T")

#: The first pages whose rows can prove that the rows above them were read.
_FIRST_PAGES: Final = 10

#: Pages for which a walk by tokens may start over once more.
_PAGES_FOR_A_RESTART: Final = 100

#: Steps back that a walk in an unknown order may take for each page that it reached.
_STEPS_FOR_A_PAGE: Final = 10


class OffsetWalk(Generic[T]):
    """An iterable over the pages of one listing.

    Offset paging is not a snapshot: a deletion behind the reader moves all later rows forward, past the next offset. So
    each page begins with the last row of the page before. If that row has moved, the walk steps back until pages
    overlap again, each time twice as far, and later pages overlap more. It ends only when a request for the last row
    returns no row behind it, so that it also notices a provider that returns shorter pages than requested.

    In a listing in ascending order of keys, every row is yielded once. In another order (`ordered=False`) rows must
    keep their relative order, and new ones come last; the walk steps back until a page begins with a row that it knows,
    perhaps to the beginning, so that rows may be yielded again.

    A listing of N rows that does not change takes `(N - 1) / (limit - 1)` requests, rounded up, and one more; a request
    more is possible if its size is unknown.
    """

    def __init__(
        self,
        fetch: Callable[[int, int], Sequence[T]],
        keys: Callable[[Sequence[T]], Sequence[int]],
        *,
        what: str,
        limit: int = 1000,
        ahead: int = 4,
        size: Callable[[], int | None] = lambda: None,
        ordered: bool = True,
        max_rereads: int = 100,
    ) -> None:
        """Make a walk; nothing is fetched until it is iterated.

        Args:
            fetch: called with offset and limit, perhaps from other threads; returns at most `limit` rows, and more than
                one if there are more.
            keys: the keys of rows, unique in the listing.
            what: names the listing in errors.
            limit: rows per page, 2 or more.
            ahead: pages fetched at the same time.
            size: the number of rows as the provider said last, None if it does not say. It decides what is fetched
                ahead, never whether the walk has come to its end: without it, at most one page is.
            ordered: rows come in ascending order of keys.
            max_rereads: steps back in a row, without a new row, before giving up; also how often the walk steps back to
                the beginning of a listing in another order, with one more for each page read.
        """
        self._fetch = fetch
        self._keys = keys
        self._what = what
        self._limit = limit
        self._ahead = ahead
        self._size = size
        self._ordered = ordered
        self._max_rereads = max_rereads

    @property
    def size(self) -> int | None:
        """The number of rows as the provider said last; None if it did not say."""
        return self._size()

    def __iter__(self) -> Iterator[Sequence[T]]:
        """Yield the new rows page by page.

        Raises:
            IncompleteExtraction: rows out of order, or a gap that could not be reconciled.
        """
        with DaemonPool(self._ahead, "pages") as pool:
            yield from self._walk(_Prefetch(pool, self._fetch, self._limit, self._ahead, self._size))

    def _walk(self, pages: _Prefetch[T]) -> Iterator[Sequence[T]]:
        offset = reached = stuck = starts = idle = pages_read = 0
        place = self._place()
        overlap = Overlap()
        while True:
            page = pages.take(offset, overlap.within(self._limit))
            if offset and not place.is_in(page):
                stuck += 1
                offset = overlap.back(offset)
                # In order of keys, the beginning is not a new start: the keys tell which rows were read.
                starts += offset == 0 and not self._ordered
                if stuck > self._max_rereads or starts > self._max_rereads + pages_read:
                    raise IncompleteExtraction(f"{self._what}: rows moved {max(stuck, starts)} times while being read.")
                continue
            fresh = place.behind(page)
            if fresh:
                yield fresh
                stuck = 0
                pages_read += 1
            elif len(page) <= 1:
                return
            idle = idle + 1 if offset >= reached and not fresh else 0
            if idle > self._max_rereads:
                raise IncompleteExtraction(f"{self._what}: {idle} pages in a row held nothing new.")
            offset = overlap.forward(offset, len(page), is_new=bool(fresh))
            reached = max(reached, offset)

    def _place(self) -> Place[T]:
        return SortedPlace(self._keys, self._what) if self._ordered else KnownRows(self._keys, self._limit)


class TokenWalk(Generic[T]):
    """An iterable over the pages of a listing in which each page holds a token for the next.

    Only the page without a token is the last one; a page without rows may be followed by more. If the provider no
    longer accepts a token, the walk starts over, so rows may be yielded again.
    """

    def __init__(
        self,
        fetch: Callable[[str | None], tuple[Sequence[T], str | None]],
        *,
        what: str,
        is_stale: Callable[[MailingError], bool],
        max_restarts: int = 3,
        max_empty: int = 1000,
    ) -> None:
        """Make a walk; nothing is fetched until it is iterated.

        Args:
            fetch: called with a token, None for the first page; returns rows and the next token, if there is one.
            what: names the listing in errors.
            is_stale: returns whether a request was refused because of its token.
            max_restarts: times to start over before giving up, with one more for every hundred pages that were reached.
            max_empty: pages without a row in succession before giving up.
        """
        self._fetch = fetch
        self._what = what
        self._is_stale = is_stale
        self._max_restarts = max_restarts
        self._max_empty = max_empty

    def __iter__(self) -> Iterator[Sequence[T]]:
        """Yield the pages that have rows.

        Raises:
            IncompleteExtraction: the pages could not be followed to their end.
        """
        token: str | None = None
        seen: set[bytes] = set()
        restarts = empty = reached = 0
        while True:
            try:
                rows, following = self._fetch(token)
            except MailingError as exc:
                if token is None or not self._is_stale(exc):
                    raise
                restarts += 1
                reached = max(reached, len(seen))
                if restarts > self._max_restarts + reached // _PAGES_FOR_A_RESTART:
                    raise IncompleteExtraction(f"{self._what}: its tokens were refused {restarts} times.") from None
                token = None
                seen.clear()
                continue
            if rows:
                yield rows
            if not following:
                return
            mark = blake2b(following.encode("utf-8", "surrogatepass"), digest_size=12).digest()  # tokens may be long
            if mark in seen:
                raise IncompleteExtraction(f"{self._what}: the pages form a circle: a token came twice.")
            seen.add(mark)
            empty = 0 if rows else empty + 1
            if empty > self._max_empty:
                raise IncompleteExtraction(f"{self._what}: more than {self._max_empty} pages in a row were empty.")
            token = following


class UnsortedWalk(Generic[T]):
    """An iterable over the pages of a listing in an unknown order, while rows are added, changed and deleted.

    It assumes that unchanged rows keep their relative order, and that a row that is added or changed moves to the
    beginning or the end of the listing, or keeps its place. So the newest may be first or last, by creation or change.

    Each page begins with the last row of the page before. Rows added at the beginning only push more known rows into
    it. Before a page without a known and unchanged row there may be a gap, since rows were deleted, and the walk steps
    back until it reads such a row. At the end it reads the beginning again, down to a row that has not changed since it
    last read the beginning. So it finds rows that were changed before it reached them, and so moved to the beginning.

    Rows may be yielded again, changed or not. Memory does not grow with the listing.
    """

    def __init__(
        self,
        fetch: Callable[[int, int], Sequence[T]],
        key: Callable[[T], Hashable],
        version: Callable[[T], Hashable],
        *,
        what: str,
        limit: int = 100,
        ahead: int = 4,
        size: Callable[[], int | None] = lambda: None,
        max_rereads: int = 100,
    ) -> None:
        """Make a walk; nothing is fetched until it is iterated.

        Args:
            fetch: called with offset and limit, perhaps from other threads; returns at most `limit` rows, and more than
                one if there are more.
            key: a row's key, unique in the listing.
            version: changes with every change that moves the row.
            what: names the listing in errors.
            limit: rows per page, 2 or more.
            ahead: pages fetched at the same time.
            size: as for `OffsetWalk`.
            max_rereads: the greatest number of steps back (with some more for each page that was reached), of pages
                without a new row, and of passes over the beginning.
        """
        self._fetch = fetch
        self._key = key
        self._version = version
        self._what = what
        self._limit = limit
        self._ahead = ahead
        self._size = size
        self._max_rereads = max_rereads

    @property
    def size(self) -> int | None:
        """The number of rows as the provider said last; None if it did not say."""
        return self._size()

    def __iter__(self) -> Iterator[Sequence[T]]:
        """Yield the rows page by page.

        Raises:
            IncompleteExtraction: rows moved faster than they could be read.
        """
        unmoved: set[tuple[Hashable, Hashable]] = set()
        with DaemonPool(self._ahead, "pages") as pool:
            for _ in range(self._max_rereads):
                pages = _Prefetch(pool, self._fetch, self._limit, self._ahead, self._size)
                if (yield from self._walk(pages, unmoved)):
                    return
        raise self._moved(self._max_rereads)

    def _walk(self, pages: _Prefetch[T], unmoved: set[tuple[Hashable, Hashable]]) -> Generator[Sequence[T], None, bool]:
        """Walk to the end, or to a row that is among `unmoved`; add the rows of the first pages to these.

        Returns:
            whether no row can have moved meanwhile, since one page held the whole way.
        """
        known = Recent(10 * self._limit)
        stops = frozenset(unmoved)
        offset = reached = rereads = idle = 0
        overlap = Overlap()
        while True:
            page = pages.take(offset, overlap.within(self._limit))
            rows = [((self._key(row), self._version(row)), row) for row in page]
            if offset and not any(known.has(*mark) for mark, _ in rows):
                rereads += 1
                # Only the progress shows that rows are deleted, and not in another order each time.
                if rereads > self._max_rereads + _STEPS_FOR_A_PAGE * (reached // self._limit):
                    raise self._moved(rereads)
                offset = overlap.back(offset)
                continue
            if reached < _FIRST_PAGES * self._limit:
                unmoved.update(mark for mark, _ in rows)
            end = next((place for place, (mark, _) in enumerate(rows) if mark in stops), None)
            fresh = [row for mark, row in rows[:end] if not known.has(*mark)]
            if fresh:
                yield fresh
            if end is not None:
                return offset == 0
            is_further = any(mark[0] not in known for mark, _ in rows)
            if not is_further and len(page) < self._limit:
                return reached == 0
            idle = 0 if is_further else idle + 1
            if idle > self._max_rereads:
                raise self._moved(idle)
            known.add(mark for mark, _ in rows)
            offset = overlap.forward(offset, len(page), is_new=is_further)
            reached = max(reached, offset)

    def _moved(self, times: int) -> IncompleteExtraction:
        return IncompleteExtraction(f"{self._what}: rows moved {times} times while being read.")


class _Prefetch(Generic[T]):
    """Pages requested before they are needed; their number starts at none and doubles with each full page.

    If the size of the listing is known, its last row is the last that is requested ahead; otherwise one page is, since
    only a page that is not full tells that the pages requested behind it are for nothing.

    When the walk jumps, pages requested in vain are dropped, and the number starts at none again. At most about half as
    many pages are dropped as the walk takes.
    """

    def __init__(
        self,
        pool: DaemonPool,
        fetch: Callable[[int, int], Sequence[T]],
        limit: int,
        ahead: int,
        size: Callable[[], int | None],
    ) -> None:
        self._pool = pool
        self._fetch = fetch
        self._limit = limit
        self._ahead = ahead
        self._size = size
        self._window = 1
        self._pending: deque[tuple[int, Future[Sequence[T]]]] = deque()
        self._taken = 0
        self._dropped = 0

    def take(self, offset: int, overlap: int = 1) -> Sequence[T]:
        """Return the page at an offset; `overlap` is how many of its rows the next page will probably repeat."""
        self._taken += 1
        if self._pending and self._pending[0][0] == offset:
            future = self._pending.popleft()[1]
        else:
            self._discard()
            future = self._request(offset)
        if self._window > 1:
            self._request_ahead(offset, self._limit - overlap)
        page = future.result()
        if len(page) >= self._limit:
            self._window = min(self._ahead, self._window * 2)
        return page

    def _request(self, offset: int) -> Future[Sequence[T]]:
        return self._pool.submit(lambda: self._fetch(offset, self._limit))

    def _request_ahead(self, offset: int, stride: int) -> None:
        # A page already known to be short is the last.
        if any(self._is_short(future) for _, future in self._pending):
            return
        most = min(self._window - 1, self._taken - 2 * self._dropped)
        end = self._last_row(offset)
        if end is None:
            most = min(most, 1)
        reached = self._pending[-1][0] if self._pending else offset
        while len(self._pending) < most and (end is None or reached < end):
            reached = reached + stride if end is None else min(reached + stride, end)
            self._pending.append((reached, self._request(reached)))

    def _last_row(self, offset: int) -> int | None:
        """The offset of the listing's last row; None if it is unknown, or the listing has grown since it was known."""
        size = self._size()
        return size - 1 if size is not None and offset < size else None

    def _is_short(self, future: Future[Sequence[T]]) -> bool:
        return future.done() and (future.exception() is not None or len(future.result()) < self._limit)

    def _discard(self) -> None:
        if not self._pending:
            return
        self._dropped += sum(not future.cancel() for _, future in self._pending)
        self._pending.clear()
        self._window = 1
