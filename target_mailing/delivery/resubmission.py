"""Batches that are sent again after lost replies: whole, then in halves, at last row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from target_mailing.delivery.batch import Batch, Verdict
from target_mailing.delivery.calls import Calls
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.following import Following
from target_mailing.delivery.lost_rows import MAX_LOST, judged_alone
from target_mailing.delivery.slots import Slots
from target_mailing.interface.destination import Finished, Refusal

__all__ = ["Resubmission"]


@dataclass(frozen=True)
class Resubmission:
    """What is done with a batch whose reply was lost, and of which no job was found.

    Attributes:
        calls: to clean up after its steps.
        slots: in which it is.
        following: of batches that wait.
        counts: of the run's events.
        go_on: take the next step of a batch, this one or another.
        over: takes a batch that is not sent again.
    """

    calls: Calls
    slots: Slots
    following: Following
    counts: Counter[str]
    go_on: Callable[[Batch], None]
    over: Callable[[Batch, Verdict], None]

    def submit(self, batch: Batch) -> None:
        """Send a batch again, which has a slot."""
        batch.lost += 1
        batch.losses = batch.losses.and_now(batch.queue.answered.at)
        if batch.lost < MAX_LOST:
            self.counts["resubmitted"] += 0 if batch.step.prepares else len(batch.rows)
            self.calls.rewind(batch, lambda: self.go_on(batch))
        elif len(batch.rows) > 1:  # the connection may be cut because the batch is too large
            reason = f"no response to {MAX_LOST} submissions"
            finished = Finished(unresolved=True, absent=batch.step.prepares, reason=reason)
            self.calls.undo(batch, lambda: self.over(batch, finished))
        else:
            self.judge(batch)

    def judge(self, batch: Batch) -> None:
        """A single row was never answered, perhaps while the provider answers other requests."""
        queue, has_waited = batch.queue, batch.waits
        batch.waits = False
        has_next = self.slots.has_next(queue)
        others = self.slots.taken(queue) - self.following.waiting(queue) - 1
        verdict = judged_alone(batch, has_others=has_next or others > 0)
        if verdict is None:
            self.over(batch, DeliveryFailed(f"No response after {MAX_LOST} attempts to send a single row."))
        elif isinstance(verdict, Refusal):
            self.over(batch, verdict)
        elif verdict == "send" and has_waited:
            self.go_on(batch)
        else:
            batch.rewind()
            batch.waits = True
            if has_next:
                self.go_on(self.slots.swap(batch))
            else:
                self.following.again(batch, queue.settings.poll_max_interval)
