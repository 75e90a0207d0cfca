"""A listing that several batches read at the same time, each page fetched once for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

__all__ = ["Listing"]

T = TypeVar("T")

#: Who wants at most so many pages does not wait for a reading that is under way, which may be much longer.
_FEW_PAGES: Final = 100


@dataclass(eq=False)
class _Reader(Generic[T]):
    """Who takes the pages of a reading: at most `most`, None for all."""

    take: Callable[[Sequence[T]], None]
    most: int | None
    pages: int = 0
    is_over: bool = False
    is_whole: bool = False
    error: BaseException | None = None


@dataclass
class Listing(Generic[T]):
    """A listing whose calls are dear, for readers in several threads.

    All who wait read together; who comes while they read waits for the next reading, because pages that were fetched
    before may be out of date. So a reading begins after each of its readers came.

    Attributes:
        pages: fetches the listing.
    """

    pages: Callable[[], Iterable[Sequence[T]]]
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _waiting: list[_Reader[T]] = field(default_factory=list)
    _readers: list[_Reader[T]] = field(default_factory=list)
    _walk: Iterator[Sequence[T]] | None = None
    _is_fetching: bool = False

    def read(self, take: Callable[[Sequence[T]], None], most: int | None) -> tuple[int, bool]:
        """Read the listing from its beginning; returns how many pages were read, and whether these were all.

        Args:
            take: given each page, perhaps in another thread.
            most: pages at most; None for all.

        Raises:
            MailingError: a page could not be fetched.
        """
        reader = _Reader(take, most)
        if most is not None and most <= _FEW_PAGES:
            walk = iter(self.pages())
            while not reader.is_over:
                _give(reader, next(walk, None))
            return reader.pages, reader.is_whole
        with self._changed:
            self._waiting.append(reader)
        while self._takes_turn(reader):
            self._fetch()
        if reader.error is not None:
            raise reader.error
        return reader.pages, reader.is_whole

    def _takes_turn(self, reader: _Reader[T]) -> bool:
        """Wait until this thread is to fetch a page, or the reader has all of its pages; whether it is to fetch."""
        with self._changed:
            while self._is_fetching and not reader.is_over:
                self._changed.wait()
            if not reader.is_over:
                self._is_fetching = True
        return not reader.is_over

    def _fetch(self) -> None:
        """Fetch the next page for all readers, the first one of a new reading if none is under way."""
        if not self._readers:
            with self._changed:
                self._readers, self._waiting = self._waiting, []
            self._walk = None
        try:
            if self._walk is None:
                self._walk = iter(self.pages())
            page = next(self._walk, None)
            for reader in self._readers:
                _give(reader, page)
        except BaseException as error:  # noqa: BLE001 - each reader raises it
            for reader in self._readers:
                reader.error, reader.is_over = error, True
        with self._changed:
            self._readers = [reader for reader in self._readers if not reader.is_over]
            self._is_fetching = False
            self._changed.notify_all()


def _give(reader: _Reader[T], page: Sequence[T] | None) -> None:
    """Give a reader a page, None after the last one."""
    if page is None:
        reader.is_over = reader.is_whole = True
        return
    reader.take(page)
    reader.pages += 1
    reader.is_over = reader.pages == reader.most
