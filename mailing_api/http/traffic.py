"""How much was asked of a provider: calls, retries, refusals as too many, and the time spent waiting to be let in."""

from __future__ import annotations

from threading import Lock

import msgspec

__all__ = ["Traffic", "TrafficTotals"]


class TrafficTotals(msgspec.Struct, frozen=True):
    """The counts up to a moment.

    Attributes:
        calls: HTTP requests that were sent, retries among them.
        retries: those that repeated one that had failed or was refused.
        throttled: calls that the provider refused as too many: HTTP 429, and what means the same.
        waited: seconds that calls waited for their turn at the account's pace, or before a retry. Calls that wait at
            the same time count one by one, so that it may exceed the time that passed.
    """

    calls: int = 0
    retries: int = 0
    throttled: int = 0
    waited: float = 0.0


class Traffic:
    """Counts the calls of the clients that it is given to. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls = self._retries = self._throttled = 0
        self._waited = 0.0

    @property
    def totals(self) -> TrafficTotals:
        """The counts up to now."""
        with self._lock:
            return TrafficTotals(self._calls, self._retries, self._throttled, self._waited)

    def sent(self) -> None:
        """A request is sent."""
        with self._lock:
            self._calls += 1

    def throttled(self) -> None:
        """The provider refused a request as one too many."""
        with self._lock:
            self._throttled += 1

    def waits(self, seconds: float) -> None:
        """A request waits so many seconds for its turn."""
        with self._lock:
            self._waited += seconds

    def retries(self, seconds: float) -> None:
        """A request is repeated after so many seconds."""
        with self._lock:
            self._retries += 1
            self._waited += seconds
