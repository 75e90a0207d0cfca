"""The calls that succeeded meanwhile: if the same call works now, an earlier failure was not the provider's fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["answered_calls", "note_answered"]

_answered: ContextVar[set[str] | None] = ContextVar("answered", default=None)


def note_answered(call: str) -> None:
    """Note that a call, named by its method and route, succeeded, or found that the object does not exist."""
    answered = _answered.get()
    if answered is not None:
        answered.add(call)


@contextmanager
def answered_calls() -> Iterator[set[str]]:
    """Collect the calls of this thread that are answered within; an outer collection gets them, too."""
    outer, inner = _answered.get(), set[str]()
    token = _answered.set(inner)
    try:
        yield inner
    finally:
        _answered.reset(token)
        if outer is not None:
            outer |= inner
