"""API keys: which data they open, what they may do, how fast they may call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailing_sandbox.postgrid.refusal import Refusal

if TYPE_CHECKING:
    from mailing_sandbox.clock import Clock
    from mailing_sandbox.postgrid.switches import Switches

TEST_KEY = "test_sk_sandbox"
LIVE_KEY = "live_sk_sandbox"


@dataclass(slots=True)
class Key:
    """One key. `until` is the Unix time at which it ends; `left` and `seen` are the state of its rate limit."""

    live: bool
    read_only: bool = False
    until: float | None = None
    left: float | None = None
    seen: float = 0.0


class Keys:
    """All keys that are accepted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys = {TEST_KEY: Key(live=False), LIVE_KEY: Key(live=True)}

    def add(self, key: str, *, read_only: bool = False, seconds: float | None = None) -> None:
        """Accept a key, for `seconds` only if told; ValueError unless its beginning says which data it opens."""
        if not key.startswith(("test_", "live_")):
            raise ValueError("a key begins with test_ or live_")
        until = None if seconds is None else self._clock.now() + seconds
        self._keys[key] = Key(live=key.startswith("live_"), read_only=read_only, until=until)

    def remove(self, key: str) -> bool:
        """Accept a key no longer; False when it was unknown."""
        return self._keys.pop(key, None) is not None

    def check(self, given: str, *, writes: bool) -> Key:
        """Return the key of a call, or refuse it. The message repeats the key, as PostGrid does."""
        if not given:
            raise Refusal(401, "missing_auth_error", "No API key was supplied")
        key = self._keys.get(given)
        if key is None or (key.until is not None and key.until <= self._clock.now()):
            raise Refusal(401, "invalid_api_key_error", f"Invalid API key {given}")
        if writes and key.read_only:
            raise Refusal(401, "permission_missing_error", "This API key lacks the permission to write")
        return key

    def pace(self, key: Key, switches: Switches) -> None:
        """Take one call from the key's bucket, which refills by the emulated time; refuse it when that is empty."""
        if not switches.postgrid_rate:
            key.left = None
            return
        now = self._clock.now()
        most = max(float(switches.postgrid_burst), 1.0)
        left = most if key.left is None else min(most, key.left + (now - key.seen) * switches.postgrid_rate)
        key.seen = now
        key.left = left
        if left < 1:
            wait = switches.postgrid_retry_after
            headers = {"Retry-After": str(wait)} if wait else None
            raise Refusal(429, "rate_limit_exceeded_error", "Too many requests", headers)
        key.left = left - 1
