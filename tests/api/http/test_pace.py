from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from mailing_api.http.pace import Pace


class Time:
    """A clock that moves only by sleeping."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time():
    return Time()


def test_nothing_limits_until_the_provider_complains(time):
    pace = Pace(clock=time, sleep=time.sleep)
    for _ in range(100):
        pace.wait()
    assert time.slept == []
    assert pace.rate is None


def test_the_limit_spaces_requests(time):
    pace = Pace(4.0, clock=time, sleep=time.sleep)
    starts = [pace.wait() for _ in range(5)]
    assert starts == pytest.approx([100.0, 100.25, 100.5, 100.75, 101.0])


def test_a_refusal_halves_the_observed_rate(time):
    pace = Pace(clock=time, sleep=time.sleep)
    for _ in range(20):
        started = pace.wait()
        time.now += 0.1
    pace.refused(started)
    assert pace.rate == pytest.approx(5.0, rel=0.1)


def test_requests_under_way_together_count_as_one_refusal(time):
    pace = Pace(8.0, clock=time, sleep=time.sleep)
    starts = [pace.wait() for _ in range(4)]
    time.now += 1
    for started in starts:
        pace.refused(started)
    assert pace.rate == 4.0


def test_the_rate_never_falls_below_the_floor(time):
    pace = Pace(1.0, floor=0.5, clock=time, sleep=time.sleep)
    for _ in range(10):
        time.now += 10
        pace.refused(pace.wait())
    assert pace.rate == 0.5


def test_success_wins_the_rate_back_up_to_the_limit(time):
    pace = Pace(8.0, increase=0.5, clock=time, sleep=time.sleep)
    pace.refused(pace.wait())
    time.now += 2
    pace.succeeded()
    assert pace.rate == pytest.approx(5.0)
    time.now += 100
    pace.succeeded()
    assert pace.rate == 8.0
    pace.succeeded()
    assert pace.rate == 8.0


def test_without_a_limit_the_rate_grows_on(time):
    pace = Pace(clock=time, sleep=time.sleep)
    pace.refused(pace.wait())
    before = pace.rate
    time.now += 100
    pace.succeeded()
    assert pace.rate > before + 40


def test_a_refusal_keeps_all_threads_waiting(time):
    pace = Pace(1.0, clock=time, sleep=time.sleep)
    pace.refused(pace.wait())
    assert pace.wait() >= 102.0


def test_threads_share_one_pace():
    pace = Pace(1000.0)
    starts = []

    def work():
        starts.extend(pace.wait() for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    starts.sort()
    assert min(b - a for a, b in pairwise(starts)) >= 0.0009


def test_no_window_holds_more_than_the_most():
    now = [100.0]
    pace = Pace(most=3, within=2.0, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert [pace.wait() for _ in range(2)] == [100.0, 100.0]
    now[0] = 101.5
    assert [pace.wait() for _ in range(3)] == [101.5, 102.0, 102.0]
    assert pace.wait() == 103.5


def test_a_window_and_a_rate_hold_together():
    now = [0.0]
    pace = Pace(
        10, most=2, within=1.0, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds)
    )
    assert [round(pace.wait(), 3) for _ in range(4)] == [0.0, 0.1, 1.0, 1.1]


def test_a_part_has_its_share_of_rate_and_window(time):
    part = Pace(8.0, most=10, within=2.0, clock=time, sleep=time.sleep).part(4, 8.0)
    assert (part.rate, part.limits.most) == (2.0, 0.5)
    starts = [part.wait() for _ in range(5)]
    assert [at - starts[0] for at in starts] == pytest.approx([0.0, 0.5, 2.0, 2.5, 4.0])
