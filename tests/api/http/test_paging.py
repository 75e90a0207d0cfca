"""P6, completeness: a walk yields every row that was there throughout, or fails."""

from __future__ import annotations

import itertools
import math
import random
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailing_api.errors import IncompleteExtraction, ProviderFault, RequestRefused
from mailing_api.http.paging import OffsetWalk, TokenWalk, UnsortedWalk


class Listing:
    """A provider's collection that changes before chosen requests."""

    def __init__(self, keys, changes=(), most=None):
        self.rows = list(keys)
        self.changes = list(changes)
        self.most = most
        self.requests = []
        self.lock = threading.Lock()

    def fetch(self, offset, limit):
        with self.lock:
            if self.changes:
                self.changes.pop(0)(self.rows)
            self.requests.append((offset, limit))
            return list(self.rows[offset : offset + min(limit, self.most or limit)])

    def walk(self, **options):
        options = {"limit": 5, "ahead": 1, **options}
        return OffsetWalk(self.fetch, list, what="Listing", **options)

    def read(self, **options):
        return [row for page in self.walk(**options) for row in page]


@pytest.mark.parametrize("ahead", [1, 4])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 9, 10, 20, 21, 97])
def test_a_quiet_listing_is_read_whole(count, ahead):
    listing = Listing(range(count))
    assert listing.read(ahead=ahead) == list(range(count))


@pytest.mark.parametrize("ahead", [1, 4])
def test_an_exact_multiple_of_the_limit_ends(ahead):
    assert Listing(range(13)).read(limit=5, ahead=ahead) == list(range(13))
    assert Listing(range(5)).read(limit=5, ahead=ahead) == list(range(5))


def test_nothing_is_fetched_before_it_is_iterated():
    listing = Listing(range(3))
    listing.walk()
    assert listing.requests == []


@pytest.mark.slow
@given(count=st.integers(0, 60), limit=st.integers(3, 10), most=st.integers(2, 10), ahead=st.sampled_from([1, 3]))
def test_p6_shorter_pages_than_asked_for_are_noticed(count, limit, most, ahead):
    assert Listing(range(count), most=most).read(limit=limit, ahead=ahead) == list(range(count))


@st.composite
def changes(draw):
    """Deletions anywhere, additions at the end, before each of the first requests."""

    def change(rows):
        for position in sorted(doomed, reverse=True):
            if position < len(rows):
                del rows[position]
        start = max(rows, default=1000) + 1000
        rows.extend(range(start, start + added))

    doomed = draw(st.sets(st.integers(0, 40), max_size=6))
    added = draw(st.integers(0, 3))
    return change


@pytest.mark.slow
@given(count=st.integers(0, 40), limit=st.integers(2, 9), script=st.lists(changes(), max_size=12))
@settings(max_examples=300)
def test_p6_every_row_that_stayed_is_yielded_once(count, limit, script):
    listing = Listing(range(count), script)
    found = listing.read(limit=limit)
    assert found == sorted(set(found))
    assert set(range(count)) & set(listing.rows) <= set(found)


def test_p6_holds_while_pages_are_fetched_ahead():
    chance = random.Random(7)

    def change(rows):
        for _ in range(chance.randint(0, 3)):
            if rows:
                del rows[chance.randrange(len(rows))]
        rows.extend(range(rows[-1] + 1, rows[-1] + 1 + chance.randint(0, 2)) if rows else ())

    for _ in range(50):
        listing = Listing(range(200), [change] * 60)
        found = listing.read(limit=7, ahead=4)
        assert found == sorted(set(found))
        assert set(range(200)) & set(listing.rows) <= set(found)


class Shrinking:
    """Many rows in order; before each request, `gone(request)` more are deleted: those after the first `stay`."""

    def __init__(self, count, gone, stay=0):
        self.count = count
        self.gone = gone
        self.stay = stay
        self.first = stay
        self.requests = 0

    def fetch(self, offset, limit):
        self.requests += 1
        self.first = min(self.count, self.first + self.gone(self.requests))
        moved = self.first - self.stay
        end = min(self.count, moved + offset + limit)
        return [*range(offset, min(offset + limit, self.stay)), *range(max(self.first, moved + offset), end)]


