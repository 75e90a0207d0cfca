"""What the journal knows of a contact."""

from __future__ import annotations

import time
from typing import Final

import msgspec

__all__ = ["Known"]

#: Seconds by which the clocks of two machines may differ.
_CLOCKS_DIFFER: Final = 3600.0


class Known(msgspec.Struct, frozen=True):
    """What the journal knows of a contact: content last submitted, and when it was confirmed, if it was."""

    fingerprint: int
    confirmed_at: float | None

    def is_confirmed_within(self, window: float) -> bool:
        """Whether it was confirmed within so many seconds. Times to come, from a clock that was wrong, do not count."""
        return self.confirmed_at is not None and -_CLOCKS_DIFFER < time.time() - self.confirmed_at < window
