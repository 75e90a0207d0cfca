"""P6, completeness: a walk over a listing in an unknown order yields every row that was there throughout, or fails."""

from __future__ import annotations

import itertools
import random
import threading
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailing_api.errors import IncompleteExtraction, ProviderFault
from mailing_api.http.paging import UnsortedWalk

ORDERS = {
    "created_desc": lambda row: (-row["created"], 0),
    "updated_desc": lambda row: (-row["updated"], 0),
    "created_asc": lambda row: (row["created"], 0),
    "updated_asc": lambda row: (row["updated"], 0),
    "none": lambda row: (0, hash(str(row["created"]))),
}

each_order = pytest.mark.parametrize("order", ORDERS)


class Listing:
    """A provider's collection in some order, which changes before chosen requests."""

    def __init__(self, count, order="created_desc", *, changes=(), most=None):
        self.time = itertools.count()
        self.rows = {}
        self.order = ORDERS[order]
        self.changes = list(changes)
        self.most = most
        self.requests = []
        self.lock = threading.Lock()
        self.add(count)

    def add(self, count):
        for moment in itertools.islice(self.time, count):
            self.rows[moment] = {"created": moment, "updated": moment}

    def edit(self, *keys):
        for key in keys:
            if key in self.rows:
                self.rows[key]["updated"] = next(self.time)

    def delete(self, *keys):
        for key in keys:
            self.rows.pop(key, None)

    def shown(self):
        return sorted(self.rows.values(), key=self.order)

    def fetch(self, offset, limit):
        with self.lock:
            if self.changes:
                self.changes.pop(0)(self)
            self.requests.append((offset, limit))
            rows = self.shown()[offset : offset + min(limit, self.most or limit)]
            return [dict(row) for row in rows]

    def walk(self, **options):
        options = {"limit": 5, "ahead": 1, **options}
        key, version = (lambda row: row["created"]), (lambda row: row["updated"])
        return UnsortedWalk(self.fetch, key, version, what="Listing", **options)

    def read(self, **options):
        return [row["created"] for page in self.walk(**options) for row in page]


@each_order
@pytest.mark.parametrize("ahead", [1, 4])
@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 6, 9, 10, 20, 21, 97])
def test_a_quiet_listing_is_read_whole_and_each_row_once(order, count, ahead):
    listing = Listing(count, order)
    shown = [row["created"] for row in listing.shown()]
    assert listing.read(ahead=ahead) == shown


def test_the_beginning_is_read_again_at_the_end():
    listing = Listing(20)
    listing.read()
    assert [offset for offset, _ in listing.requests] == [0, 4, 8, 12, 16, 19, 0]


@pytest.mark.slow
@given(
    count=st.integers(0, 60), limit=st.integers(3, 10), most=st.integers(2, 10), ahead=st.sampled_from([1, 3]),
    order=st.sampled_from(sorted(ORDERS)),
)  # fmt: skip
def test_p6_shorter_pages_than_asked_for_are_noticed(count, limit, most, ahead, order):
    assert sorted(Listing(count, order, most=most).read(limit=limit, ahead=ahead)) == list(range(count))


@st.composite
def changes(draw):
    """Some rows deleted, some edited, some added."""
    gone = draw(st.sets(st.integers(0, 50), max_size=5))
    edited = draw(st.lists(st.integers(0, 50), max_size=5))
    added = draw(st.integers(0, 4))

    def change(listing):
        listing.delete(*gone)
        listing.edit(*edited)
        listing.add(added)

    return change


@pytest.mark.slow
@given(
    count=st.integers(0, 50), limit=st.integers(2, 9), script=st.lists(changes(), max_size=12),
    order=st.sampled_from(sorted(set(ORDERS) - {"none"})), ahead=st.sampled_from([1, 3]),
)  # fmt: skip
@settings(max_examples=500)
def test_p6_every_row_that_stayed_is_yielded(count, limit, script, order, ahead):
    listing = Listing(count, order, changes=script)
    found = listing.read(limit=limit, ahead=ahead)
    assert set(range(count)) & set(listing.rows) <= set(found)


@pytest.mark.slow
@given(count=st.integers(0, 50), limit=st.integers(2, 9), script=st.lists(changes(), max_size=12))
def test_p6_rows_that_stayed_are_yielded_where_the_order_is_none_known(count, limit, script):
    listing = Listing(count, "none", changes=script)
    found = listing.read(limit=limit)
    assert set(range(count)) & set(listing.rows) <= set(found)


def test_rows_added_at_the_beginning_cost_nothing():
    listing = Listing(500, changes=[lambda listing: listing.add(1)] * 100)
    found = listing.read(limit=10, ahead=1)
    assert set(found) >= set(range(500))
    assert len(found) == len(set(found))
    assert len(listing.requests) < 75


