"""The latest of what passed through, as much as fits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["CAP", "Latest"]

T = TypeVar("T")

CAP = 200_000
"""Rows kept; beyond it the oldest calls are forgotten."""


class Latest(Generic[T]):
    """Calls that carried rows, the latest of them."""

    def __init__(self) -> None:
        self._kept: deque[tuple[T, int]] = deque()
        self._rows = 0

    def __iter__(self) -> Iterator[T]:
        return (one for one, _ in self._kept)

    def clear(self) -> None:
        """Forget all of them."""
        self._kept.clear()
        self._rows = 0

    def add(self, one: T, rows: int) -> None:
        """Keep one call, which carried so many rows."""
        self._kept.append((one, rows))
        self._rows += rows
        while self._rows > CAP and len(self._kept) > 1:
            self._rows -= self._kept.popleft()[1]
