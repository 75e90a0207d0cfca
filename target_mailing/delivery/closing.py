"""The end of a run at destinations whose contents are replaced: after all rows, the earlier contents leave."""

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
    """The queues whose earlier contents are to be removed, each with the steps for that. All rows have succeeded.

    Where nothing was delivered, earlier contents stay, and STATE waits no longer.

    Args:
        queues: of the run.
        is_whole: nothing indicates that the input was cut off.

    Raises:
        DeliveryFailed: the input may have been cut off.
    """
    closing = []
    for queue in queues:
        if queue.append_only is None or not queue.holds_state:
            continue
        if not queue.delivered:
            logger.warning("No row was delivered to %s; its earlier contents stay", queue.destination.name)
            queue.holds_state = False
        else:
            closing.append((queue, queue.append_only.closing()))
    if closing and not is_whole:
        raise DeliveryFailed(
            "The input ended without a STATE after its last row, so it may have been cut off. The contents of earlier "
            "runs stay, beside those delivered now. Rerun with the complete input."
        )
    return closing