MODES = {"ordered": {}, "stable": {"ordered": False}}


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("gone", "every"), [(1, 1), (1, 2), (1, 10), (30, 10), (3, 1), (30, 1)])
def test_p6_a_long_walk_lives_through_any_number_of_deletions(mode, gone, every):
    listing = Shrinking(40_000, lambda number: gone * (number % every == 0))
    walk = OffsetWalk(listing.fetch, list, what="Listing", limit=100, ahead=1, **MODES[mode])
    found = [row for page in walk for row in page]
    assert set(range(listing.first, listing.count)) <= set(found)
    assert len(found) == len(set(found))
    assert listing.requests < 5 * listing.count / 100


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("gone", "every"), [(1, 1), (1, 2), (1, 3), (2, 2), (5, 2)])
def test_p6_a_walk_comes_to_its_end_though_rows_go_whenever_it_looks_there(mode, gone, every):
    for count in range(200, 301, 5):
        listing = Shrinking(count, lambda number: gone * (number % every == 0))
        walk = OffsetWalk(listing.fetch, list, what="Listing", limit=100, ahead=1, **MODES[mode])
        found = {row for page in walk for row in page}
        assert set(range(listing.first, listing.count)) <= found
        assert listing.requests < 30


@pytest.mark.slow
@pytest.mark.parametrize("stay", [0, 3000])
@pytest.mark.parametrize("mode", [*MODES, "unknown order"])
def test_p6_a_walk_gets_on_whatever_share_of_a_page_each_request_loses(mode, stay):
    # In an unknown order, where half of what is read is gone at once, nothing tells that from an order that changes.
    for share in (5, 10, 20, 30, 40, *((50, 60, 80, 95) if mode in MODES else ())):
        listing = Shrinking(15_000, lambda _, share=share: share, stay)
        walk = (
            OffsetWalk(listing.fetch, list, what="Listing", limit=100, ahead=1, **MODES[mode])
            if mode in MODES
            else UnsortedWalk(listing.fetch, lambda row: row, lambda _: 0, what="Listing", limit=100, ahead=1)
        )
        found = [row for page in walk for row in page]
        assert {*range(stay), *range(listing.first, listing.count)} <= set(found), share
        if mode == "ordered":
            assert len(found) == len(set(found)), share
        if mode in MODES:
            assert listing.requests < 5 * listing.count / 100, share


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_p6_many_deletions_at_once_cost_few_steps_back(mode):
    listing = Shrinking(100_000, lambda number: 15_000 * (number == 300))
    walk = OffsetWalk(listing.fetch, list, what="Listing", limit=100, ahead=1, **MODES[mode])
    found = {row for page in walk for row in page}
    assert found == set(range(100_000))
    assert listing.requests < 2 * 1000 + 300


@pytest.mark.parametrize("mode", [*MODES, "unknown order"])
@pytest.mark.parametrize(("gone", "every"), [(1, 1), (1, 2), (10, 5), (100, 10)])
def test_p6_deletions_make_pages_fetched_ahead_cost_less_than_twice_the_requests(mode, gone, every):
    requests = []
    for ahead in (1, 4, 8):
        number, chosen = 8_000, random.Random(1)
        listing = Shrinking(number, lambda _, chosen=chosen: gone * (chosen.random() < 1 / every))
        lock = threading.Lock()

        def fetch(offset, limit, listing=listing, lock=lock):
            with lock:
                return listing.fetch(offset, limit)

        walk = (
            OffsetWalk(fetch, list, what="Listing", limit=100, ahead=ahead, **MODES[mode])
            if mode in MODES
            else UnsortedWalk(fetch, lambda row: row, lambda _: 0, what="Listing", limit=100, ahead=ahead)
        )
        found = [row for page in walk for row in page]
        assert set(range(listing.first, number)) <= set(found)
        requests.append(listing.requests)
    assert max(requests) < 2.2 * requests[0]


def most_requests(count, limit):
    """What a listing that stands still takes at most, whatever is fetched ahead."""
    return math.ceil(max(1, count - 1) / (limit - 1)) + 1 if count else 1


