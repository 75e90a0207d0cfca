"""Batches of one row whose submission was never answered: whether the row is to blame for that."""

from __future__ import annotations

from typing import Final, Literal

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.one_by_one import UNAVAILABLE
from target_mailing.delivery.row_size import is_large, too_large
from target_mailing.destination import Refusal

__all__ = ["MAX_LOST", "judged_alone"]

#: Times that a submission's reply may be lost before the batch is cut in halves.
MAX_LOST: Final = 3


def judged_alone(batch: Batch, *, has_others: bool) -> Refusal | Literal["send", "wait"] | None:
    """Why the row is refused; or that it is sent once more, or waits for others; None to end the run.

    It may be too large. Where servers fail, it is to blame if another submission to the same destination was answered
    after it had failed, it failed once more, and another one was answered after that. Where none is left that could be,
    the first of these is enough, unless the status is that of a provider that is not available.

    Args:
        batch: of one row, whose reply was lost `MAX_LOST` times or more.
        has_others: batches of its destination that do not wait like this one are under way, or wait to begin.
    """
    answered, size = batch.queue.answered, len(batch.rows[0].contact)
    if is_large(size, answered.size):
        return too_large(size, f"no answer came in {MAX_LOST} attempts, while others were answered")
    if batch.lost_to is None or batch.lost_to < 500:
        return None
    is_answered, is_repeated = batch.losses.is_answered(answered.at), batch.losses.is_repeated
    if not is_answered and has_others:
        return "wait"
    if not is_answered and (batch.lost_to in UNAVAILABLE or not is_repeated):
        return None
    if not (is_repeated and (is_answered or batch.lost > MAX_LOST)):
        return "send"
    why = f"HTTP {batch.lost_to} each time that it was sent by itself, while other batches were taken"
    return Refusal("unconfirmed", why)
