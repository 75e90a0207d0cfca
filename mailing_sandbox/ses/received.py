"""What clients sent, for tests to compare with what they meant to send."""

from __future__ import annotations

import csv
from typing import Any, NamedTuple

import msgspec

from mailing_sandbox.latest import Latest


class Sent(NamedTuple):
    """The object of one import job, or one call about a single contact or address (`job` None, one row)."""

    job: str | None
    operation: str
    region: str
    list: str | None
    action: str
    rows: int
    content: bytes
    data_format: str


class Received(Latest[Sent]):
    """The latest objects and calls, taken apart only when somebody asks."""

    def keep(self, sent: Sent) -> None:
        """Keep one object or call."""
        self.add(sent, sent.rows)

    def rows(self) -> list[dict[str, Any]]:
        """Return every row kept: job, operation, region, list, action and the contact as sent."""
        return [
            {
                "job": sent.job,
                "operation": sent.operation,
                "region": sent.region,
                "list": sent.list,
                "action": sent.action,
                "contact": contact,
            }
            for sent in self
            for contact in contacts_of(sent)
        ]


def contacts_of(sent: Sent) -> list[Any]:
    """Return the records of one object: JSON as decoded, CSV by column name; a line that is neither stays text."""
    text = sent.content.decode("utf-8", "replace")
    if sent.data_format == "JSON":
        return [_decoded(line) for line in text.splitlines() if line.strip()]
    try:
        rows = [row for row in csv.reader(text.splitlines(keepends=True)) if row]
    except csv.Error:
        return text.splitlines()
    names = ["emailAddress", "reason"] if sent.list is None else rows.pop(0) if rows else []
    return [dict(zip(names, row, strict=False)) for row in rows]


def _decoded(line: str) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return line
