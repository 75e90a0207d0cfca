"""Words that the page and its form in Markdown share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from target_mailing.report.contents import Contents

__all__ = ["STATUSES", "place_of", "title_of"]

#: Characters of a title's names.
_MOST: Final = 80

#: Statuses of jobs, and of those that completed with refused rows.
STATUSES: Final[Mapping[str, str]] = {
    "completed": "completed",
    "refused": "completed, with refused rows",
    "divided": "divided: some rows were sent again",
    "repeated": "repeated: sent again",
    "unfinished": "left for the next run",
    "submitted": "submitted, not known to have ended",
    "discarded": "discarded: its rows come again",
}


def title_of(told: Contents) -> str:
    """What the report is about."""
    return f"{'Plan for' if told.head.is_plan else 'Delivery to'} {place_of(told)}"


def place_of(told: Contents) -> str:
    """Where the rows went: the lists, if they are few and their names short."""
    names = ", ".join(told.lists)
    if len(names) <= _MOST:
        return names or told.head.provider
    return f"{len(told.lists)} lists" if len(told.lists) > 1 else f"{names[:_MOST]}…"
