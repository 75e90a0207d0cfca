"""Where the intake puts rows: the queues of a delivery, or those that only compare."""

from __future__ import annotations

from typing import Protocol

from target_mailing.interface.destination import Destination
from target_mailing.rows.row import Row
from target_mailing.settings.settings import StreamSettings

__all__ = ["OpensQueues", "RowQueue"]


class RowQueue(Protocol):
    """Takes the rows of one destination."""

    @property
    def destination(self) -> Destination:
        """Of the rows."""

    def offer(self, rows: list[Row]) -> None:
        """Take rows, in order."""


class OpensQueues(Protocol):
    """Has a queue for each destination."""

    def queue(self, destination: Destination, settings: StreamSettings, *, batches_at_once: int | None) -> RowQueue:
        """The queue of a destination, made when it is first needed.

        Args:
            destination: of the rows.
            settings: of the first stream that goes there.
            batches_at_once: batches under way at the same time; None for any number.

        Raises:
            ConfigurationError: rows of this destination are not taken.
        """
