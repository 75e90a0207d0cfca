"""Batches: cut by rows, bytes and age."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.batcher import Batcher
from target_mailing.rows.row import Row

ROWS, BYTES, AGE = 4, 60, 10.0


def row(line: int, action: str = "add", contact: bytes = b"x") -> Row:
    return Row(line, b"", "s", None, line, action, 0, EncodedContact("", "", contact))


def batcher() -> Batcher:
    return Batcher(max_rows=ROWS, max_bytes=BYTES, max_age=AGE)


def taken(batches: Batcher) -> list[list[int]]:
    lines = []
    while (due := batches.next_due()) is not None:
        assert {one.action for one in due.rows} == {due.action}
        assert not any(one.is_open for one in due.rows)
        lines.append([line for one in due.rows for line in one.lines])
    return lines


def test_a_full_batch_is_due_at_once_and_an_old_one_later():
    batches = batcher()
    for line in range(1, 6):
        batches.put([row(line)], 0.0)
    assert taken(batches) == [[1, 2, 3, 4]]
    assert batches.oldest() == 0.0
    batches.close_old(AGE - 1)
    assert taken(batches) == []
    batches.close_old(AGE)
    assert taken(batches) == [[5]]
    assert batches.oldest() is None


def test_each_action_has_its_own_batch():
    batches = batcher()
    for line, action in enumerate(["add", "remove", "add"], 1):
        batches.put([row(line, action)], 0.0)
    batches.close_where(lambda batch: batch.action == "remove")
    assert taken(batches) == [[2]]
    batches.close_where(lambda _: True)
    assert taken(batches) == [[1, 3]]


def test_bytes_close_a_batch_before_it_overflows():
    batches = batcher()
    rows = [row(line, contact=b"x" * 25) for line in range(1, 4)]
    for one in rows:
        batches.put([one], 0.0)
    assert taken(batches) == [[1, 2]]
    assert rows[2].is_open


def test_a_row_that_has_grown_counts_with_its_new_size():
    batches = batcher()
    first = row(1, contact=b"x" * 25)
    batches.put([first], 0.0)
    batches.has_grown(first, 20)
    batches.put([row(2, contact=b"x" * 20)], 0.0)
    assert taken(batches) == [[1]]


def test_p8_a_batch_goes_when_it_superseded_several_times_its_rows():
    batches = batcher()
    one = row(1)
    batches.put([one], 0.0)
    for _ in range(4 * ROWS):
        assert one.is_open
        batches.has_grown(one, 0)
    assert not one.is_open
    assert batches.has_due()


@given(
    sizes=st.lists(st.integers(0, BYTES + 10), max_size=12),
    actions=st.lists(st.sampled_from(["add", "unsub"]), min_size=12, max_size=12),
    first=st.integers(0, 12),
)
def test_rows_that_come_together_are_cut_as_if_each_came_alone(sizes, actions, first):
    alone, together = batcher(), batcher()
    rows, same = (
        [row(line, action, b"x" * size) for line, (size, action) in enumerate(zip(sizes, actions, strict=False), 1)]
        for _ in range(2)
    )
    for one in rows:
        alone.put([one], 0.0)
    together.put(same[:first], 0.0)
    together.put(same[first:], 0.0)
    assert [one.is_open for one in same] == [one.is_open for one in rows]
    assert sorted(taken(together)) == sorted(taken(alone))
