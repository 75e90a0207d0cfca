"""Many processes, one account: the pure rules, driven by simulated clocks."""

from __future__ import annotations

import heapq
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailing_api.http import budget
from mailing_api.http.budget import FRESH, GRACE, SPAN, Holder, Limits, Step


class World:
    """Processes that ask for slots, a row that they share, and a provider that may refuse."""

    def __init__(self, workers, limits, *, seed=0, latency=0.0, bucket=None):
        self.random = random.Random(seed)
        self.limits = limits
        self.row = None
        self.starts = []
        self.refused = []
        self.latency = latency
        self.bucket = bucket
        self.left, self.seen = float(bucket or 0), 0.0
        self.told = []
        self.events = [(self.random.random() * 0.1, name) for name in range(workers)]
        heapq.heapify(self.events)
        self.holders = {name: Holder() for name in range(workers)}
        self.has_succeeded = dict.fromkeys(range(workers), False)

    def run(self, until, *, killed=()):
        """Let them work; each killed one stops where it is, with what it holds."""
        while self.events and self.events[0][0] < until:
            now, name = heapq.heappop(self.events)
            if name not in killed:
                heapq.heappush(self.events, (now + self.work(name, now), name))
        return self

    def work(self, name, now):
        """One step of a process; returns the seconds until its next."""
        holder = self.holders[name]
        step = holder.step(now)
        if step is Step.TAKE:
            row = self.row or budget.begin(self.limits, now)
            self.row, lease = budget.take(
                row, self.limits, worker=budget.named(str(name), self.limits), now=now, want=holder.want,
                has_succeeded=self.has_succeeded[name], since=holder.since,
            )  # fmt: skip
            self.has_succeeded[name] = False
            holder.took(lease, now)
            return 0.001
        if step is Step.LOOK:
            holder.saw(self.row, now, now)
            return 0.001
        if step is Step.START:
            self.starts.append((now, name))
            self.has_succeeded[name] = not self.refuses(now)
            if not self.has_succeeded[name]:
                self.refused.append(now)
                self.row = budget.refuse(self.row, self.limits, started=now, now=now)
            return self.random.random() * self.latency + 0.0001
        return step

    def refuses(self, now):
        if self.bucket is None:
            return False
        self.left = min(max(self.bucket, 1), self.left + (now - self.seen) * self.bucket)
        self.seen = now
        if self.left < 1:
            return True
        self.left -= 1
        return False

    def cool_down(self, now, seconds):
        self.row = budget.refuse(self.row, self.limits, started=now, now=now, retry_after=seconds)

    def times(self, name=None):
        return [at for at, who in self.starts if name in (None, who)]


def most_in(times, window):
    """The greatest number of these in any window of so many seconds."""
    first = most = 0
    for last, at in enumerate(times):
        while times[first] < at - window:
            first += 1
        most = max(most, last - first + 1)
    return most


workers = st.integers(1, 12)
rates = st.floats(0.5, 200)
few = settings(max_examples=25, deadline=None)


@few
@given(workers, rates, st.integers(0, 99), st.sampled_from([0.0, 0.05, 0.4]), st.sampled_from([1.0, 3.0]))
def test_never_more_than_the_rate_and_a_burst(count, rate, seed, latency, window):
    world = World(count, Limits(rate, 0.5, 0.2), seed=seed, latency=latency).run(6)
    assert most_in(sorted(world.times()), window) <= rate * (window + GRACE + FRESH) + 2


@few
@given(workers, st.floats(2, 100), st.integers(0, 99))
def test_who_always_wants_gets_the_whole_rate_in_equal_parts(count, rate, seed):
    seconds = 5 + 8 * count / rate
    world = World(count, Limits(rate, 0.5, 0.2), seed=seed).run(seconds)
    assert len(world.starts) >= 0.9 * rate * (seconds - 1)
    each = [len(world.times(name)) for name in range(count)]
    assert min(each) >= 0.5 * max(each) - max(2, rate * SPAN / count)


@few
@given(workers, st.floats(1, 50), st.integers(0, 99), st.floats(1, 20))
def test_a_cool_down_stops_all_and_then_all_continue(count, rate, seed, seconds):
    world = World(count, Limits(rate, 0.5, 0.2), seed=seed).run(3)
    world.cool_down(3, seconds)
    world.run(3 + seconds)
    assert [at for at in world.times() if 3 + FRESH < at < 3 + seconds] == []
    world.run(3 + seconds + 5 * count / rate + 2)
    assert {name for at, name in world.starts if at >= 3 + seconds} == set(range(count))


@few
@given(st.integers(2, 12), st.floats(1, 100), st.integers(0, 99))
def test_what_killed_workers_held_is_lost_only_once(count, rate, seed):
    world = World(count, Limits(rate, 0.5, 0.2), seed=seed).run(3)
    killed = set(range(1, count))
    lost = max(count / rate, SPAN) + SPAN
    world.run(3 + lost + 10, killed=killed)
    after = [at for at in world.times(0) if at > 3 + lost]
    assert len(after) >= 0.9 * rate * 10 - 2


