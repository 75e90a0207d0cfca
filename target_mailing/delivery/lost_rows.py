"""Batches of one row whose submission was never answered: whether the row is to blame for that."""

from __future__ import annotations

from typing import Final, Literal

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.row_size import is_large, too_large
from target_mailing.destination import Refusal

__all__ = ["MAX_LOST", "judged_alone"]

#: Times that a submission's reply may be lost before the batch is cut in halves.
MAX_LOST: Final = 3


def judged_alone(batch: Batch, *, has_others: bool) -> Refusal | Literal["later"] | None:
    """Why the row is refused; or that it is tried once more later; None where that is not known to be its fault.

    It may be too large. Where servers fail, each time and once more after a while, it is to blame if another submission
    to the same destination was answered meanwhile.

    Args:
        batch: of one row, whose reply was lost `MAX_LOST` times or more.
        has_others: other batches of its destination wait to begin.
    """
    queue, size = batch.queue, len(batch.rows[0].contact)
    if is_large(size, queue.answered.size):
        return too_large(size, f"no answer came in {MAX_LOST} attempts, while others were answered")
    if batch.lost_to is None or batch.lost_to < 500:
        return None
    is_answered = queue.answered.at > batch.budget.lost_at
    if batch.lost == MAX_LOST:
        return "later" if is_answered or has_others or queue.under_way > 1 else None
    if not is_answered:
        return None
    why = f"HTTP {batch.lost_to} each time that it was sent by itself, while other batches were taken"
    return Refusal("unconfirmed", why)
