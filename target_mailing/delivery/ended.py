"""How a row ends without a call."""

from __future__ import annotations

import msgspec

from target_mailing.delivery.outcomes import Outcome

__all__ = ["Ended"]


class Ended(msgspec.Struct, frozen=True):
    """A row ends without a call; with a reason it is a reject."""

    outcome: Outcome
    code: str | None = None
    reason: str | None = None
