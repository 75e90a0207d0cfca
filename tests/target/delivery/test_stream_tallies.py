"""Rows are counted for the stream whose line they are, however streams alternate and whatever ends first."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.delivery import stream_tallies
from target_mailing.delivery.checkpoints import Ledger
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.stream_tallies import StreamTallies
from target_mailing.rows.outcome import Outcome

#: The stream of each line; None for a line without a record.
LINES = st.lists(st.sampled_from(["a", "b", "c", None]), max_size=60)


def counted(outcomes):
    return {(stream, at): dict(tally.counts) for stream, at, tally in outcomes.streams}


@pytest.mark.slow
@given(streams=LINES, data=st.data())
def test_p4_the_rows_of_all_streams_add_up(streams, data):
    kept, stream_tallies._MOST_KEPT = stream_tallies._MOST_KEPT, 2
    try:
        _check(streams, data)
    finally:
        stream_tallies._MOST_KEPT = kept


def _check(streams, data):
    ledger = Ledger()
    outcomes = Outcomes(ledger)
    rows, expected = [], Counter()
    for line, stream in enumerate(streams, 1):
        if stream is None:
            ledger.settle([line])
            continue
        outcomes.streams.begin(line, stream)
        rows.append(line)
        while rows and data.draw(st.booleans()):
            chosen = data.draw(st.lists(st.sampled_from(rows), min_size=1, unique=True))
            rows = [row for row in rows if row not in chosen]
            end(outcomes, streams, chosen, expected)
    end(outcomes, streams, rows, expected)
    assert ledger.prefix == len(streams)
    assert counted(outcomes) == {(stream, "list"): counts for stream, counts in nested(expected).items()}
    assert sum(tally.rows for *_, tally in outcomes.streams) == outcomes.rows


def end(outcomes, streams, lines, expected):
    """All of these lines end in one row, the last of them delivered."""
    if lines:
        lines = sorted(lines)
        outcomes.at("list").settle_all([(lines, Outcome.DELIVERED, "added")])
        for line in lines:
            expected[streams[line - 1], Outcome.DELIVERED if line == lines[-1] else Outcome.SUPERSEDED] += 1


def nested(expected):
    by_stream = {}
    for (stream, outcome), count in expected.items():
        by_stream.setdefault(stream, {})[outcome] = count
    return by_stream


def test_a_line_whose_parts_go_to_two_lists_counts_at_each():
    outcomes = Outcomes(Ledger())
    outcomes.streams.begin(1, "people")
    outcomes.expect(1, 2)
    outcomes.at("one").settle_alike([1], Outcome.DELIVERED, "added")
    outcomes.at("other").settle_alike([1], Outcome.REJECTED, "bad_address")
    assert counted(outcomes) == {
        ("people", "one"): {Outcome.DELIVERED: 1},
        ("people", "other"): {Outcome.REJECTED: 1},
    }
    assert outcomes.rows == 1


def test_streams_come_in_the_order_of_the_input():
    outcomes = Outcomes(Ledger())
    for line, stream in enumerate(["z", "a", "z"], 1):
        outcomes.streams.begin(line, stream)
    for line in (2, 3, 1):
        outcomes.at("").settle_alike([line], Outcome.SKIPPED, None)
    assert [(stream, tally.rows) for stream, _, tally in outcomes.streams] == [("z", 2), ("a", 1)]


def test_p8_streams_that_alternate_take_no_more_memory_than_rows_without_outcome():
    settled = 0
    tallies = StreamTallies(lambda: settled)
    for line in range(1, 50_000):
        tallies.begin(line, "ab"[line % 2])
        tallies.ended([line], Outcome.UNCHANGED, None, "list")
        settled = line
    assert len(tallies._firsts) <= stream_tallies._MOST_KEPT + 1
    assert [tally.rows for *_, tally in tallies] == [25_000, 24_999]
