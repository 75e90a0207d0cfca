"""Reading a listing: by offset, fetched ahead, with proof that nothing was missed; or from page to page by tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from concurrent.futures import Future
from hashlib import blake2b
from typing import Final, Generic, TypeVar

from mailing_api.errors import IncompleteExtraction, MailingError
from mailing_api.http.page_places import REMEMBERED_PAGES, KnownRows, Overlap, Place, Recent, SortedPlace
from mailing_api.http.threads import DaemonPool

__all__ = ["OffsetWalk", "TokenWalk", "UnsortedWalk"]

T = TypeVar("T")

#: Rows of so many first pages may tell that what stands above them was read.
_LOOKED_AT_PAGES: Final = 10

#: Steps back that a walk in an unknown order may take for each page that it reached.
_STEPS_FOR_A_PAGE: Final = 10


class OffsetWalk(Generic[T]):
    """An iterable over the pages of one listing.

    Offset paging is no snapshot: a row deleted behind the reader moves all later rows forward, past the next
    offset. So each page begins with the last row of the page before. Where that row has moved, the walk steps
    back until it overlaps again, each time twice as far, and the pages after that overlap more. It ends only
    when a request for the last row brought nothing behind it, so a provider that silently gives shorter pages is
    noticed too.

    In a listing sorted by an ascending `key`, every row is yielded once. In one in another order
    (`ordered=False`) rows may be yielded again: where rows keep their order among each other (`stable`), the walk
    steps back, too, until a page begins with a row that it knows; otherwise it starts over.
    """

    def __init__(
        self,
        fetch: Callable[[int, int], Sequence[T]],
        key: Callable[[T], int],
        *,
        what: str,
        limit: int = 1000,
        ahead: int = 4,
        ordered: bool = True,
        stable: bool = False,
        max_rereads: int = 100,
    ) -> None:
        """Make a walk; nothing is fetched until it is iterated.

        Args:
            fetch: called with offset and limit, perhaps from other threads; returns at most `limit` rows, and not a
                single one where there are more.
            key: a row's key, unique in the listing.
            what: names the listing in errors.
            limit: rows per page, 2 or more.
            ahead: pages fetched at the same time.
            ordered: rows come in ascending order of `key`.
            stable: where they do not, they keep their order among each other, and new ones come last.
            max_rereads: steps back in a row, without a new row, before giving up; also how often the walk starts over,
                where each page read grants one more.
        """
        self._fetch = fetch
        self._key = key
        self._what = what
        self._limit = limit
        self._ahead = ahead
        self._ordered = ordered
        self._stable = stable
        self._max_rereads = max_rereads

    def __iter__(self) -> Iterator[Sequence[T]]:
        """Yield the new rows page by page.

        Raises:
            IncompleteExtraction: rows out of order, or a gap that could not be reconciled.
        """
        with DaemonPool(self._ahead, "pages") as pool:
            yield from self._walk(_Prefetch(pool, self._fetch, self._limit, self._ahead))

    def _walk(self, pages: _Prefetch[T]) -> Iterator[Sequence[T]]:
        offset = reached = stuck = starts = idle = pages_read = 0
        place = self._place()
        overlap = Overlap()
        while True:
            page = pages.take(offset, overlap.within(self._limit))
            if offset and not place.is_in(page):
                stuck += 1
                if self._ordered or self._stable:
                    offset = overlap.back(offset)
                else:
                    offset, place = 0, self._place()
                # In order of keys, the beginning is no new start: rows are told from those that were read.
                starts += offset == 0 and not self._ordered
                if stuck > self._max_rereads or starts > self._max_rereads + pages_read:
                    raise IncompleteExtraction(f"{self._what}: rows moved {max(stuck, starts)} times while being read.")
                continue
            fresh = place.behind(page)
            if fresh:
                yield fresh
                stuck = 0
                # Where the walk starts over, only what it reaches for the first time is progress.
                pages_read += self._ordered or self._stable or offset >= reached
            elif len(page) <= 1:
                return
            idle = idle + 1 if offset >= reached and not fresh else 0
            if idle > self._max_rereads:
                raise IncompleteExtraction(f"{self._what}: {idle} pages in a row held nothing new.")
            offset = overlap.forward(offset, len(page), is_new=bool(fresh))
            reached = max(reached, offset)

    def _place(self) -> Place[T]:
        if self._ordered:
            return SortedPlace(self._key, self._what)
        return KnownRows(self._key, REMEMBERED_PAGES * self._limit if self._stable else 1)


class TokenWalk(Generic[T]):
    """An iterable over the pages of a listing in which each page holds a token for the next.

    Only the page without a token is the last one; a page without rows may be followed by more. Where the provider no
    longer takes a token, the walk starts over, so rows may be yielded again.
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
            is_stale: whether a refused request was refused for its token.
            max_restarts: times to start over before giving up.
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
        restarts = empty = 0
        while True:
            try:
                rows, following = self._fetch(token)
            except MailingError as exc:
                if token is None or not self._is_stale(exc):
                    raise
                restarts += 1
                if restarts > self._max_restarts:
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
                raise IncompleteExtraction(f"{self._what}: the pages go round in a circle: a token came twice.")
            seen.add(mark)
            empty = 0 if rows else empty + 1
            if empty > self._max_empty:
                raise IncompleteExtraction(f"{self._what}: more than {self._max_empty} pages in succession had no row.")
            token = following


