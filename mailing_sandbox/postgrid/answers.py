"""Idempotency keys: the answers that a repeated create gets again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailing_sandbox.postgrid.body import read
from mailing_sandbox.postgrid.refusal import invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailing_sandbox.provider import Call, Reply

WINDOW = 86_400.0
"""Seconds that an answer is kept (a third-party manual says 24 hours)."""


class Answer(NamedTuple):
    """One answer, the call that it was given to, and when."""

    reply: Reply
    call: Call
    at: float


class Answers:
    """The answers of the last day, by path and key."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Answer] = {}

    def clear(self) -> None:
        """Forget all of them."""
        self._kept.clear()

    def once(self, call: Call, now: float, work: Callable[[], Reply], *, strict: bool) -> Reply:
        """Work a call, or answer as its key was answered; `strict` refuses the key with another body.

        A refused call raises, so that its key stays free.
        """
        key = call.headers.get("idempotency-key", "")
        if not key:
            return work()
        while self._kept and (oldest := next(iter(self._kept))) and self._kept[oldest].at <= now - WINDOW:
            del self._kept[oldest]
        known = self._kept.get((call.path, key))
        if known is None:
            reply = work()
            self._kept[call.path, key] = Answer(reply, call, now)
            return reply
        if strict and not alike(known.call, call):
            raise invalid("the idempotency key was used with another body.")
        return known.reply


def alike(one: Call, other: Call) -> bool:
    """Tell whether two calls are the same request; each multipart body has a boundary of its own."""
    return one.body == other.body or read(one).fields == read(other).fields
