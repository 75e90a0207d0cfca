"""How many polls follow jobs whose times are known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.delivery.looks import JobsOfBatch, expected_polls
from target_mailing.settings.settings import StreamSettings

SETTINGS = StreamSettings.resolve({"list": 1, "poll_interval": 0.2, "poll_max_interval": 30}, None)


def polls(*batches: list[float], **given: Any) -> float:
    options = {"at_once": 1, "lists_jobs": False, "takes": 0.0, **given}
    return expected_polls([JobsOfBatch(jobs, after=0.0) for jobs in batches], SETTINGS, **options)


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([], 0),
        ([[0.0]], 1),
        ([[0.1]], 1),
        ([[0.3]], 2),  # after 0.2 s, and as long again
        ([[0.1, 0.1]], 2),
        ([[0.1]] * 1000, 1000),
        ([[0.3]] * 1000, 2000),
        # First after half of the time that jobs took lately.
        ([[60.0]] + [[60.0]] * 99, pytest.approx(700, rel=0.1)),
    ],
)
def test_a_job_is_polled_until_it_has_ended(batches, expected):
    assert polls(*batches) == expected


def test_one_listing_is_a_look_at_all_jobs_under_way():
    alone, listed = (polls(*[[3.0]] * 20, at_once=20, lists_jobs=lists, takes=0.01) for lists in (False, True))
    assert alone > 100
    assert 20 < listed < 45


@pytest.mark.slow
@given(
    jobs=st.lists(st.lists(st.floats(0, 100), min_size=1, max_size=3), min_size=1, max_size=20),
    at_once=st.integers(1, 5),
    lists_jobs=st.booleans(),
    takes=st.floats(0, 1),
)
def test_each_job_is_polled_at_least_once_and_the_same_number_comes_out_each_time(jobs, at_once, lists_jobs, takes):
    found = [polls(*jobs, at_once=at_once, lists_jobs=lists_jobs, takes=takes) for _ in range(2)]
    assert found[0] == found[1] >= sum(map(len, jobs))