def test_p6_a_row_edited_before_it_was_reached_is_found_at_the_beginning():
    listing = Listing(40, "updated_desc", changes=[lambda _: None, lambda listing: listing.edit(3)])
    assert set(listing.read()) == set(range(40))
    assert listing.requests[-1] == (0, 5)


def test_p6_a_row_that_moves_while_the_beginning_is_read_again_is_found_all_the_same():
    still = [lambda _: None]
    first, again = (lambda listing: listing.edit(*range(8))), (lambda listing: listing.edit(1))
    listing = Listing(40, "updated_desc", changes=[*still * 4, first, *still * 7, again])
    assert set(listing.read()) == set(range(40))


def test_a_row_that_was_edited_comes_again_as_it_is_now():
    listing = Listing(40, "updated_desc", changes=[*[lambda _: None] * 5, lambda listing: listing.edit(38)])
    found = [(row["created"], row["updated"]) for page in listing.walk() for row in page]
    assert [version for key, version in found if key == 38] == [38, 40]


def test_p6_many_rows_gone_at_once_hide_no_other():
    listing = Listing(200, changes=[lambda _: None] * 30 + [lambda listing: listing.delete(*range(100, 200))])
    assert set(listing.read()) >= set(range(100))


@pytest.mark.parametrize("rows", [lambda rows: rows, lambda rows: random.Random(len(rows)).sample(rows, len(rows))])
def test_p6_a_server_that_ignores_the_offset_fails(rows):
    listing = Listing(50)

    def fetch(offset, limit):
        del offset
        return rows(listing.shown())[:limit]

    walk = UnsortedWalk(fetch, lambda row: row["created"], lambda row: row["updated"], what="Listing", limit=5, ahead=1)
    with pytest.raises(IncompleteExtraction, match="Listing: rows moved 101 times"):
        list(walk)


@pytest.mark.parametrize("ahead", [1, 3])
def test_p6_a_listing_in_ever_another_order_fails(ahead):
    chance = random.Random(5)
    listing = Listing(500)

    def fetch(offset, limit):
        with listing.lock:
            return chance.sample(listing.shown(), 500)[offset : offset + limit]

    walk = UnsortedWalk(
        fetch, lambda row: row["created"], lambda row: row["updated"], what="Listing", limit=5, ahead=ahead
    )
    with pytest.raises(IncompleteExtraction):
        list(walk)


def test_p6_a_beginning_that_never_stands_still_fails():
    def stir(listing):
        listing.edit(*listing.rows)

    listing = Listing(12, "updated_desc", changes=[stir] * 2000)
    with pytest.raises(IncompleteExtraction, match="Listing: rows moved"):
        listing.read(max_rereads=5)


@pytest.mark.slow
def test_p8_memory_does_not_grow_with_the_listing():
    def peak(count):
        rows = [{"created": number, "updated": number} for number in range(count)]
        walk = UnsortedWalk(
            lambda offset, limit: rows[offset : offset + limit],
            lambda row: f"contact_{row['created']}",
            lambda row: f"2026-01-01 {row['updated']}",
            what="Listing",
            limit=20,
            ahead=1,
        )
        tracemalloc.start()
        try:
            assert sum(map(len, walk)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(20_000) < 2 * peak(1000)


def test_a_failing_page_fails_the_walk_after_the_pages_before_it():
    listing = Listing(50)
    found = []

    def fetch(offset, limit):
        if offset >= 20:
            raise ProviderFault("down")
        return listing.fetch(offset, limit)

    walk = UnsortedWalk(fetch, lambda row: row["created"], lambda row: row["updated"], what="Listing", limit=5, ahead=4)
    with pytest.raises(ProviderFault):
        found.extend(row["created"] for page in walk for row in page)
    assert found == [*range(49, 28, -1)]


def test_nothing_is_fetched_before_it_is_iterated():
    listing = Listing(3)
    listing.walk()
    assert listing.requests == []


@pytest.mark.parametrize("gone", [lambda number: number % 2, lambda number: 15_000 * (number == 300)])
def test_p6_a_long_walk_lives_through_any_number_of_deletions(gone):
    first = requests = 0

    def fetch(offset, limit):
        nonlocal first, requests
        requests += 1
        first = min(50_000, first + gone(requests))
        return range(min(50_000, first + offset), min(50_000, first + offset + limit))

    walk = UnsortedWalk(fetch, lambda row: row, lambda _: 0, what="Listing", limit=100, ahead=1)
    found = {row for page in walk for row in page}
    assert set(range(first, 50_000)) <= found
    assert requests < 4 * 500
