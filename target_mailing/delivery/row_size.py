"""Rows that are too large for any call: how they are recognised, and how they end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from mailing_api.errors import MailingError, ProviderFault, Unreachable
from target_mailing.interface.destination import Refusal

__all__ = ["Answered", "is_large", "refusal_by_size", "too_large"]

#: Bytes of a row below which its size is not the cause of a closed connection.
_LARGE: Final = 1024
#: The body, the path or the headers are too large.
_STATUSES: Final = frozenset({413, 414, 431})


class Answered:
    """The answered submissions to a destination: bytes of the largest, and when the last was answered (monotonic)."""

    def __init__(self) -> None:
        self.size = 0
        self.at = -math.inf

    def note(self, size: int) -> None:
        """A submission of this size in bytes was answered just now."""
        self.size = max(self.size, size)
        self.at = time.monotonic()


def is_large(size: int, answered: int) -> bool:
    """Whether a row of this size in bytes may be too large for a call; `answered` is the largest size that was not."""
    return size > max(answered, _LARGE)


def too_large(size: int, why: str) -> Refusal:
    """The refusal of a row that is too large for a call."""
    return Refusal("too_large", f"the row is too large to send ({size:,} bytes): {why}. Shorten its values.")


def refusal_by_size(error: MailingError, *, size: int, answered: int, probe: Callable[[], object]) -> Refusal | None:
    """The refusal of a row whose call failed because of its size; None if it failed for another reason.

    Args:
        error: of a call for one row.
        size: bytes of the row.
        answered: bytes of the largest row whose calls were answered.
        probe: another call; it raises MailingError if it is not answered either.
    """
    if error.status in _STATUSES:
        return too_large(size, f"refused with HTTP {error.status}")
    is_cut = isinstance(error, ProviderFault) and error.status is None and not isinstance(error, Unreachable)
    if not is_cut or not is_large(size, answered):
        return None
    try:
        probe()
    except MailingError as other:
        if other.status is None or other.status >= 500:
            return None
    return too_large(size, "the connection was closed on every attempt")