def reading(mode, fetch, **options):
    if mode in MODES:
        return OffsetWalk(fetch, list, what="Listing", **options, **MODES[mode])
    return UnsortedWalk(fetch, lambda row: row, lambda _: 0, what="Listing", **options)


@pytest.mark.parametrize("mode", [*MODES, "unknown order"])
@given(
    count=st.one_of(st.integers(0, 20_000), st.integers(0, 20).map(lambda pages: 1000 * pages)),
    ahead=st.integers(1, 16),
    known=st.booleans(),
)
@settings(max_examples=25)
def test_p6_no_page_is_fetched_ahead_for_nothing(mode, count, ahead, known):
    listing = Listing(range(count))
    walk = reading(mode, listing.fetch, limit=1000, ahead=ahead, size=lambda: count if known else None)
    assert [row for page in walk for row in page] == listing.rows
    again = mode == "unknown order" and count > 0  # its beginning is read again
    assert len(listing.requests) <= most_requests(count, 1000) + again + (not known and ahead > 1)
    assert not known or len(listing.requests) <= count / 1000 + 3


@pytest.mark.parametrize("ahead", [1, pytest.param(4, marks=pytest.mark.slow), 16])
@pytest.mark.parametrize(
    "mode", ["ordered", *(pytest.param(mode, marks=pytest.mark.slow) for mode in ("stable", "unknown order"))]
)
def test_p6_a_million_rows_take_no_more_requests_than_their_pages(mode, ahead):
    requests = []

    def fetch(offset, limit):
        requests.append(offset)
        return range(offset, min(1_000_000, offset + limit))

    walk = reading(mode, fetch, limit=1000, ahead=ahead, size=lambda: 1_000_000)
    assert sum(map(len, walk)) == 1_000_000
    assert len(requests) <= 1_003


@pytest.mark.slow
@given(
    count=st.integers(0, 60), script=st.lists(changes(), max_size=30),
    mode=st.sampled_from([*sorted(MODES), "unknown order"]),
    options=st.fixed_dictionaries({"limit": st.integers(2, 9), "ahead": st.integers(1, 16)}),
    said=st.lists(st.one_of(st.none(), st.integers(-5, 90)), min_size=1, max_size=20),
)  # fmt: skip
@settings(max_examples=500)
def test_p6_a_wrong_size_hides_nothing_while_rows_come_and_go(count, script, mode, options, said):
    listing, sizes = Listing(range(count), script), itertools.cycle(said)
    walk = reading(mode, listing.fetch, **options, size=lambda: next(sizes))
    found = [row for page in walk for row in page]
    assert set(range(count)) & set(listing.rows) <= set(found)
    if mode == "ordered":
        assert found == sorted(set(found))


@pytest.mark.slow
@given(count=st.integers(0, 60), limit=st.integers(2, 9), script=st.lists(changes(), max_size=30))
@settings(max_examples=300)
def test_p6_every_row_that_stayed_is_yielded_where_the_order_is_stable(count, limit, script):
    keys = random.Random(count).sample(range(count), count)
    listing = Listing(keys, script)
    found = listing.read(limit=limit, ordered=False)
    assert set(keys) & set(listing.rows) <= set(found)


@pytest.mark.slow
@given(
    count=st.integers(0, 60),
    limit=st.integers(3, 10),
    most=st.integers(2, 10),
    script=st.lists(changes(), max_size=12),
    mode=st.sampled_from(sorted(MODES)),
)
@settings(max_examples=300)
def test_p6_shorter_pages_and_deletions_together_hide_nothing(count, limit, most, script, mode):
    listing = Listing(range(count), script, most=most)
    found = listing.read(limit=limit, **MODES[mode])
    assert set(range(count)) & set(listing.rows) <= set(found)


@pytest.mark.parametrize("mode", MODES)
def test_p6_a_server_that_ignores_the_offset_fails(mode):
    walk = OffsetWalk(lambda *_: [1, 2, 3], list, what="Listing", limit=3, ahead=1, **MODES[mode])
    with pytest.raises(IncompleteExtraction, match="Listing: "):
        list(walk)


