"""Which rows a plan shows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mailing_api.http.read_only import ReadOnly
from target_mailing.foresight.foresight import Candidate, Foresight, Seen


def seen(*emails: str) -> Seen:
    destination: Any = SimpleNamespace(name="list")
    rows: list[Any] = [SimpleNamespace(email=email, reference=()) for email in emails]
    samples = [("removed", Candidate(at, row, destination, is_sent=True)) for at, row in enumerate(rows)]
    return Seen("list", "submit", len(rows), 0, 0, {"removed": len(rows)}, samples)


def test_the_first_rows_are_shown_whichever_batch_was_foreseen_first():
    foresight = Foresight(ReadOnly(), most=3, shows_contacts=True)
    foresight.note(seen("e@example.com", "f@example.com"), 3, "json")
    foresight.note(seen("c@example.com", "d@example.com"), 2, "json")
    foresight.note(seen("a@example.com", "b@example.com"), 1, "json")
    foresight.look_at_samples(asks=True)
    assert [one.contact for one in foresight.samples["removed"]] == ["a@example.com", "b@example.com", "c@example.com"]
