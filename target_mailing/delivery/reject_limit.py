"""The limit of `max_rejected`: how many rejects are too many, and when that is certain; pure."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from mailing_api.counted import counted
from mailing_api.errors import ConfigurationError
from mailing_api.settings import shown

__all__ = ["RejectLimit", "Verdict", "reject_limit"]

#: Rows read before a share is judged finally; at the end of the input it always is.
_JUDGED_FROM: Final = 1000
#: Rejects from which a share can fail a run: of a few rows, a share means little.
_LEAST_REJECTS: Final = 10


class Verdict(msgspec.Struct, frozen=True):
    """The limit applied to a run so far.

    Attributes:
        exceeded: too many rows were rejected so far, so nothing is sent and no STATE leaves.
        final: later rows cannot change that.
    """

    exceeded: bool
    final: bool


class RejectLimit:
    """How many rejects are too many."""

    def __init__(self, *, count: int | None = None, share: float | None = None) -> None:
        """Make a limit of a number of rows, or of a share of them (0 to 1)."""
        self._count = count
        self._share = share

    def is_exceeded(self, rejected: int, rows: int, *, strict: bool = False) -> bool:
        """Whether so many rejects of so many rows exceed the limit.

        A share is exceeded from ten rejects on, unless it is zero, every row was rejected, or it is to be `strict`.
        """
        if self._count is not None:
            return rejected > self._count
        if self._share is None or rejected <= self._share * rows:
            return False
        return strict or rejected >= _LEAST_REJECTS or self._share == 0 or rejected == rows

    def judge(
        self, rejected: int, *, rejected_again: int, read: int, read_again: int, whole: bool, strict: bool
    ) -> Verdict:
        """Judge a run.

        Args:
            rejected: rows rejected so far.
            rejected_again: rejected rows that were rejects before; a share ignores them.
            read: rows read so far, ended or not.
            read_again: rows read that were rejects before.
            whole: no more rows will come.
            strict: a few rejects matter, too, because contacts that are not delivered are removed.
        """
        if self._count is not None:
            exceeded = self.is_exceeded(rejected, read)
            return Verdict(exceeded, exceeded)
        exceeded = self.is_exceeded(rejected - rejected_again, read - read_again, strict=strict)
        return Verdict(exceeded, exceeded and (whole or self._share == 0 or read >= _JUDGED_FROM))

    def __str__(self) -> str:
        return counted(self._count, "row") if self._count is not None else f"{100 * (self._share or 0):g}% of the rows"


def reject_limit(value: Any) -> RejectLimit:
    """The limit of `max_rejected`.

    Raises:
        ConfigurationError: neither a number of rows nor a share.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return RejectLimit(count=value)
    if isinstance(value, str):
        if match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value):
            return RejectLimit(share=float(match[1]) / 100.0)
        if value.strip().isdecimal():
            return RejectLimit(count=int(value))
    raise ConfigurationError(
        f"Setting `max_rejected` is {shown(value)}; give a number of rows, or a share such as 10%."
    )