def test_p6_a_listing_that_ignores_the_order_fails():
    with pytest.raises(IncompleteExtraction, match="Listing: rows are not sorted"):
        Listing([3, 1, 2]).read()


def test_p6_a_listing_that_never_holds_still_fails():
    listing = Shrinking(100_000, lambda _: 200)
    walk = OffsetWalk(listing.fetch, list, what="Listing", limit=100, ahead=1, max_rereads=3)
    with pytest.raises(IncompleteExtraction, match="Listing: rows moved"):
        list(walk)


@pytest.mark.parametrize("ahead", [1, 4])
def test_a_failing_page_fails_the_walk_after_the_pages_before_it(ahead):
    listing = Listing(range(50))
    found = []

    def fetch(offset, limit):
        if offset >= 20:
            raise ProviderFault("down")
        return listing.fetch(offset, limit)

    walk = OffsetWalk(fetch, list, what="Listing", limit=5, ahead=ahead)
    with pytest.raises(ProviderFault):
        found.extend(row for page in walk for row in page)
    assert found == list(range(21))


def test_pages_are_fetched_side_by_side():
    listing = Listing(range(200))
    active, most = [], []

    def fetch(offset, limit):
        active.append(offset)
        most.append(len(active))
        time.sleep(0.005)
        active.remove(offset)
        return listing.fetch(offset, limit)

    walk = OffsetWalk(fetch, list, what="Listing", limit=5, ahead=4)
    assert [row for page in walk for row in page] == listing.rows
    assert 2 <= max(most) <= 4


def test_a_walk_left_early_leaves_no_thread_behind():
    def threads():
        return [thread for thread in threading.enumerate() if thread.name.startswith("pages")]

    pages = iter(Listing(range(100)).walk(ahead=4))
    next(pages)
    next(pages)
    assert threads()
    pages.close()
    for thread in threads():
        thread.join(5)
    assert not threads()


def by_tokens(*answers, stale=lambda _: True):
    """A walk over answers in turn: rows and a token, or an exception."""
    left = iter(answers)
    asked = []

    def fetch(token):
        asked.append(token)
        found = next(left)
        if isinstance(found, Exception):
            raise found
        return found

    walk = TokenWalk(fetch, what="Listing", is_stale=stale)
    return walk, asked


def test_tokens_are_followed_to_the_page_without_one():
    walk, asked = by_tokens(([1], "a"), ([], "b"), ([2], "c"), ([], None))
    assert list(walk) == [[1], [2]]
    assert asked == [None, "a", "b", "c"]


def test_p6_a_token_that_is_refused_starts_over():
    walk, asked = by_tokens(([1], "a"), RequestRefused("old"), ([1], "b"), ([2], None))
    assert list(walk) == [[1], [1], [2]]
    assert asked == [None, "a", None, "b"]


def test_p6_only_a_refused_token_starts_over():
    for answers, stale in [([RequestRefused("first")], True), ([([1], "a"), RequestRefused("no")], False)]:
        walk, _ = by_tokens(*answers, stale=lambda _, stale=stale: stale)
        with pytest.raises(RequestRefused):
            list(walk)


def test_p6_a_long_walk_by_tokens_may_start_over_more_often():
    refusals = [350, 250, 400, 399, 10]  # the page whose token is refused, pass after pass
    passes = iter([*refusals, None])
    ends = next(passes)

    def fetch(token):
        nonlocal ends
        page = int(token or 0)
        if page and page == ends:
            ends = next(passes)
            raise RequestRefused("old")
        return [page], str(page + 1) if page < 420 else None

    walk = TokenWalk(fetch, what="Listing", is_stale=lambda _: True)
    assert {row for page in walk for row in page} == set(range(421))
    passes = iter([*refusals, 9, 8, 7, None])
    ends = next(passes)
    with pytest.raises(IncompleteExtraction, match="refused 8 times"):
        list(walk)


@pytest.mark.parametrize(
    "answers", [[([1], "a"), ([2], "a")], [([1], "a"), RequestRefused("old")] * 4], ids=["circle", "always refused"]
)
def test_p6_tokens_that_lead_nowhere_fail(answers):
    walk, _ = by_tokens(*answers)
    with pytest.raises(IncompleteExtraction):
        list(walk)
