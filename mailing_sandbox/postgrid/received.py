"""What clients sent, row by row, for tests to compare with what they meant to send."""

from __future__ import annotations

import csv
import io
from collections import deque
from typing import Any, NamedTuple

CAP = 200_000
"""Rows kept; beyond it the oldest calls are forgotten."""


class Sent(NamedTuple):
    """One call that carried rows. `about` is repeated with each of its rows; a file is taken apart only when asked."""

    about: dict[str, Any]
    size: int
    rows: list[Any]
    file: bytes | None = None


class Received:
    """The latest calls that carried rows."""

    def __init__(self) -> None:
        self._sent: deque[Sent] = deque()
        self._rows = 0

    def clear(self) -> None:
        """Forget all of them."""
        self._sent.clear()
        self._rows = 0

    def keep(self, sent: Sent) -> None:
        """Keep one call."""
        self._sent.append(sent)
        self._rows += sent.size
        while self._rows > CAP and len(self._sent) > 1:
            self._rows -= self._sent.popleft().size

    def rows(self) -> list[dict[str, Any]]:
        """Return every row kept: `route`, `live`, what the route concerns by its ID, and the `row` itself."""
        found: list[dict[str, Any]] = []
        for sent in self._sent:
            rows = sent.rows if sent.file is None else cells_of(sent.file)
            found += [sent.about | {"row": row} for row in rows]
        return found


def cells_of(content: bytes) -> list[dict[str, str]]:
    """Return the rows of a file by its own headers; one that cannot be read as CSV has none."""
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig", "replace"), newline=""), strict=True)
    try:
        header = next(reader, [])
        return [dict(zip(header, cells, strict=False)) for cells in reader if any(cells)]
    except csv.Error:
        return []
