"""The end of a run at destinations that start over: what was there before leaves when the new has come, all of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from target_mailing.lanes import Lane
from target_mailing.under_way import DeliveryFailed

__all__ = ["CLOSING", "to_be_closed"]

#: The route of the batch without rows that ends a run.
CLOSING: Final = "closing"

logger = logging.getLogger("target-mailing.delivery")


def to_be_closed(lanes: Iterable[Lane], *, is_whole: bool) -> list[Lane]:
    """The lanes at which something is left to do after all rows have ended, and well.

    Where nothing was delivered, what was there before stays, and STATE waits no longer.

    Args:
        lanes: of the run.
        is_whole: nothing speaks against the input being all of it.

    Raises:
        DeliveryFailed: something does.
    """
    found = []
    for lane in lanes:
        if lane.holds_state and not lane.delivered:
            logger.warning("Nothing was delivered to %s, so what was there before stays", lane.destination.name)
            lane.holds_state = False
        elif lane.holds_state:
            found.append(lane)
    if found and not is_whole:
        raise DeliveryFailed(
            "The input ended without a STATE after its last row, so it may be cut off: what was there before stays, "
            "beside what was delivered now. Run again with the whole input."
        )
    return found
