from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.delivery.job_times import JobTimes


@given(st.lists(st.floats(0, 200_000), min_size=1))
def test_median_and_longest_are_those_of_all_jobs(seconds):
    times = JobTimes()
    for each in seconds:
        times.ended(each)
    assert times.jobs == len(seconds)
    assert times.longest == pytest.approx(max(seconds), abs=0.051)
    assert times.median == pytest.approx(statistics.median_low(seconds), abs=0.051)


def test_jobs_of_earlier_runs_count_without_a_time():
    times = JobTimes()
    times.ended(None)
    assert (times.jobs, times.median, times.longest) == (1, None, None)
