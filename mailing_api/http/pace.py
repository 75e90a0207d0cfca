"""The rate of requests: additive increase, multiplicative decrease, without any header from the provider."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable

from mailing_api.http.budget import Limits
from mailing_api.http.traffic import Traffic

__all__ = ["Pace"]

_WINDOW = 2.0  # seconds over which the present rate is measured


class Pace:
    """The rate of requests of one account, shared by all its threads.

    Until the provider first refuses a request as one too many, only `max_per_second` and `most` limit it. From then on
    each refusal halves the rate (once for the requests that were in flight together), and each second of success adds
    `increase` requests per second to it.
    """

    def __init__(
        self,
        max_per_second: float | None = None,
        *,
        most: int | None = None,
        within: float = 1.0,
        rate: float | None = None,
        increase: float = 0.5,
        floor: float = 0.2,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make a pace.

        Args:
            max_per_second: the greatest rate in requests per second; None for no such limit.
            most: the greatest number of requests in any `within` seconds; None for no such limit.
            within: the seconds for `most`.
            rate: the rate to begin with; None for the greatest.
            increase: requests per second that each second without a refusal adds.
            floor: the least rate in requests per second.
            clock: monotonic seconds.
            sleep: waits for that many seconds.
        """
        self._limit = max_per_second
        self._most = most
        self._within = within
        self._starts: deque[float] | None = deque(maxlen=most) if most else None
        self._increase = increase
        self._floor = floor
        self.clock = clock
        self.sleep = sleep
        self._lock = threading.Lock()
        self._rate = max_per_second if rate is None else rate
        self._next = 0.0
        self._decreased_at = float("-inf")
        self._grown_at = 0.0 if rate is None else clock()
        self._recent: list[float] = []

    @property
    def limits(self) -> Limits:
        """What limits the rate, where requests begin at even intervals."""
        # One less in a window: requests may arrive closer to each other than they were sent.
        each = None if self._most is None else max(1, self._most - 1) / self._within
        rates = [rate for rate in (self._limit, each) if rate is not None]
        return Limits(min(rates, default=None), self._increase, self._floor)

    def part(self, sharing: int, rate: float) -> Pace:
        """Return a pace for one of several processes that cannot agree.

        Its first request is at a random time within its interval, since all of them may begin at once.

        Args:
            sharing: the processes.
            rate: of all of them to begin with, in requests per second.
        """
        floor = self._floor / sharing
        begins = max(floor, rate / sharing)
        part = Pace(
            None if self._limit is None else max(floor, self._limit / sharing),
            most=None if self._most is None else max(1, self._most // sharing),
            within=self._within,
            rate=begins,
            increase=self._increase / sharing,
            floor=floor,
            clock=self.clock,
            sleep=self.sleep,
        )
        part._next = self.clock() + random.random() / begins  # noqa: S311
        return part

    @property
    def rate(self) -> float | None:
        """Requests per second allowed now; None for no limit."""
        return self._rate

    def wait(self, traffic: Traffic | None = None) -> float:
        """Wait for this thread's turn; return the time at which the request starts, for `refused`.

        Args:
            traffic: counts the time.
        """
        with self._lock:
            now = self.clock()
            start = max(now, self._next)
            if self._starts is not None:
                if len(self._starts) == self._starts.maxlen:
                    start = max(start, self._starts[0] + self._within)
                self._starts.append(start)
            if self._rate is not None:
                self._next = start + 1.0 / self._rate
            self._recent.append(start)
            if len(self._recent) > 1 and self._recent[0] < now - _WINDOW:
                self._recent = [at for at in self._recent if at >= now - _WINDOW]
        if start > now:
            if traffic is not None:
                traffic.waits(start - now)
            self.sleep(start - now)
        return start

    def succeeded(self) -> None:
        """Note that the provider accepted a request."""
        if self._rate is None or self._rate == self._limit:
            return
        with self._lock:
            now = self.clock()
            grown = self._rate + self._increase * max(0.0, now - self._grown_at)
            self._grown_at = now
            self._rate = grown if self._limit is None else min(grown, self._limit)

    def refused(self, started: float, retry_after: float | None = None) -> None:  # noqa: ARG002 - of a shared pace
        """Note that the provider refused the request that started at `started` as one too many.

        Args:
            started: as `wait` returned it.
            retry_after: seconds that the provider wants to be left alone; only that request waits so long.
        """
        with self._lock:
            if started <= self._decreased_at:
                return  # it was in flight when the rate was last lowered
            now = self.clock()
            rate = self._rate
            if rate is None:
                rate = max(1.0, len([at for at in self._recent if at >= now - _WINDOW]) / _WINDOW)
            self._rate = max(self._floor, rate / 2.0)
            self._decreased_at = now
            self._grown_at = now
            self._next = max(self._next, now + 1.0 / self._rate)
