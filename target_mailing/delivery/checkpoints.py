"""Which STATE may leave: bookkeeping over input line numbers, no I/O.

Every input line has a number, from 1. A line is settled when its result is final: a SCHEMA at once, a RECORD when
its row has its outcome. A STATE may leave when it and all lines before it are settled (P1), so STATE
moves to the end of the longest settled prefix, in whatever order batches finish (P2).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

__all__ = ["Ledger"]


class Ledger:
    """The settled lines: one prefix and, after it, a bit for each line, so that many gaps take no more than few."""

    def __init__(self, *, max_waiting: int = 64, block_lines: int = 8192) -> None:
        """Make a ledger with nothing settled.

        Args:
            max_waiting: STATEs kept at most. Beyond that some are dropped, so released STATEs are further apart.
            block_lines: lines whose bits are one number.
        """
        self._block_lines = block_lines
        self._prefix = 0
        #: By number, blocks of lines after the prefix: a bit is set for a line that is settled.
        self._blocks: dict[int, int] = {}
        self._waiting: list[tuple[int, Any]] = []
        self._max_waiting = max_waiting

    @property
    def prefix(self) -> int:
        """The last line such that it and every line before it are settled."""
        return self._prefix

    def settle(self, lines: Iterable[int]) -> None:
        """Settle these lines.

        Raises:
            ValueError: a line is already settled; every row has one outcome (P4).
        """
        ordered = sorted(lines)
        if ordered and ordered == [*range(ordered[0], ordered[0] + len(ordered))]:
            self._settle_run(ordered[0], ordered[-1])
            return
        start = end = 0
        for line in ordered:
            if line == end + 1 and start:
                end = line
                continue
            if start:
                self._settle_run(start, end)
            start = end = line
        if start:
            self._settle_run(start, end)

    def state(self, line: int, value: Any) -> None:
        """A STATE arrived at this line; it waits for the lines before it."""
        self._waiting.append((line, value))
        self._settle_run(line, line)
        if len(self._waiting) > self._max_waiting:
            self._thin_out()

    def release(self) -> Any | None:
        """The newest STATE that may leave and has not left, or None. Older STATEs are dropped."""
        ready = self._ready()
        if not ready:
            return None
        value = self._waiting[ready - 1][1]
        del self._waiting[:ready]
        return value

    def _ready(self) -> int:
        """How many STATEs may leave."""
        ready = 0
        while ready < len(self._waiting) and self._waiting[ready][0] <= self._prefix:
            ready += 1
        return ready

    def _thin_out(self) -> None:
        """Keep the newest STATE that may leave, and of the others those at even distances, the newest among them."""
        ready = self._ready()
        leaving, others = self._waiting[max(ready - 1, 0) : ready], self._waiting[ready:]
        if not others:
            self._waiting = leaving
            return
        # One is dropped where the next is within this distance of the one kept before: about half of them stay.
        gap, last, kept = (others[-1][0] - self._prefix) * 4 // self._max_waiting, self._prefix, others[-1:]
        for (line, value), (following, _) in pairwise(others):
            if following - last > gap:
                kept.insert(-1, (line, value))
                last = line
        self._waiting = [*leaving, *kept]

    def _settle_run(self, start: int, end: int) -> None:
        if start <= self._prefix:
            raise ValueError(f"line {start} is already settled")
        if start == self._prefix + 1 and not self._blocks:
            self._prefix = end
            return
        size = self._block_lines
        for block in range(start // size, end // size + 1):
            first, last = max(start - block * size, 0), min(end - block * size, size - 1)
            bits = ((1 << (last - first + 1)) - 1) << first
            settled = self._blocks.get(block, 0)
            if settled & bits:
                raise ValueError(f"a line from {start} to {end} is already settled")
            self._blocks[block] = settled | bits
        if start == self._prefix + 1:
            self._advance()

    def _advance(self) -> None:
        """Move the prefix to the last line before the first one that is not settled."""
        line, size = self._prefix + 1, self._block_lines
        while (block := line // size) in self._blocks:
            bits = self._blocks[block] >> line % size
            settled = (~bits & (bits + 1)).bit_length() - 1
            line += settled
            if bits >> settled:
                break
            del self._blocks[block]
        self._prefix = line - 1
