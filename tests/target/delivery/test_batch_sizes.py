"""Batches whose job only its count tells: their sizes, and how many batches these make."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.delivery.batch_sizes import size_in_turn
from tests.target.conftest import people, schema, state


def sizes_of(rows: int, *, most_rows: int, at_once: int) -> list[int]:
    """The sizes of the batches of so many rows, each of which takes as many as it may."""
    sizes: list[int] = []
    while rows:
        sizes.append(size_in_turn(min(rows, most_rows), len(sizes), most_rows=most_rows, at_once=at_once))
        rows -= sizes[-1]
    return sizes


@given(rows=st.integers(0, 2000), most_rows=st.integers(1, 200), at_once=st.integers(1, 8))
def test_few_batches_more_are_made_and_full_ones_that_are_sent_at_once_differ(rows, most_rows, at_once):
    sizes = sizes_of(rows, most_rows=most_rows, at_once=at_once)
    assert sum(sizes) == rows
    assert all(0 < size <= most_rows for size in sizes)
    assert len(sizes) <= -(-rows // (most_rows - most_rows // 20)) + 1
    different = min(at_once, most_rows // 10)
    full = sizes[:-1]
    assert all(len({*full[at : at + different]}) == len(full[at : at + different]) for at in range(len(full)))


@pytest.mark.parametrize(("rows", "size", "jobs"), [(100, 9, 12), (60, 20, 4), (10, 5, 2)])
def test_small_batches_make_no_more_jobs_than_their_sizes_need_and_a_plan_says_how_many(mailjet, rows, size, jobs):
    messages = [schema(), *people(range(rows)), state(1)]
    path = mailjet.folder / "plan.json"
    mailjet.deliver(messages, batch_rows=size, mode="plan", plan_path=str(path))
    result = mailjet.deliver(messages, batch_rows=size)
    (planned,) = json.loads(path.read_text())["destinations"].values()
    assert planned["jobs"] == result.outcomes["batches"] == jobs