class UnsortedWalk(Generic[T]):
    """An iterable over the pages of a listing whose order is unknown, while rows come, change and go.

    What is relied upon: rows that stay as they are keep their order among each other; a row that is added or changed
    goes to the listing's beginning or end, or stays where it is. So newest first is as good as oldest first, by
    creation as by change.

    Each page begins with the last row of the page before. Rows added at the beginning push more known rows into it: no
    harm. A page without a row that is known as it stands there may have a gap before it, since rows have gone, and the
    walk steps back until it meets one that is. At the end the beginning is read again, down to a row that stands there
    unchanged since an earlier look: a row that was changed before it was reached, and moved to the beginning, is found.

    Rows may be yielded again, as they were or changed. Memory does not grow with the listing.
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
        max_rereads: int = 100,
    ) -> None:
        """Make a walk; nothing is fetched until it is iterated.

        Args:
            fetch: called with offset and limit, perhaps from other threads; returns at most `limit` rows, and not a
                single one where there are more.
            key: a row's key, unique in the listing.
            version: changes with every change that moves the row.
            what: names the listing in errors.
            limit: rows per page, 2 or more.
            ahead: pages fetched at the same time.
            max_rereads: how often a way is tried that leads nowhere: steps back (each page that was reached grants some
                more), pages that bring nothing new, or looks at the beginning.
        """
        self._fetch = fetch
        self._key = key
        self._version = version
        self._what = what
        self._limit = limit
        self._ahead = ahead
        self._max_rereads = max_rereads

    def __iter__(self) -> Iterator[Sequence[T]]:
        """Yield the rows page by page.

        Raises:
            IncompleteExtraction: rows moved faster than they could be read.
        """
        unmoved: set[tuple[Hashable, Hashable]] = set()
        with DaemonPool(self._ahead, "pages") as pool:
            for _ in range(self._max_rereads):
                pages = _Prefetch(pool, self._fetch, self._limit, self._ahead)
                if (yield from self._walk(pages, unmoved)):
                    return
        raise self._moved(self._max_rereads)

    def _walk(self, pages: _Prefetch[T], unmoved: set[tuple[Hashable, Hashable]]) -> Generator[Sequence[T], None, bool]:
        """Walk down to the end, or to a row that is among `unmoved`; add the rows of the first pages to these.

        Returns:
            whether nothing can have moved meanwhile: one page showed all of that at once.
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
                # How far it came is all that tells deletions from an order that is another one each time.
                if rereads > self._max_rereads + _STEPS_FOR_A_PAGE * (reached // self._limit):
                    raise self._moved(rereads)
                offset = overlap.back(offset)
                continue
            if reached < _LOOKED_AT_PAGES * self._limit:
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
    """Pages requested before they are needed; starts with none and doubles while full pages come.

    Where the walk goes elsewhere, pages requested for nothing are dropped, and it starts with none again. They are
    about half of those that the walk takes at most.
    """

    def __init__(self, pool: DaemonPool, fetch: Callable[[int, int], Sequence[T]], limit: int, ahead: int) -> None:
        self._pool = pool
        self._fetch = fetch
        self._limit = limit
        self._ahead = ahead
        self._window = 1
        self._pending: deque[tuple[int, Future[Sequence[T]]]] = deque()
        self._taken = 0
        self._dropped = 0

    def take(self, offset: int, overlap: int = 1) -> Sequence[T]:
        """The page at an offset; `overlap` is how many of its rows the page after it will probably show, too."""
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
        # A page already known to be short is the last: nothing lies behind it.
        if any(self._is_short(future) for _, future in self._pending):
            return
        following = (self._pending[-1][0] if self._pending else offset) + stride
        while len(self._pending) < min(self._window - 1, self._taken - 2 * self._dropped):
            self._pending.append((following, self._request(following)))
            following += stride

    def _is_short(self, future: Future[Sequence[T]]) -> bool:
        return future.done() and (future.exception() is not None or len(future.result()) < self._limit)

    def _discard(self) -> None:
        if not self._pending:
            return
        self._dropped += sum(not future.cancel() for _, future in self._pending)
        self._pending.clear()
        self._window = 1
