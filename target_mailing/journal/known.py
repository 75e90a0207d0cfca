"""A contact in the journal."""

from __future__ import annotations

import time
from typing import Final

import msgspec

__all__ = ["CLOCKS_DIFFER", "Known", "confirmed_within"]

#: Seconds by which the clocks of two machines may differ.
CLOCKS_DIFFER: Final = 3600.0


class Known(msgspec.Struct, frozen=True):
    """A contact in the journal.

    Attributes:
        fingerprint: of the content last submitted.
        confirmed_at: when it was confirmed (Unix seconds); None if it was not.
        streams: the bits of the streams by which it was put there; see `JournalStreams`.
    """

    fingerprint: int
    confirmed_at: float | None
    streams: int = 0


def confirmed_within(window: float) -> tuple[float, float]:
    """After and before which times a contact was confirmed in the last `window` seconds; all in Unix seconds.

    A time that is far in the future comes from a wrong clock.
    """
    now = time.time()
    return now - window, now + CLOCKS_DIFFER
