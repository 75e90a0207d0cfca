"""Batches whose result is unknown: which of an earlier run are resumed, and whose job was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.closing import CLOSING
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.destination import Destination, Done, Finished, Step
from target_mailing.journal.journal import Journal, StoredBatch

__all__ = ["can_resume", "is_contested"]

#: Seconds during which a job may be mistaken for another batch's; no destination looks further back for a job.
_MISTAKEN_WITHIN: Final = 600.0


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


def is_contested(journal: Journal, batch: Batch, done: Done) -> bool:
    """Whether a job found after a lost reply may be another batch's: noted there, or that batch's result is unknown.

    Call this after the provider was asked: by then every batch whose job could be listed has noted its submission.
    """
    others = journal.evidence_of_others(
        batch.queue.destination.name, batch.step.name, batch=batch.number, since=batch.begun_at - _MISTAKEN_WITHIN
    )
    job = done.evidence.get("job")
    if done.certain:
        return any(noted is not None and noted.get("job") == job for noted in others)
    return any(noted is None or noted.get("lost") or noted.get("job") == job for noted in others)
