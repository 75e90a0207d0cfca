"""Processes that share a pace while they come, go and freeze, and while the store goes away and its clock is put."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from functools import partial
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailing_api.http import pace as pace_module
from mailing_api.http import shared_pace
from mailing_api.http.budget import FRESH, GRACE, SPAN
from mailing_api.http.pace import Pace
from mailing_api.http.shared_pace import Budget
from tests.searching import examples
from tests.shared_paces import Memory

#: Seconds that a world lasts.
LASTS = 150.0


class Ended(BaseException):
    """The process ends where it waits."""


class StoreClock:
    """The store's clock; its answers take no time."""

    def __init__(self, world):
        self.world = world

    def __call__(self):
        return self.world.now

    def sleep(self, seconds):
        """Answer at once."""


class World:
    """Processes, of which one runs at a time: whoever waits hands over to the one that is next to wake."""

    def __init__(self, seed):
        self.now = 0.0
        self.random = random.Random(seed)
        self.store = Memory(StoreClock(self))
        self.store.offset = 1e9  # put back several times, it is still above 0
        self.order = itertools.count()
        self.waking = []
        self.here = threading.local()
        self.back = threading.Semaphore(0)
        self.processes = []
        self.starts = []
        #: The pauses that the provider requests with its next refusals; 0 for none.
        self.asks = []
        self.refusals = []
        self.errors = []

    def __call__(self):
        return self.now + getattr(self.here, "ahead", 0.0)

    def sleep(self, seconds):
        """Wait as a process; the store's own waiting takes no time here."""
        if seconds <= 0:
            return
        process = self.here.process
        self.wake(process, self.now + seconds)
        self.back.release()
        process.turn.acquire()
        if process.is_ended:
            raise Ended

    def wake(self, process, at):
        heapq.heappush(self.waking, (at, next(self.order), process))

    def do(self, at, deed):
        """Have something happen at that time."""
        heapq.heappush(self.waking, (at, next(self.order), deed))

    def run(self, until):
        while self.waking and self.waking[0][0] <= until:
            at, _, what = heapq.heappop(self.waking)
            self.now = max(self.now, at)
            if not isinstance(what, Process):
                what()
            elif what.frozen_until > self.now:
                self.wake(what, what.frozen_until)
            else:
                what.go()
        self.now = until

    def end(self):
        for process in self.processes:
            process.was_killed, process.is_ended = process.is_ended, True
            if process.thread.is_alive():
                process.go()
                process.thread.join()
        assert not self.errors


class Process:
    """Begins requests as fast as its pace lets it."""

    def __init__(self, world, limit):
        self.world = world
        self.turn = threading.Semaphore(0)
        self.is_ended = False
        self.frozen_until = 0.0
        self.ahead = world.random.random() * 1000
        self.starts = []
        self.pace = Budget(world.store).share(Pace(limit, clock=world, sleep=world.sleep), "account")
        self.thread = threading.Thread(target=self.work, daemon=True)
        world.processes.append(self)
        world.wake(self, world.now)

    def go(self):
        if not self.thread.is_alive() and self.is_ended:
            return
        if self.thread.ident is None:
            self.thread.start()
        else:
            self.turn.release()
        self.world.back.acquire()

    def work(self):
        here = self.world.here
        here.process, here.ahead = self, self.ahead
        try:
            while not self.is_ended:
                began = self.pace.wait()
                self.starts.append(self.world.now)
                self.world.starts.append(self.world.now)
                self.world.sleep(0.01)
                if not self.world.asks:
                    self.pace.succeeded()
                else:
                    retry_after = self.world.asks.pop()
                    self.pace.refused(began, retry_after)
                    self.world.refusals.append((self.world.now, retry_after))
        except Ended:
            pass
        except BaseException as error:  # noqa: BLE001 - told by the world
            self.world.errors.append(error)
        finally:
            self.world.back.release()


def most_above(starts, rate):
    """By how many requests any window has more than that rate allows."""
    most = least = 0.0
    for count, at in enumerate(starts):
        least = min(least, count - at * rate)
        most = max(most, count + 1 - at * rate - least)
    return most


times = st.floats(1.0, 50.0)
deeds = st.lists(
    st.tuples(
        st.sampled_from(["come", "kill", "freeze", "away", "empty", "refuse", "retry", "put"]),
        times,
        st.floats(0.2, 15.0),
    ),
    max_size=8,
)


def lived(limits, deeds, seed):
    """A world in which all that happened."""
    world = World(seed)
    with mock.patch.object(pace_module, "random", world.random), mock.patch.object(shared_pace, "random", world.random):
        for limit in limits:
            Process(world, limit)
        for deed, at, seconds in deeds:
            world.do(at, partial(happens, world, limits, deed, seconds))
        try:
            world.run(LASTS)
        finally:
            world.end()
    return world


def happens(world, limits, deed, seconds):
    """Something that befalls one of the processes, or the store."""
    process = world.random.choice(world.processes)
    match deed:
        case "come":
            Process(world, world.random.choice(limits))
        case "kill":
            process.is_ended = sum(not each.is_ended for each in world.processes) > 1 or process.is_ended
        case "freeze":
            process.frozen_until = world.now + seconds
        case "away":
            world.store.is_there = False
            world.do(world.now + seconds, lambda: setattr(world.store, "is_there", True))
        case "empty":
            world.store.rows.clear()
        case "put":
            world.store.offset += world.random.choice([-3600.0, -5.0, 5.0, 3600.0])
        case _:
            world.asks.append(seconds if deed == "retry" else 0.0)


@pytest.mark.machine
@settings(max_examples=examples(20, 500), deadline=None)
@given(st.lists(st.sampled_from([1.0, 3.0, 8.0]), min_size=1, max_size=4), deeds, st.integers(0, 99))
@example([3.0, 1.0, 1.0, 1.0], [("freeze", 1.0, 1.0), ("away", 1.0, 2.0), ("retry", 3.0, 1.0), ("put", 4.0, 1.0)], 1)
def test_whatever_happens_the_limit_is_kept_and_all_continue(limits, deeds, seed):
    world = lived(limits, deeds, seed)
    names = [deed for deed, *_ in deeds]
    # What the store forgets, and slots of which two clocks tell, may be used twice.
    twice = sum(name in {"empty", "put", "away"} for name in names)
    burst = max(limits) * (SPAN + GRACE + FRESH) + len(world.processes)
    # Processes that begin while the store is away do not know of each other.
    apart = sum(seconds for deed, _, seconds in deeds if deed == "away") * max(limits) * (len(world.processes) - 1)
    assert most_above(world.starts, max(limits)) <= burst * (1 + twice) + apart
    if not twice:
        for refused, lasts in world.refusals:
            assert not [at for at in world.starts if refused + FRESH < at < refused + lasts - 0.01]
    for process in world.processes:
        assert process.was_killed or process.starts[-1] > LASTS - 30
