"""The limit of `max_removals`: how many contacts may be taken off a destination; pure."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from mailing_api.counted import counted
from mailing_api.errors import ConfigurationError
from mailing_api.settings import shown
from target_mailing.journal.removals import Counts

__all__ = ["RemovalLimit", "allowed_removals", "removal_limit"]

#: Contacts that may always be taken off under a share: of a small list, a share means little.
_LEAST: Final = 20
#: A share such as 0.29 is a little less than it says.
_ROUNDING: Final = 1e-6


class RemovalLimit(msgspec.Struct, frozen=True):
    """How many contacts may be taken off within a day.

    Attributes:
        count: a number; None for a share.
        share: of the contacts that the journal knows (0 to 1).
    """

    count: int | None = None
    share: float = 0.0

    @property
    def is_unlimited(self) -> bool:
        """Whether all may leave, so that nothing need wait."""
        return self.count is None and self.share >= 1.0

    def most(self, known: int) -> int:
        """How many contacts may leave where the journal knows so many."""
        if self.count is not None:
            return self.count
        return max(_LEAST, int(self.share * known + _ROUNDING)) if self.share else 0

    def is_exceeded(self, counts: Counts, known: int) -> bool:
        """Whether removals, or moved keys, are too many; those of the last day count, too."""
        removed, moved = counts.removals + counts.lately_removed, counts.moves + counts.lately_moved
        return max(removed if counts.removals else 0, moved if counts.moves else 0) > self.most(known)

    def __str__(self) -> str:
        return counted(self.count, "contact") if self.count is not None else f"{100 * self.share:g}%"


def removal_limit(value: Any) -> RemovalLimit:
    """The limit of `max_removals`.

    Raises:
        ConfigurationError: neither a number of contacts nor a share.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return RemovalLimit(count=value)
    if isinstance(value, str):
        if match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value):
            return RemovalLimit(share=float(match[1]) / 100.0)
        if value.strip().isdecimal():
            return RemovalLimit(count=int(value))
    raise ConfigurationError(
        f"Setting `max_removals` is {shown(value)}; give a number of contacts, or a share such as 10%."
    )


def allowed_removals(value: Any) -> int:
    """The number of `allow_removals_once`, 0 where it is unset.

    Raises:
        ConfigurationError: not a number of contacts.
    """
    if value is None:
        return 0
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(
            f"Setting `allow_removals_once` is {shown(value)}; give the number of contacts that the error of "
            "`max_removals` names, or leave it unset."
        )
    return value