@few
@given(st.integers(2, 8), st.integers(0, 99))
def test_an_idle_worker_takes_nothing_from_the_others(count, seed):
    world = World(count, Limits(20.0, 0.5, 0.2), seed=seed).run(2)
    world.events = [(at + (1000 if name == 0 else 0), name) for at, name in world.events]
    heapq.heapify(world.events)
    world.run(22)
    assert len([at for at in world.times() if at > 2]) >= 0.9 * 20 * 20


@pytest.mark.parametrize("count", [2, 4, 8])
def test_many_workers_use_a_hard_limit_as_well_as_one_and_are_refused_no_more_often(count):
    def found(workers):
        world = World(workers, Limits(None, 0.5, 0.2), latency=0.05, bucket=4.0).run(300)
        accepted = len(world.starts) - len(world.refused)
        return accepted / (4.0 * 300), len(world.refused)

    share, refused = found(count)
    _, of_one = found(1)
    assert share >= 0.9
    assert refused <= 1.1 * of_one


def test_a_refusal_lowers_the_rate_once_for_requests_that_were_under_way_together():
    limits = Limits(8.0, 0.5, 0.2)
    row = budget.begin(limits, 100.0)
    once = budget.refuse(row, limits, started=99.0, now=101.0)
    assert once.rate == 4.0
    assert budget.refuse(once, limits, started=100.9, now=101.5) == once
    assert budget.refuse(once, limits, started=101.3, now=101.5).rate == 2.0


def test_the_rate_never_falls_below_the_floor():
    limits = Limits(1.0, 0.5, 0.4)
    row = budget.begin(limits, 100.0)
    for at in range(101, 110):
        row = budget.refuse(row, limits, started=at, now=at)
    assert row.rate == 0.4


def test_a_night_without_requests_does_not_raise_the_rate():
    limits = Limits(None, 0.5, 0.2)
    row = budget.refuse(budget.begin(limits, 100.0), limits, started=100.0, now=100.0)
    later, _ = budget.take(row, limits, worker="a", now=40_000.0, has_succeeded=True)
    assert later.rate == row.rate


def test_a_database_whose_clock_jumped_back_holds_nobody_for_long():
    limits = Limits(4.0, 0.5, 0.2)
    row = budget.begin(limits, 1e9)
    _, lease = budget.take(row, limits, worker="a", now=1000.0)
    assert lease.start < 1000.0 + 120


@pytest.mark.parametrize("most", [None, 4.0])
@pytest.mark.parametrize("rate", [0.0, -1.0, 1e-300, 0.001, 1e300])
def test_a_rate_that_was_edited_by_hand_is_brought_within_its_limits(most, rate):
    limits = Limits(most, 0.5, 0.2)
    row = msgspec.structs.replace(budget.begin(limits, 100.0), rate=rate)
    for now in (101.0, 200.0):
        row, lease = budget.take(row, limits, worker="a", now=now, has_succeeded=True)
        assert lease.start <= now + 1
        assert 1e-3 <= lease.interval <= 5.0
    assert budget.refuse(row, limits, started=300.0, now=301.0).rate <= 500.0


def test_refusals_lower_the_rate_and_successes_raise_it_after_the_clock_jumped_back():
    limits = Limits(None, 0.5, 0.2)
    row = budget.refuse(budget.begin(limits, 1e9), limits, started=1e9, now=1e9)
    lowered = budget.refuse(row, limits, started=1000.0, now=1000.5)
    assert lowered.rate < row.rate
    risen, _ = budget.take(row, limits, worker="a", now=1000.0, has_succeeded=True)
    risen, _ = budget.take(risen, limits, worker="a", now=1002.0, has_succeeded=True)
    assert risen.rate > row.rate


def test_a_low_rate_grows_after_a_long_time_without_a_request():
    slow, fast = Limits(0.001, 0.5, 0.001), Limits(None, 0.5, 0.001)
    row, _ = budget.take(budget.begin(slow, 100.0), slow, worker="a", now=100.0)
    row, lease = budget.take(row, fast, worker="b", now=1900.0, has_succeeded=True)
    assert row.rate <= 0.001 * 2**4
    assert lease.start <= 1900.0 + 120.0


@pytest.mark.parametrize(("retry_after", "lasts"), [(None, 0.0), (30.0, 30.0), (7200.0, 3600.0)])
def test_a_clock_that_is_put_back_prolongs_no_cool_down(retry_after, lasts):
    limits = Limits(4.0, 0.5, 0.2)
    row = budget.begin(limits, 10_000.0)
    row = budget.refuse(row, limits, started=10_000.0, now=10_000.0, retry_after=retry_after)
    for now in (6400.0, 6400.5):
        row, lease = budget.take(row, limits, worker="a", now=now)
        assert lasts <= lease.start - 6400.0 <= lasts + 65


