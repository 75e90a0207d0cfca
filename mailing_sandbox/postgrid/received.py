"""What clients sent, row by row, for tests to compare with what they meant to send."""

from __future__ import annotations

import csv
import io
from typing import Any, NamedTuple

from mailing_sandbox.latest import Latest


class Sent(NamedTuple):
    """One call that carried rows. `about` is repeated with each of its rows; a file is taken apart only when asked."""

    about: dict[str, Any]
    size: int
    rows: list[Any]
    file: bytes | None = None


class Received(Latest[Sent]):
    """The latest calls that carried rows."""

    def keep(self, sent: Sent) -> None:
        """Keep one call."""
        self.add(sent, sent.size)

    def rows(self) -> list[dict[str, Any]]:
        """Return every row kept: `route`, `live`, what the route concerns by its ID, and the `row` itself."""
        found: list[dict[str, Any]] = []
        for sent in self:
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
