"""P1, P2: a STATE leaves only behind settled lines, and moves to the end of the longest settled prefix."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from target_mailing.delivery.checkpoints import Ledger


class LedgerAgainstAModel(RuleBasedStateMachine):
    """Rows are read, settled in any order and grouping, STATEs come and leave; the model keeps plain sets."""

    rows = Bundle("rows")

    def __init__(self):
        super().__init__()
        self.ledger = Ledger(max_waiting=4, block_lines=3)
        self.line = 0
        self.settled: set[int] = set()
        self.states: list[int] = []
        self.released = 0

    @rule(target=rows, count=st.integers(1, 5))
    def read_rows(self, count):
        first, self.line = self.line + 1, self.line + count
        return multiple(*range(first, self.line + 1))

    @rule()
    def read_state(self):
        self.line += 1
        self.settled.add(self.line)
        self.states.append(self.line)
        self.ledger.state(self.line, self.line)

    @rule(lines=st.lists(consumes(rows), max_size=7))
    def settle(self, lines):
        self.settled.update(lines)
        self.ledger.settle(lines)

    @rule()
    def release(self):
        value = self.ledger.release()
        if value is not None:
            assert value in self.states
            assert value > self.released
            assert value <= self.model_prefix()
            self.released = value

    @rule()
    def newest_state_leaves_when_all_is_settled(self):
        if self.states and self.model_prefix() == self.line:
            value = self.ledger.release()
            assert (value or self.released) == self.states[-1]
            self.released = value or self.released

    @invariant()
    def prefix_is_the_longest(self):
        assert self.ledger.prefix == self.model_prefix()

    def model_prefix(self):
        prefix = 0
        while prefix + 1 in self.settled:
            prefix += 1
        return prefix


TestLedgerAgainstAModel = LedgerAgainstAModel.TestCase
TestLedgerAgainstAModel.settings = settings(max_examples=60, deadline=None, stateful_step_count=40)


def test_p2_state_waits_for_the_first_row_and_then_jumps():
    ledger = Ledger()
    ledger.state(2, "after row 1")
    ledger.state(4, "after row 3")
    ledger.settle([3])
    assert ledger.release() is None
    ledger.settle([1])
    assert ledger.release() == "after row 3"
    assert ledger.release() is None


@pytest.mark.parametrize("again", [1, 2, 3, 5])
def test_p4_a_line_is_settled_once(again):
    ledger = Ledger()
    ledger.settle([1, 2, 3])
    ledger.settle([5])
    with pytest.raises(ValueError, match="already settled"):
        ledger.settle([again])


@given(st.integers(1, 2000))
def test_p8_waiting_states_are_bounded_and_the_newest_is_kept(count):
    ledger = Ledger(max_waiting=8)
    for line in range(2, count + 2):
        ledger.state(line, line)
    assert len(ledger._waiting) <= 8
    ledger.settle([1])
    assert ledger.release() == count + 1


@pytest.mark.slow
def test_p8_many_gaps_take_a_bit_for_each_line():
    ledger = Ledger()
    tracemalloc.start()
    for first in range(2, 40_000, 2_000):
        ledger.settle(range(first, first + 2_000, 2))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 40_000
    ledger.settle(range(1, 40_002, 2))
    assert (ledger.prefix, ledger._blocks) == (40_001, {})


def test_p8_behind_a_line_that_waits_the_newest_state_before_it_is_kept():
    ledger = Ledger(max_waiting=8)
    for line in range(2, 400, 2):
        ledger.state(line, line)
    ledger.settle(range(1, 399, 2))
    for line in range(401, 2_001, 2):  # line 399 waits
        ledger.settle([line - 1])
        ledger.state(line, line)
    assert ledger.release() == 398
    ledger.settle([399])
    assert ledger.release() == 1_999


def test_p8_states_that_wait_are_at_even_distances():
    ledger = Ledger(max_waiting=64)
    for line in range(2, 20_001, 2):
        ledger.state(line, line)
    ledger.settle(range(1, 5_000, 2))
    assert len(ledger._waiting) <= 64
    assert 5_000 - 20_000 * 4 // 64 <= ledger.release() <= 5_000
