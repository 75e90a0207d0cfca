"""A store of shared paces in memory, with a clock that only waiting moves."""

from __future__ import annotations

from mailing_api.http.pace import Pace
from mailing_api.http.shared_pace import AwayError, Budget


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Memory:
    """Rows in memory; may be away, takes its time for each answer, and counts what it is asked."""

    def __init__(self, clock, seconds=0.0):
        self.clock = clock
        self.seconds = seconds
        self.calls = 0
        self.rows = {}
        self.is_there = True
        self.offset = 5000

    def read(self, name):
        if not self.is_there:
            raise AwayError
        self.calls += 1
        assert self.calls < 100_000, "it is asked again and again"
        self.clock.sleep(self.seconds / 2)
        answer = (self.clock() + self.offset, *self.rows.get(name, (0, None)))
        self.clock.sleep(self.seconds / 2)
        return answer

    def swap(self, name, revision, row):
        self.calls += 1
        self.clock.sleep(self.seconds)
        if self.rows.get(name, (0,))[0] != revision:
            return False
        self.rows[name] = (revision + 1, row)
        return True

    def close(self):
        self.is_there = False


def shared(store, clock, limit=4.0, **options):
    """The pace of another process."""
    return Budget(store).share(Pace(limit, clock=clock, sleep=clock.sleep, **options), "provider account")
