"""The end of a run at destinations whose contents are replaced: after all rows, the earlier contents leave."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.removal_guard import RemovalGuard
from target_mailing.interface.destination import AppendOnlyDestination, Step
from target_mailing.journal.journal import Journal
from target_mailing.rows.row import Row

__all__ = ["CLOSING", "Closing"]

#: The route of the batch without rows that ends a run.
CLOSING: Final = "closing"

logger = logging.getLogger("target-mailing.delivery")


class Closing:
    """The destinations whose contents this run replaces, until they are closed.

    Attributes:
        is_whole: nothing indicates that the input was cut off; once it has ended.
    """

    def __init__(self, journal: Journal, guard: RemovalGuard) -> None:
        """Begin with none.

        Args:
            journal: remembers the contents.
            guard: decides whether the earlier ones may leave.
        """
        self._hashes = journal.hashes
        self._removals = journal.removals
        self._guard = guard
        self.is_whole = False
        self._began = time.time()
        #: Queue -> whether any row was delivered there.
        self._open: dict[DestinationQueue, bool] = {}
        #: Those whose earlier contents have begun to leave.
        self._leaving: set[DestinationQueue] = set()

    def add(self, queue: DestinationQueue) -> None:
        """Add the queue of a destination, if its contents are replaced."""
        if isinstance(queue.destination, AppendOnlyDestination) and queue.destination.replaces_contents:
            self._open[queue] = False

    def holds_state(self) -> bool:
        """Whether no STATE may leave, because the run takes effect only as a whole."""
        return bool(self._open)

    def replaced(self) -> dict[DestinationQueue, float]:
        """The destinations whose earlier contents are to leave, and before when these were delivered (Unix seconds)."""
        return {queue: self._began for queue, has_delivered in self._open.items() if has_delivered and self.is_whole}

    def begins(self, batch: Batch) -> None:
        """A step begins: with the second one of those that take earlier contents off, these are noted as removed."""
        if batch.route == CLOSING and batch.position and batch.queue not in self._leaving:
            self._leaving.add(batch.queue)
            allowance = self._guard.allowance_of(batch.queue)
            self._removals.note_contents(self._id(batch.queue), allowance=allowance)

    def ends(self, batch: Batch, delivered: Sequence[Row], possible: Sequence[Row] = ()) -> None:
        """A batch ends, which is noted only after this: if the run is killed between, it is known who arrived.

        Args:
            batch: of this run or an earlier one.
            delivered: its rows that were delivered.
            possible: those that may have been.
        """
        queue, destination = batch.queue, batch.queue.destination
        if batch.route == CLOSING and not batch.recovered:
            del self._open[queue]
            self._removals.contents.forget(self._id(queue), self._began)
            self._guard.replaced(queue)
        elif isinstance(destination, AppendOnlyDestination) and batch.action != destination.actions.ask:
            # Rows of an earlier run arrived before this one; whether they were all that was to be there is not known.
            at, replaces = (self._began - 1.0, False) if batch.recovered else (self._began, queue in self._open)
            for rows in (possible, delivered):
                is_certain = rows is delivered
                self._removals.contents.hold(rows, self._id(queue), at=at, replaces=replaces, is_certain=is_certain)
            if queue in self._open and not batch.recovered:
                self._open[queue] |= bool(delivered)

    def steps(self) -> list[tuple[DestinationQueue, Sequence[Step]]]:
        """The steps that remove earlier contents, by queue, after all rows have ended and nothing failed.

        Where nothing was delivered, earlier contents stay, and STATE waits no longer.

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
        if steps and not self.is_whole:
            raise DeliveryFailed(
                "The input ended without a STATE after its last row, so it may have been cut off. The contents of "
                "earlier runs stay, beside those delivered now. Rerun with the complete input."
            )
        return steps

    def _id(self, queue: DestinationQueue) -> int:
        return self._hashes.destination_id(queue.destination.name)
