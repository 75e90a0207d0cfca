"""Batches: cut by rows, bytes and age; an address is on its way once; its rows never overtake each other."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from target_mailing.delivery.batcher import Batcher
from target_mailing.row import Row

ROWS, BYTES, AGE = 4, 60, 10.0
NOT_DELETED = False


def row(line: int, address: str, action: str = "add", contact: bytes | None = None) -> Row:
    return Row((line,), "s", None, NOT_DELETED, address, address, 0, action, contact or b"%d;" % line, 0, b"{}")


def overlay(earlier: Row, later: Row) -> Row:
    later.lines = earlier.lines + later.lines
    later.contact = earlier.contact + later.contact
    return later


def batcher() -> Batcher:
    return Batcher(max_rows=ROWS, max_bytes=BYTES, max_age=AGE, overlay=overlay)


def taken(batches: Batcher) -> list[list[Row]]:
    found = []
    while (due := batches.next_due()) is not None:
        found.append(list(due.rows.values()))
    return found


class BatcherKeepsOrder(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.batcher = batcher()
        self.now = 0.0
        self.line = 0
        self.came: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.went: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.under_way: list[list[Row]] = []

    @rule(address=st.sampled_from("abcdef"), action=st.sampled_from(["add", "unsub"]), size=st.integers(1, 40))
    def add(self, address, action, size):
        self.line += 1
        self.came[address].append((self.line, action))
        self.batcher.add(row(self.line, address, action, b"x" * size), self.now)

    @rule(seconds=st.floats(0, 12))
    def wait(self, seconds):
        self.now += seconds
        self.batcher.close_old(self.now)
        oldest = self.batcher.oldest()
        assert oldest is None or self.now - oldest < AGE

    @rule()
    def submit(self):
        due = self.batcher.next_due()
        if due is not None:
            rows = list(due.rows.values())
            assert len(rows) <= ROWS
            assert {one.action for one in rows} == {due.action}
            for one in rows:
                self.went[one.address].extend((line, due.action) for line in one.lines)
            self.under_way.append(rows)

    @rule(at=st.integers(0, 5))
    def finish(self, at):
        if self.under_way:
            rows = self.under_way.pop(at % len(self.under_way))
            self.batcher.free([one.address for one in rows], self.now)

    @invariant()
    def one_address_is_in_one_batch_and_in_order(self):
        addresses = [one.address for rows in self.under_way for one in rows]
        assert len(addresses) == len(set(addresses))
        for address, went in self.went.items():
            assert went == self.came[address][: len(went)]

    def teardown(self):
        for _ in range(1000):
            self.batcher.close_all()
            self.submit()
            self.finish(0)
            if self.batcher.is_empty():
                break
        assert self.went == self.came
        assert self.batcher.waiting_rows == 0


TestBatcherKeepsOrder = BatcherKeepsOrder.TestCase
TestBatcherKeepsOrder.settings = settings(max_examples=80, deadline=None, stateful_step_count=50)


def test_a_full_batch_is_due_at_once_and_an_old_one_later():
    batches = batcher()
    for line, address in enumerate("abcde", 1):
        batches.add(row(line, address), 0.0)
    assert [[one.address for one in rows] for rows in taken(batches)] == [["a", "b", "c", "d"]]
    batches.close_old(AGE - 1)
    assert taken(batches) == []
    batches.close_old(AGE)
    assert [[one.address for one in rows] for rows in taken(batches)] == [["e"]]


def test_bytes_close_a_batch_before_it_overflows():
    batches = batcher()
    for line, address in enumerate("abc", 1):
        batches.add(row(line, address, contact=b"x" * 25), 0.0)
    assert [[one.address for one in rows] for rows in taken(batches)] == [["a", "b"]]


def test_a_later_row_of_the_same_batch_supersedes():
    batches = batcher()
    batches.add(row(1, "a"), 0.0)
    batches.add(row(2, "a"), 0.0)
    batches.close_all()
    assert [one.lines for one in taken(batches)[0]] == [(1, 2)]


def test_a_row_waits_while_its_address_is_under_way_also_across_actions():
    batches = batcher()
    batches.add(row(1, "a", "add"), 0.0)
    batches.close_all()
    first = taken(batches)[0]
    batches.add(row(2, "a", "unsub"), 0.0)
    batches.add(row(3, "a", "add"), 0.0)
    batches.close_all()
    assert taken(batches) == []
    assert batches.waiting_rows == 2
    batches.free([one.address for one in first], 0.0)
    batches.close_all()
    second = taken(batches)
    assert [[one.action for one in rows] for rows in second] == [["unsub"]]
    batches.free(["a"], 0.0)
    batches.close_all()
    assert [[one.lines for one in rows] for rows in taken(batches)] == [[(3,)]]
