"""A gate that only lets reading requests through, and counts the calls of a run that would also write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local
from typing import Final

from mailing_api.errors import WriteRefused

__all__ = ["ReadOnly", "let_through"]

#: Methods that never write.
_READING: Final = frozenset({"GET", "HEAD"})


class ReadOnly:
    """The gate of the clients of one account. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls = 0
        self._aside = local()

    @property
    def calls(self) -> int:
        """Calls that were made, and those that were foreseen."""
        return self._calls

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Calls of this thread are not counted until the block ends: a run that writes does not make them."""
        self._aside.is_on = True
        try:
            yield
        finally:
            self._aside.is_on = False

    def foresee(self, calls: int) -> None:
        """Count calls that a run which writes would make, and this one does not."""
        if not getattr(self._aside, "is_on", False):
            with self._lock:
                self._calls += calls


def let_through(gate: ReadOnly | None, name: str, method: str, *, reads: bool) -> None:
    """Let a request through a gate, or refuse one that may write.

    Args:
        gate: None for a run that may write.
        name: the request, for the message.
        method: HTTP method.
        reads: it only reads, although its method may write.

    Raises:
        WriteRefused: it may write.
    """
    if gate is None:
        return
    if not reads and method not in _READING:
        raise WriteRefused(f"{name}: not sent, because this run only reads.")
    gate.foresee(1)
