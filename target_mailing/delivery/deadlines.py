"""How long a batch may wait for the provider."""

from __future__ import annotations

import time

from target_mailing.delivery.batch import Batch, DeliveryFailed
from target_mailing.destination import Refusal

__all__ = ["overdue"]


def overdue(batch: Batch, *, run_began: float) -> Refusal | DeliveryFailed | None:
    """Why a batch that has nothing to tell is given up, or fails the run; None while it may wait.

    What counts is the time since the call whose effect is waited for, or since a call was put off for the first time:
    however long it took to come so far.

    Args:
        batch: that waits.
        run_began: Unix seconds; an earlier run's batch is followed for as long as one of this run.
    """
    settings, now = batch.queue.settings, time.time()
    if now - batch.since > settings.job_abandon:
        return Refusal("unconfirmed", f"the job had not ended after {settings.job_abandon:.0f} s")
    if now - max(batch.since, run_began) > settings.job_timeout:
        return DeliveryFailed(
            f"Setting `job_timeout`: batch {batch.number} ({batch.jobs}) had not ended after "
            f"{settings.job_timeout:.0f} s. It is in the journal; the next run follows it again."
        )
    return None
