"""The end of a run at destinations whose contents are replaced: after all rows, the earlier contents leave."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final

from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.removal_guard import RemovalGuard
from target_mailing.destination import AppendOnlyDestination, Step
from target_mailing.journal.journal import Journal
from target_mailing.row import Row

__all__ = ["CLOSING", "Closing"]

#: The route of the batch without rows that ends a run.
CLOSING: Final = "closing"

logger = logging.getLogger("target-mailing.delivery")


class Closing:
    """The destinations whose contents this run replaces, until they are closed."""

    def __init__(self, journal: Journal, guard: RemovalGuard) -> None:
        """Begin with none.

        Args:
            journal: remembers the contents.
            guard: decides whether the earlier ones may leave.
        """
        self._journal = journal
        self._guard = guard
        self._began = time.time()
        #: Queue -> whether any row was delivered there.
        self._open: dict[DestinationQueue, bool] = {}

    def add(self, queue: DestinationQueue) -> None:
        """Add the queue of a destination, if its contents are replaced."""
        if isinstance(queue.destination, AppendOnlyDestination) and queue.destination.replaces_contents:
            self._open[queue] = False

    def holds_state(self) -> bool:
        """Whether no STATE may leave, because the run takes effect only as a whole."""
        return bool(self._open)

    def ended(self, queue: DestinationQueue, action: str, route: str, delivered: Sequence[Row]) -> None:
        """A batch has ended, with these rows delivered."""
        if route == CLOSING:
            del self._open[queue]
        elif isinstance(queue.destination, AppendOnlyDestination) and action != queue.destination.actions.ask:
            destination = self._journal.hashes.destination_id(queue.destination.name)
            self._journal.removals.hold_contents([row.id for row in delivered], destination)
            if queue in self._open:
                self._open[queue] |= bool(delivered)

    def steps(self, *, is_whole: bool) -> list[tuple[DestinationQueue, Sequence[Step]]]:
        """The steps that remove earlier contents, by queue, after all rows have ended and nothing failed.

        Where nothing was delivered, earlier contents stay, and STATE waits no longer.

        Args:
            is_whole: nothing indicates that the input was cut off.

        Raises:
            DeliveryFailed: the input may have been cut off, or too many contacts would leave.
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
        for queue, _ in steps:
            self._guard.judge_contents(queue.destination.name, self._began)
        return steps
