"""Which batches of an earlier run are resumed."""

from __future__ import annotations

from collections.abc import Sequence

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.closing import CLOSING
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.interface.destination import Destination, Finished, Step
from target_mailing.journal.journal import StoredBatch
from target_mailing.rows.row import Row

__all__ = ["arrivals", "can_resume"]


def can_resume(destination: Destination, stored: StoredBatch, steps: Sequence[Step]) -> bool:
    """Whether a batch of an earlier run is followed to its end; otherwise its rows come again and are sent again.

    Args:
        destination: of the batch.
        stored: the batch as the journal has it.
        steps: of its route, by the settings of this run.

    Raises:
        ConfigurationError: it should be followed, but these settings do not allow it.
        DeliveryFailed: a step was begun that this version no longer has, so its result is unknown.
    """
    if stored.route == CLOSING or not stored.steps or not destination.can_resume(stored.route, stored.steps.keys()):
        return False
    begun = [step for step in steps if step.name in stored.steps]
    if not all(step.repeatable for step in begun):
        return True
    last = destination.read_back(Finished(), ())
    if unknown := stored.steps.keys() - {step.name for step in (*begun, *([last] if last else []))}:
        raise DeliveryFailed(
            f"Batch {stored.number} of an earlier run was left at step {min(unknown)!r}, which this version no longer "
            "has, so its result cannot be checked. Run once with the version and settings that began it."
        )
    return False


def arrivals(batch: Batch, stored: StoredBatch) -> Sequence[Row]:
    """The rows of a batch of an earlier run that may have arrived, if it is not followed."""
    return batch.rows if any(step.sends and step.name in stored.steps for step in batch.steps) else ()
