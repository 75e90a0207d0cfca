"""Whose job it is that was found for a batch of which the reply was lost."""

from __future__ import annotations

from typing import Final

from target_mailing.delivery.batch import Batch
from target_mailing.destination import Done
from target_mailing.journal.journal import Journal

__all__ = ["is_contested"]

#: Seconds during which a job may be mistaken for another batch's; more than any destination looks back for one.
_MISTAKEN_WITHIN: Final = 600.0


def is_contested(journal: Journal, batch: Batch, done: Done) -> bool:
    """Whether what was found may be another batch's: it is noted there, or nobody knows what became of that one.

    To be asked after the provider was, so that every batch whose job could be seen by then has noted its submission.
    """
    others = journal.evidence_of_others(
        batch.queue.destination.name, batch.step.name, batch=batch.number, since=batch.begun_at - _MISTAKEN_WITHIN
    )
    job = done.evidence.get("job")
    if done.certain:
        return any(noted is not None and noted.get("job") == job for noted in others)
    return any(noted is None or noted.get("lost") or noted.get("job") == job for noted in others)
