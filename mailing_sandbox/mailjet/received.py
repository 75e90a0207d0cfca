"""The bulk rows that clients sent, for tests to compare with what they meant to send."""

from __future__ import annotations

import csv
from typing import Any, NamedTuple

import msgspec

from mailing_sandbox.latest import Latest
from mailing_sandbox.mailjet.csvload import options_of, records


class Sent(NamedTuple):
    """The body of one bulk call, as it came."""

    job: int
    targets: list[tuple[int, str]]
    rows: int
    body: bytes
    options: str | None


class Received(Latest[Sent]):
    """The bodies of the latest bulk calls, taken apart only when somebody asks."""

    def keep(self, sent: Sent) -> None:
        """Keep one call."""
        self.add(sent, sent.rows)

    def rows(self) -> list[dict[str, Any]]:
        """Return every row kept, once for each list of its call: job, list, action and the contact as sent."""
        found: list[dict[str, Any]] = []
        for sent in self:
            targets: list[tuple[int | None, str | None]] = [*sent.targets] or [(None, None)]
            for contact in contacts_of(sent):
                for number, action in targets:
                    found.append({"job": sent.job, "list": number, "action": action, "contact": contact})
        return found


def contacts_of(sent: Sent) -> list[Any]:
    """Return the contacts of one call; a CSV row becomes an object by column name.

    A file that cannot be read as CSV has none.
    """
    if sent.options is None:
        body = msgspec.json.decode(sent.body)
        return next((value for key, value in body.items() if key.lower() == "contacts"), [])
    try:
        rows = records(sent.body.decode("utf-8-sig", "replace"))
    except csv.Error:
        return []
    names = options_of(sent.options).FieldNames or (rows.pop(0)[0] if rows else [])
    return [dict(zip(names, cells, strict=False)) for cells, _ in rows]
