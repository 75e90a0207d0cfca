"""What is left of a batch that did not come to its end: by an earlier run, and by its steps."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mailing_api.errors import MailingError
from target_mailing.delivery.closing import CLOSING
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.destination import Destination, Finished, Step, Work
from target_mailing.journal.journal import StoredBatch

__all__ = ["can_resume", "undo"]

logger = logging.getLogger("target-mailing.delivery")


def can_resume(destination: Destination, stored: StoredBatch, steps: Sequence[Step]) -> bool:
    """Whether a batch of an earlier run is followed to its end; if not, its rows come again, and all is done again.

    Args:
        destination: of the batch.
        stored: as the journal has it.
        steps: of its route, by the settings of this run.

    Raises:
        ConfigurationError: it should be, and cannot be with these settings.
        DeliveryFailed: nobody can tell, since a step was begun that it does not have any more.
    """
    if stored.route == CLOSING or not stored.steps or not destination.can_resume(stored.route, stored.steps.keys()):
        return False
    begun = [step for step in steps if step.name in stored.steps]
    if not all(step.repeatable for step in begun):
        return True
    last = destination.read_back(Finished(), ())
    if unknown := stored.steps.keys() - {step.name for step in (*begun, *([last] if last else []))}:
        raise DeliveryFailed(
            f"Batch {stored.number} of an earlier run took a step {min(unknown)!r} that there is not any more, so that "
            "nobody can tell what became of it. Run once more with the settings and version that it was begun with."
        )
    return False


def undo(steps: Sequence[Step], work: Work) -> None:
    """Clear away what these steps left, the latest first. Where that fails it is told, and stays."""
    for step in reversed(steps):
        try:
            step.undo(work)
        except Exception as error:  # noqa: BLE001 - it tells nothing about the rows
            cause = error if isinstance(error, MailingError) else type(error).__name__
            logger.warning("What step %r left could not be cleared away: %s", step.name, cause)
