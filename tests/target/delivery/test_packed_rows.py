"""P8: rows whose job is followed take little memory, and are as they were when somebody looks at them."""

from __future__ import annotations

import tracemalloc
from contextlib import closing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.packed_rows import PackedRows
from target_mailing.delivery.sent_rows import SentRows
from target_mailing.delivery.tickets import Tickets
from target_mailing.rows.row import Row, keep_on_disk
from target_mailing.rows.spool import Spool

HASHES = st.integers(-(1 << 63), (1 << 63) - 1)
ROWS = st.lists(
    st.builds(
        Row,
        line=st.integers(1, 1 << 40),
        raw=st.binary(min_size=1, max_size=9).filter(lambda line: b"\n" not in line),
        stream=st.sampled_from(["people", "others"]),
        key=st.none() | st.binary(min_size=16, max_size=16),
        id=HASHES,
        action=st.just("add"),
        fingerprint=HASHES,
        held=st.builds(EncodedContact, st.text(max_size=3), st.text(max_size=3), st.binary(max_size=9)),
        drops_key=st.booleans(),
        tells_changes=st.booleans(),
        resubmitted=st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def spool():
    with closing(Spool(None)) as spool:
        yield spool


def person(line):
    email = f"person.{line}@example.com"
    key, ids = b"%016d" % line, hash(("id", line))
    return Row(line, b"{}" * 60, "people", key, ids, "add", hash(email), EncodedContact(email, email, b"x" * 90))


@pytest.mark.slow
@given(rows=ROWS, data=st.data())
def test_packed_rows_are_as_they_were_and_the_unusual_ones_are_the_same(spool, rows, data):
    keep_on_disk(rows, spool)
    unusual = data.draw(st.sets(st.integers(0, len(rows) - 1)))
    packed = PackedRows(rows, unusual=unusual)
    assert len(packed) == len(SentRows(packed)) == len(rows)
    assert packed.made() == rows
    assert [*SentRows(packed)] == [*SentRows(rows)]
    assert [at for at, row in enumerate(packed.made()) if row is rows[at]] == sorted(unusual)
    again = zip(packed.made(), packed.made(), strict=True)  # steps in other threads do not unpack them
    assert [at for at, (one, other) in enumerate(again) if one is other] == sorted(unusual)
    looked_at = packed[0]
    looked_at.resubmitted = True
    assert packed[0] is next(iter(packed)) is packed.made()[0] is looked_at
    assert packed[1:] == rows[1:]


@given(st.data())
def test_whoever_meets_a_packed_row_waits_for_the_row_itself(spool, data):
    tickets = Tickets()
    rows = [person(line) for line in range(6)]
    assert all(map(tickets.take, rows))
    keep_on_disk(rows[:5], spool)
    rows[1].extend()
    before = [msgspec.structs.replace(row) for row in rows]
    packed = tickets.pack(rows)
    assert [packed.made()[at] is rows[at] for at in range(6)] == [False, True, False, False, False, True]
    met = data.draw(st.integers(0, 5))
    later = person(7)
    later.id, later.key = data.draw(st.sampled_from([(rows[met].id, b"another key"), (5, rows[met].key)]))
    assert not tickets.take(later)
    same = data.draw(st.booleans())
    if same:
        holders = [tickets.last(row.key) if row.id == later.id else tickets.last(row.id) for row in before]
        assert holders == before
        assert [holder is row for holder, row in zip(holders, packed, strict=True)] == [True] * 6
    assert tickets.waited_for(later) == {rows[met].id if later.id == rows[met].id else rows[met].key}
    assert [one for row in packed for one in tickets.release([row])] == [later]
    assert tickets.release([later]) == []
    assert not tickets


@pytest.mark.parametrize("first_ends_first", [True, False])
def test_a_row_that_shares_what_it_holds_is_not_packed_and_the_one_beside_it_may_be(spool, first_ends_first):
    tickets = Tickets()
    first, beside = person(1), person(2)
    beside.id = first.id
    assert [tickets.take(one) for one in (first, beside)] == [True, False]
    tickets.join(beside, first.id)
    keep_on_disk([first, beside], spool)
    packed = tickets.pack([first])
    assert tickets.pack([beside])[0] is beside
    rows = [packed[0], beside]
    assert [tickets.release([one]) for one in (rows if first_ends_first else rows[::-1])] == [[], []]
    assert not tickets


@pytest.mark.slow
@pytest.mark.parametrize(("many", "size"), [(1 << 16, 240), (1 << 10, 130)])
def test_p8_a_row_under_way_takes_few_bytes(spool, monkeypatch, many, size):
    monkeypatch.setattr("target_mailing.delivery.tickets._MANY", many)
    tickets = Tickets()
    count = 20_000
    tracemalloc.start()
    try:
        packed = []
        for begin in range(0, count, 1000):
            rows = [person(line) for line in range(begin, begin + 1000)]
            assert all(map(tickets.take, rows))
            keep_on_disk(rows, spool)
            packed.append(tickets.pack(rows))
        del rows
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / count < size
    assert sum(map(len, packed)) == count
