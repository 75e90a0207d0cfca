"""Example Mail as a target: what is delivered, rejected and withheld, and which contacts rows are about."""

from __future__ import annotations

import pytest

from tests.fifth.conftest import rows

pytestmark = pytest.mark.slow


def test_contacts_are_added_updated_unsubscribed_and_removed(world):
    first = world.deliver(rows(range(4)))
    assert (first.code, first.states, first.outcomes) == (0, [{"number": 1}], {"delivered": 4}), first.log
    assert first.totals["effects"] == {"added": 4}
    ids = {one["email"]: one["id"] for one in world.mail.contacts()}
    more = [
        *rows([0], city="Nice"),
        *rows([1], subscription_status="unsubscribed"),
        *rows([2], _sdc_deleted_at="2026-01-01T00:00:00Z", email=None),
        *rows([3]),
    ]
    again = world.deliver(more)
    assert again.outcomes == {"delivered": 3, "unchanged": 1}, again.log
    assert world.standings() == {
        ids["canary0@example.com"]: "canary0@example.com active",
        ids["canary1@example.com"]: "canary1@example.com opted_out",
        ids["canary3@example.com"]: "canary3@example.com active",
    }
    assert next(one for one in world.mail.contacts() if one["email"] == "canary0@example.com")["fields"] == {
        "city": "Nice"
    }
