"""Before removals each contact is read, so their batches are as large as that takes a minute for (P5)."""

from __future__ import annotations

import pytest

from target_mailing.mailjet import destination
from tests.target.conftest import people, schema, state

GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("route", ["json", "csv"])
def test_removals_are_cut_to_what_can_be_read_about_in_a_minute(mailjet, monkeypatch, route):
    monkeypatch.setattr(destination, "_ASKING", 1.0)
    monkeypatch.setattr(destination, "_USUAL_RATE", 8.0)
    rows = people(range(12))
    mailjet.deliver([schema(), *rows], route=route)
    assert len(mailjet.sandbox.mailjet.jobs()) == 1
    result = mailjet.deliver([schema(), *people(range(12), **GONE), state(1)], route=route)
    assert (result.counts(), result.states) == ({"delivered": 12}, [1])
    assert mailjet.statuses() == {}
    assert len(mailjet.sandbox.mailjet.jobs()) == 1 + 2


def test_a_slower_pace_cuts_them_further(mailjet, monkeypatch):
    monkeypatch.setattr(destination, "_ASKING", 0.05)
    monkeypatch.setattr(destination, "_USUAL_RATE", 1e9)
    mailjet.deliver([schema(), *people(range(12))])
    mailjet.deliver([schema(), *people(range(12), **GONE)], max_requests_per_second=120)
    assert len(mailjet.sandbox.mailjet.jobs()) == 1 + 2
