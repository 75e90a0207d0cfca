"""So many requests in a window of time, and what the headers say of it (MPDX reference, rate limits)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailing_sandbox.clock import Clock
    from mailing_sandbox.mpdx.switches import Switches


class Throttle:
    """Counts requests in windows that begin with their first request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def count(self, who: str, switches: Switches) -> tuple[bool, dict[str, str]]:
        """Count a request; tell whether it is refused, and the headers of its answer."""
        limit = switches.mpdx_rate_limit
        if not limit:
            return False, {}
        now = self._clock.now()
        began, count = self._windows.get(who, (now, 0))
        if now >= began + switches.mpdx_rate_seconds:
            began, count = now, 0
        count += 1
        self._windows[who] = (began, count)
        left = str(max(1, math.ceil(began + switches.mpdx_rate_seconds - now)))
        headers = {}
        if switches.mpdx_rate_headers in ("reset", "both"):
            headers = {
                "X-RateLimit-Limit": str(limit),
                "X-RateLimit-Remaining": str(max(0, limit - count)),
                "X-RateLimit-Reset": left,
            }
        if switches.mpdx_rate_headers in ("retry_after", "both") and count > limit:
            headers["Retry-After"] = left
        return count > limit, headers
