"""The end of a run at destinations that start over: what was there before leaves when the new has come, all of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.destination import Step

__all__ = ["CLOSING", "to_be_closed"]

#: The route of the batch without rows that ends a run.
CLOSING: Final = "closing"

logger = logging.getLogger("target-mailing.delivery")


def to_be_closed(
    queues: Iterable[DestinationQueue], *, is_whole: bool
) -> list[tuple[DestinationQueue, Sequence[Step]]]:
    """The queues at which something is left to do after all rows have ended, and well, each with the steps for that.

    Where nothing was delivered, what was there before stays, and STATE waits no longer.

    Args:
        queues: of the run.
        is_whole: nothing speaks against the input being all of it.

    Raises:
        DeliveryFailed: something does.
    """
    found = []
    for queue in queues:
        if queue.append_only is None or not queue.holds_state:
            continue
        if not queue.delivered:
            logger.warning("Nothing was delivered to %s, so what was there before stays", queue.destination.name)
            queue.holds_state = False
        else:
            found.append((queue, queue.append_only.closing()))
    if found and not is_whole:
        raise DeliveryFailed(
            "The input ended without a STATE after its last row, so it may be cut off: what was there before stays, "
            "beside what was delivered now. Run again with the whole input."
        )
    return found
