"""A listing that several batches read at once is fetched once for all of them, and never before it was asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from mailing_api.errors import ProviderFault
from target_mailing.ses import listing as module
from target_mailing.ses.listing import Listing
from tests.faults.process import until

PAGES = [["a", "b"], ["c"], ["d"]]


class Fetched:
    """A listing of three pages whose next page comes when it is let through."""

    def __init__(self, monkeypatch) -> None:
        monkeypatch.setattr(module, "_FEW_PAGES", 1)
        self.let_through = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)
        self.readings = 0
        self.listing: Listing[str] = Listing(self._pages)
        self._threads: list[threading.Thread] = []

    def _pages(self) -> Iterator[Sequence[str]]:
        self.readings += 1
        for page in [*PAGES, None]:
            self.asked.release()
            assert self.let_through.acquire(timeout=20)
            if page is not None:
                yield page

    def begin(self, most: int | None = None) -> Callable[[], tuple[list[str], object]]:
        """Read in a thread; returns what waits for its end, and has what it took and its result."""
        taken: list[str] = []
        ends: list[object] = []

        def read() -> None:
            try:
                ends.append(self.listing.read(taken.extend, most))
            except ProviderFault as error:
                ends.append(error)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()

        def end() -> tuple[list[str], object]:
            thread.join(20)
            assert not thread.is_alive()
            return taken, ends[0]

        return end

    def wait_for(self, waiting: int) -> None:
        """Wait until so many wait for the next reading."""
        until(lambda: len(self.listing._waiting) == waiting, "those who wait")


@pytest.fixture
def fetched(monkeypatch):
    return Fetched(monkeypatch)


ALL = ["a", "b", "c", "d"]


def test_who_comes_while_others_read_has_the_next_reading_and_all_who_wait_share_it(fetched):
    first = fetched.begin()
    assert fetched.asked.acquire(timeout=20)
    fetched.let_through.release()  # its first page is read when the others come
    assert fetched.asked.acquire(timeout=20)
    others = [fetched.begin(), fetched.begin()]
    fetched.wait_for(2)
    fetched.let_through.release(3)
    assert first() == (ALL, (3, True))
    fetched.let_through.release(4)
    assert [other() for other in others] == [(ALL, (3, True))] * 2
    assert fetched.readings == 2


def test_who_has_all_its_pages_ends_and_the_others_read_on(fetched):
    first = fetched.begin(2)
    assert fetched.asked.acquire(timeout=20)
    whole, short = fetched.begin(), fetched.begin(2)
    fetched.wait_for(2)
    fetched.let_through.release(2)
    assert first() == (["a", "b", "c"], (2, False))
    fetched.let_through.release(4)
    assert whole() == (ALL, (3, True))
    assert short() == (["a", "b", "c"], (2, False))


def test_who_wants_few_pages_does_not_wait(fetched):
    long = fetched.begin()
    assert fetched.asked.acquire(timeout=20)
    few = fetched.begin(1)
    fetched.let_through.release(5)
    assert few()[1] == (1, False)
    assert long()[1] == (3, True)


def test_an_error_is_that_of_all_who_read_and_of_nobody_after_them(monkeypatch):
    answers: list[list[list[str]] | None] = [None, PAGES]

    def pages():
        found = answers.pop(0)
        if found is None:
            raise ProviderFault("down")
        yield from found

    listing = Listing(pages)
    with pytest.raises(ProviderFault):
        listing.read(list, None)
    assert listing.read(list, None) == (3, True)
