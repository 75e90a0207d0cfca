"""P4: every row has one outcome, and the totals add up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.errors import ConfigurationError
from target_mailing.delivery.checkpoints import Ledger
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.reject_limit import reject_limit
from target_mailing.rows.outcome import Outcome


def test_p4_superseded_rows_end_with_the_row_that_supersedes_them():
    ledger = Ledger()
    outcomes = Outcomes(ledger)
    outcomes.at("").settle_all([([1, 3], Outcome.DELIVERED, None)])
    assert outcomes.counts == {Outcome.SUPERSEDED: 1, Outcome.DELIVERED: 1}
    assert ledger.prefix == 1
    outcomes.at("").settle_all([([2], Outcome.REJECTED, "bad_address")])
    assert ledger.prefix == 3
    assert outcomes.rows == 3
    assert outcomes.codes == {"bad_address": 1}


def test_p4_a_line_of_several_rows_ends_with_its_last_and_counts_once_with_the_worst():
    ledger = Ledger()
    outcomes = Outcomes(ledger)
    outcomes.expect(1, 2)
    outcomes.expect(1, 2)
    outcomes.at("").settle_all([([1], Outcome.DELIVERED, None)])
    outcomes.at("").settle_all([([1], Outcome.REJECTED, "wrong_type")])
    assert ledger.prefix == 0
    outcomes.at("").settle_all([([1], Outcome.UNCHANGED, None)])
    assert ledger.prefix == 1
    assert outcomes.counts == {Outcome.REJECTED: 1}


def test_p4_a_line_counts_once_at_each_destination_of_its_parts_with_the_worst_there():
    outcomes = Outcomes(Ledger())
    one, other = outcomes.at("one"), outcomes.at("other")
    outcomes.expect(1, 3)
    one.settle_all([([1], Outcome.DELIVERED, "added")])
    other.settle_all([([1], Outcome.DELIVERED, "added")])
    one.settle_all([([1], Outcome.REJECTED, "wrong_type")])
    other.settle_all([([2, 3], Outcome.UNCHANGED, None)])
    other.former_left(2)
    counts = {name: dict(tally.counts) for name, tally in outcomes.places.items()}
    assert counts == {
        "one": {Outcome.REJECTED: 1},
        "other": {Outcome.DELIVERED: 1, Outcome.UNCHANGED: 1, Outcome.SUPERSEDED: 1},
    }
    assert (one.codes, other.codes_of(Outcome.DELIVERED)) == ({"wrong_type": 1}, {"added": 1})
    assert outcomes.counts == {Outcome.REJECTED: 1, Outcome.UNCHANGED: 1, Outcome.SUPERSEDED: 1}
    assert (other.former_removed, one.former_removed, outcomes.former_removed) == (2, 0, 2)


@pytest.mark.parametrize(
    ("outcome", "code", "obeyed"),
    [
        (Outcome.DELIVERED, "unsubscribed", 1),
        (Outcome.UNCHANGED, None, 1),
        (Outcome.DELIVERED, "removed", 0),  # of the former address
        (Outcome.REJECTED, "refused", 0),
        (Outcome.WITHHELD, "pending", 0),
    ],
)
def test_p4_a_rejected_rows_opt_out_is_told_if_the_provider_has_it_and_counts_as_rejected_only(outcome, code, obeyed):
    outcomes = Outcomes(Ledger())
    outcomes.expect(1, 2, is_opt_out=True)
    outcomes.at("").settle_all([([1], outcome, code)])
    outcomes.at("").settle_all([([1], Outcome.REJECTED, "wrong_type")])
    assert outcomes.opt_outs_obeyed == obeyed
    assert outcomes.counts == {Outcome.REJECTED: 1}


@pytest.mark.slow
@given(st.data())
def test_p4_rows_that_end_together_count_as_if_they_ended_one_by_one(data):
    ends = [(Outcome.DELIVERED, "added"), (Outcome.REJECTED, "bad"), (Outcome.UNCHANGED, None)]
    lines = data.draw(st.permutations(range(1, data.draw(st.integers(1, 12)) + 1)))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(lines)))))
    rows = [lines[begin:end] for begin, end in pairwise([0, *cuts, len(lines)])]
    ended = [(row, *data.draw(st.sampled_from(ends))) for row in rows]
    parts = data.draw(st.dictionaries(st.sampled_from(lines), st.integers(2, 3), max_size=2))
    replayed = sorted(data.draw(st.sets(st.sampled_from(lines), max_size=2)))
    together, alone = Ledger(), Ledger()
    outcomes, one_by_one = Outcomes(together), Outcomes(alone)
    for one in (outcomes, one_by_one):
        for line, count in parts.items():
            one.expect(line, count)
        for line in replayed:
            one.replayed.add(line)
    outcomes.at("").settle_all(ended)
    for row, outcome, code in ended:
        for line in row:
            one_by_one.at("").settle_alike(
                [line], *((outcome, code) if line == row[-1] else (Outcome.SUPERSEDED, None))
            )
    assert outcomes.counts == one_by_one.counts
    assert outcomes.codes == one_by_one.codes
    assert outcomes.codes_of(Outcome.DELIVERED) == one_by_one.codes_of(Outcome.DELIVERED)
    assert outcomes.rejected_again == one_by_one.rejected_again
    assert outcomes.at("").counts == one_by_one.at("").counts == outcomes.counts
    assert outcomes.at("").codes == one_by_one.at("").codes == outcomes.codes
    assert together.prefix == alone.prefix


def test_p4_rows_that_were_rejects_before_are_counted_when_they_are_rejected_again():
    outcomes = Outcomes(Ledger())
    outcomes.replayed.add(1)
    outcomes.replayed.add(2)
    outcomes.at("").settle_alike([1, 3], Outcome.REJECTED, "wrong_type")
    outcomes.at("").settle_alike([2], Outcome.UNCHANGED, None)
    assert (outcomes.counts[Outcome.REJECTED], outcomes.rejected_again) == (2, 1)


@pytest.mark.parametrize("lines", [[1, 1], [1, 1, 2], [2, 1, 2], [1, 3, 3, 4]])
def test_p4_a_line_that_ends_twice_at_once_is_an_error(lines):
    with pytest.raises(ValueError, match="already settled"):
        Outcomes(Ledger()).at("").settle_alike(lines, Outcome.DELIVERED, None)


def test_p4_a_second_outcome_is_an_error():
    outcomes = Outcomes(Ledger())
    outcomes.at("").settle_all([([1], Outcome.DELIVERED, None)])
    with pytest.raises(ValueError, match="already settled"):
        outcomes.at("").settle_all([([1], Outcome.REJECTED, None)])


@pytest.mark.parametrize(
    ("setting", "rejected", "rows", "exceeded"),
    [
        ("10%", 100, 1000, False),
        ("10%", 101, 1000, True),
        ("0%", 1, 1000, True),
        ("2.5 %", 26, 1000, True),
        (5, 5, 10, False),
        (5, 6, 10, True),
        ("5", 6, 10, True),
        ("10%", 9, 50, False),
        ("10%", 10, 50, True),
        ("10%", 2, 2, True),
        ("0%", 1, 9, True),
        ("100%", 9, 9, False),
        (0, 1, 10, True),
    ],
)
def test_max_rejected_is_a_number_or_a_share(setting, rejected, rows, exceeded):
    assert reject_limit(setting).is_exceeded(rejected, rows) is exceeded


@pytest.mark.parametrize("setting", ["many", -1, True, "1.5", None])
def test_p9_max_rejected_must_be_one_of_the_two(setting):
    with pytest.raises(ConfigurationError, match="max_rejected"):
        reject_limit(setting)
