"""The throttle: so many requests a second, by the emulated time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailing_sandbox.ses.refusal import Refusal

if TYPE_CHECKING:
    from mailing_sandbox.clock import Clock
    from mailing_sandbox.ses.switches import Switches


class Throttle:
    """A bucket for every region, and every operation where quotas are counted so."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, region: str, operation: str, switches: Switches) -> None:
        """Count one request; TooManyRequestsException when there were too many. A refused one costs nothing."""
        rate = switches.ses_requests_per_second
        if not rate:
            return
        name = (region, operation if switches.ses_rate_scope == "operation" else "")
        now = self._clock.now()
        left, seen = self._buckets.get(name, (float(switches.ses_burst), now))
        left = min(float(switches.ses_burst), left + (now - seen) * rate)
        # A clock of floats must not make a client wait for the last microsecond.
        allowed = left >= 1 - 1e-6
        self._buckets[name] = (left - 1 if allowed else left, now)
        if not allowed:
            raise Refusal("TooManyRequestsException", "Too Many Requests")
