"""The end of a run at destinations whose contents are replaced: after all rows, the earlier contents leave."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.destination import AppendOnlyDestination, Step

__all__ = ["CLOSING", "Closing"]

#: The route of the batch without rows that ends a run.
CLOSING: Final = "closing"

logger = logging.getLogger("target-mailing.delivery")


class Closing:
    """The destinations whose contents this run replaces, until they are closed."""

    def __init__(self) -> None:
        #: Queue -> whether any row was delivered there.
        self._open: dict[DestinationQueue, bool] = {}

    def add(self, queue: DestinationQueue) -> None:
        """Add the queue of a destination, if its contents are replaced."""
        if isinstance(queue.destination, AppendOnlyDestination) and queue.destination.replaces_contents:
            self._open[queue] = False

    def holds_state(self) -> bool:
        """Whether no STATE may leave, because the run takes effect only as a whole."""
        return bool(self._open)

    def ended(self, queue: DestinationQueue, action: str, route: str, delivered: int) -> None:
        """A batch has ended, with so many rows delivered."""
        if route == CLOSING:
            del self._open[queue]
        elif queue in self._open and action != queue.destination.actions.ask:
            self._open[queue] |= delivered > 0

    def steps(self, *, is_whole: bool) -> list[tuple[DestinationQueue, Sequence[Step]]]:
        """The steps that remove earlier contents, by queue, after all rows have ended and nothing failed.

        Where nothing was delivered, earlier contents stay, and STATE waits no longer.

        Args:
            is_whole: nothing indicates that the input was cut off.

        Raises:
            DeliveryFailed: the input may have been cut off.
        """
        steps: list[tuple[DestinationQueue, Sequence[Step]]] = []
        for queue, has_delivered in list(self._open.items()):
            destination = queue.destination
            if not has_delivered:
                logger.warning("No row was delivered to %s; its earlier contents stay", destination.name)
                del self._open[queue]
            elif isinstance(destination, AppendOnlyDestination):
                steps.append((queue, destination.closing()))
        if steps and not is_whole:
            raise DeliveryFailed(
                "The input ended without a STATE after its last row, so it may have been cut off. The contents of "
                "earlier runs stay, beside those delivered now. Rerun with the complete input."
            )
        return steps