def test_workers_that_wait_long_for_their_turn_still_count_and_have_slots_of_their_own():
    limits = Limits(0.2, 0.5, 0.2)
    row, starts = budget.begin(limits, 100.0), []
    for _ in range(2):
        for number in range(30):
            row, lease = budget.take(row, limits, worker=f"{number}", now=100.0)
            starts.append(lease.start)
    assert starts == pytest.approx([100.0 + 5 * at for at in range(60)])
    row, _ = budget.take(row, limits, worker="0", now=140.0)
    assert len(row.workers) == 30


def test_who_uses_all_slots_takes_twice_as_many_and_who_loses_some_takes_one():
    holder = Holder()
    for want in (1, 2, 4):
        assert holder.step(100.0) is Step.TAKE
        assert holder.want == want
        holder.took(budget.Lease(100.0, 0.0, want, 0), 100.0)
        assert [holder.step(100.0) for _ in range(want)] == [Step.START] * want
    assert holder.step(100.0) is Step.TAKE
    holder.took(budget.Lease(100.0, 1.0, 8, 0), 100.0)
    assert holder.step(101.6) is not Step.TAKE
    assert holder.step(109.0) is Step.TAKE
    assert holder.want == 1


def test_what_is_known_is_as_old_as_the_question_unless_answers_take_longer():
    row = budget.begin(Limits(None, 0.5, 0.2), 100.0)
    for seconds, after in ((0.05, Step.LOOK), (2 * FRESH, Step.START)):
        holder = Holder()
        holder.took(budget.Lease(101.0, 1.0, 1, row.epoch), 100.0)
        assert holder.step(101.0) is Step.LOOK
        holder.saw(row, 101.0, 101.0 + seconds)
        assert holder.step(101.0 + seconds + 0.8 * FRESH) is after


def slow_and_fast(slow, fast, seconds):
    """A process with a low limit beside another."""

    class Unequal(World):
        def work(self, name, now):
            self.limits = Limits((slow, fast)[name], 0.5, 0.2)
            return super().work(name, now)

    return Unequal(2, None).run(seconds)


@pytest.mark.parametrize(("slow", "fast"), [(0.05, 40.0), (1.0, 20.0), (5.0, 50.0)])
def test_a_process_with_a_low_limit_keeps_it_and_delays_no_other(slow, fast):
    world = slow_and_fast(slow, fast, 60)
    assert len(world.times(0)) <= slow * 60 + 2
    assert len(world.times(0)) >= slow * 0.7 * 60 - 2
    late = [at for at in world.times(1) if at > 30]
    assert len(late) >= 0.9 * (fast - slow) * 30 - 2
    assert len(world.starts) <= fast * 60 + 10


def test_a_refusal_of_a_process_with_a_low_limit_halves_the_rate_of_all():
    slow, fast = Limits(1.0, 0.5, 0.2), Limits(100.0, 0.5, 0.2)
    row, _ = budget.take(budget.begin(fast, 100.0), fast, worker=budget.named("a", fast), now=100.0)
    row, _ = budget.take(row, slow, worker=budget.named("b", slow), now=100.0)
    assert budget.refuse(row, slow, started=101.0, now=101.0).rate == 50.0


def test_the_limit_of_all_is_obeyed_although_an_earlier_rate_was_greater():
    limits = Limits(10.0, 0.5, 0.2)
    row = budget.begin(Limits(100.0, 0.5, 0.2), 100.0)
    starts = []
    for number in range(40):
        row, lease = budget.take(row, limits, worker=budget.named(f"w{number % 4}", limits), now=100.0)
        starts.append(lease.start)
    assert starts[-1] - starts[0] == pytest.approx(3.9)


def test_the_limit_of_a_process_that_ended_long_ago_binds_nobody():
    before, after = Limits(40.0, 0.5, 0.2), Limits(4.0, 0.5, 0.2)
    row, _ = budget.take(budget.begin(before, 0.0), before, worker=budget.named("a", before), now=0.0)
    row, _ = budget.take(row, after, worker=budget.named("b", after), now=60.0)
    assert row.next_slot == 60.25


@pytest.mark.parametrize("name", ["a", "a-", "a-x", "a-nan", "a-1e400", "-", "a--5", "a-1-2"])
def test_names_of_processes_that_others_gave_are_lived_with(name):
    limits = Limits(10.0, 0.5, 0.2)
    row = msgspec.structs.replace(budget.begin(limits, 100.0), workers={name: 100.0})
    row, lease = budget.take(row, limits, worker=budget.named("b", limits), now=100.0)
    assert lease.interval == 0.1
    assert budget.refuse(row, limits, started=101.0, now=101.0).rate in (5.0, 0.2)


@pytest.mark.parametrize(("seconds", "after"), [(0.4, Step.START), (2.9, Step.START), (10.0, Step.TAKE)])
def test_slots_of_a_process_that_was_stopped_while_it_took_them_are_lost(seconds, after):
    holder = Holder()
    holder.took(budget.Lease(100.0, 0.01, 8, 0), 100.0 + seconds)
    assert holder.step(100.0 + seconds) is after
