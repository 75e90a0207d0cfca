"""Which calls were answered meanwhile: what goes through now may show that what failed was not the provider's fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["answered_calls", "note_answered"]

_answered: ContextVar[set[str] | None] = ContextVar("answered", default=None)


def note_answered(call: str) -> None:
    """A call, named by its method and route, did what it was to do, or found that there is nothing to read."""
    answered = _answered.get()
    if answered is not None:
        answered.add(call)


@contextmanager
def answered_calls() -> Iterator[set[str]]:
    """Collect the calls that are answered within, in this thread; for whoever collects around it, too."""
    outer, inner = _answered.get(), set[str]()
    token = _answered.set(inner)
    try:
        yield inner
    finally:
        _answered.reset(token)
        if outer is not None:
            outer |= inner
