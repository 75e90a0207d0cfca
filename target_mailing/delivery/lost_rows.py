"""Batches of one row whose submission was never answered: whether the row is the cause."""

from __future__ import annotations

from typing import Final, Literal

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.one_by_one import UNAVAILABLE
from target_mailing.delivery.row_size import is_large, too_large
from target_mailing.interface.destination import Refusal

__all__ = ["MAX_LOST", "judged_alone"]

#: How often the reply to a submission may be lost before the batch is split in two.
MAX_LOST: Final = 3


def judged_alone(batch: Batch, *, has_others: bool) -> Refusal | Literal["send", "wait"] | None:
    """Why the row is refused; or "send" it once more, or "wait" for other batches; None to fail the run.

    It may be too large. With server errors, the row is the cause if another submission to the same destination was
    answered after it had failed, it failed once more, and another submission was answered after that. If no other batch
    is left, the first answer is enough, unless the status is that of an unavailable provider.

    Args:
        batch: of one row, whose reply was lost `MAX_LOST` times or more.
        has_others: other batches of its destination are under way, or will begin without waiting for others.
    """
    answered, size = batch.queue.answered, batch.rows[0].size
    if is_large(size, answered.size):
        return too_large(size, f"no response to {MAX_LOST} attempts, while other batches were answered")
    if batch.lost_to is None or batch.lost_to < 500:
        return None
    is_answered, is_repeated = batch.losses.is_answered(answered.at), batch.losses.is_repeated
    if not is_answered and has_others:
        return "wait"
    if not is_answered and (batch.lost_to in UNAVAILABLE or not is_repeated):
        return None
    if not (is_repeated and (is_answered or batch.lost > MAX_LOST)):
        return "send"
    return Refusal("unconfirmed", f"HTTP {batch.lost_to} each time it was sent alone, while other batches succeeded")
