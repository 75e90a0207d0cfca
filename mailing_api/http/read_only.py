"""The wall of a client that only reads: requests that may write are refused before they are sent."""

from __future__ import annotations

from typing import Final

from mailing_api.errors import WriteRefused

__all__ = ["refuse_writing"]

#: Methods that never write.
_READING: Final = frozenset({"GET", "HEAD"})


def refuse_writing(name: str, method: str, *, reads: bool) -> None:
    """Refuse a request that may write.

    Args:
        name: the request, for the message.
        method: HTTP method.
        reads: it only reads, although its method may write.

    Raises:
        WriteRefused: it may write.
    """
    if not reads and method not in _READING:
        raise WriteRefused(f"{name}: not sent, because this run only reads.")
