"""A contact in the journal."""

from __future__ import annotations

import time
from typing import Final

import msgspec

__all__ = ["Known"]

#: Seconds by which the clocks of two machines may differ.
_CLOCKS_DIFFER: Final = 3600.0


class Known(msgspec.Struct, frozen=True):
    """A contact in the journal.

    Attributes:
        fingerprint: of the content last submitted.
        confirmed_at: when it was confirmed (Unix seconds); None if it was not.
    """

    fingerprint: int
    confirmed_at: float | None

    def is_confirmed_within(self, window: float) -> bool:
        """Whether it was confirmed in the last `window` seconds; a future time comes from a wrong clock."""
        return self.confirmed_at is not None and -_CLOCKS_DIFFER < time.time() - self.confirmed_at < window
