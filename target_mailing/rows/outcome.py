"""How a row of the input can end."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Outcome"]


class Outcome(StrEnum):
    """How a row can end. If a line makes several rows, the first of these outcomes is the line's."""

    REJECTED = "rejected"
    WITHHELD = "withheld"
    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"
