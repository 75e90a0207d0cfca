"""How a row ends without a call."""

from __future__ import annotations

from typing import Self

import msgspec

from target_mailing.interface.destination import Refusal
from target_mailing.rows.outcome import Outcome

__all__ = ["Ended"]


class Ended(msgspec.Struct, frozen=True):
    """The end of a row without a call; with a reason, the row is a reject."""

    outcome: Outcome
    code: str | None = None
    reason: str | None = None

    @classmethod
    def refused(cls, refusal: Refusal) -> Self:
        """The end of a row that is rejected."""
        return cls(Outcome.REJECTED, refusal.code, refusal.reason)
