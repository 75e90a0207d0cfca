"""How long what was read of a list may be used; pure.

Consent is read before an object is written. If its job cannot be started at once, because the account is busy, the same
object is used for a while: reading a whole list again for each attempt would take most of the calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["FRESH", "is_outdated", "reading"]

#: Seconds for which contacts may be used that were read in less time.
FRESH: Final = 60.0

_READ: Final = "read"


def reading(begun_at: float, ended_at: float) -> dict[str, Any]:
    """The evidence of a reading (Unix seconds): its end, and the seconds that it took."""
    return {_READ: [ended_at, ended_at - begun_at]}


def is_outdated(evidence: Mapping[str, Mapping[str, Any]], moment: float) -> bool:
    """Whether what a step of a batch read is too old to be used at a moment (Unix seconds).

    It may be as old as its reading took, since its beginning was as old when it ended, or `FRESH` seconds. If the clock
    was put back meanwhile, it is too old.
    """
    readings = [noted[_READ] for noted in evidence.values() if _READ in noted]
    return any(not 0.0 <= moment - ended_at <= max(FRESH, took) for ended_at, took in readings)
