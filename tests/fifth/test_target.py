"""Example Mail as a target: what is delivered and rejected, and which contacts rows are about."""

from __future__ import annotations

import pytest

from tests.fifth.conftest import rows

pytestmark = pytest.mark.slow

DELETED = "2026-01-01T00:00:00Z"


def test_contacts_are_added_updated_unsubscribed_and_removed(world):
    first = world.deliver(rows(range(4)))
    assert (first.code, first.states, first.outcomes) == (0, [{"number": 1}], {"delivered": 4}), first.log
    assert first.totals["effects"] == {"added": 4}
    ids = [world.contact(f"canary{number}@example.com")["id"] for number in range(4)]
    changes = [
        *rows([0], city="Nice"),
        *rows([1], subscription_status="unsubscribed"),
        *rows([2], _sdc_deleted_at=DELETED, email=None),
        *rows([3]),
    ]
    again = world.deliver(changes)
    assert again.outcomes == {"delivered": 3, "unchanged": 1}, again.log
    assert world.standings() == {
        ids[0]: "canary0@example.com active",
        ids[1]: "canary1@example.com opted_out",
        ids[3]: "canary3@example.com active",
    }
    assert world.contact("canary0@example.com")["fields"] == {"city": "Nice"}


def test_rejects_are_found_by_the_number_of_their_line(world):
    """Where a contact that comes before has two lines, lines and rows do not go alike."""
    twins = [world.mail.add_contact(world.audience, "Canary1@example.com") for _ in range(2)]
    world.mail.refused = {"canary2@example.com"}
    world.mail.change(examplemail_page_size=2)
    result = world.deliver(rows(range(1, 5)))
    assert (result.code, result.states, result.outcomes) == (0, [{"number": 1}], {"delivered": 3, "rejected": 1})
    (reject,) = [one["record"] for one in result.rejects]
    assert (reject["id"], reject["_reject_code"]) == (2, "refused_by_provider")
    assert {one["id"] for one in world.mail.contacts() if one["full_name"] == "Canary 1"} == {*twins}


@pytest.mark.parametrize(("setting", "updated"), [("all", 2), ("oldest", 1)])
def test_an_address_may_be_that_of_two_contacts(world, setting, updated):
    twins = [world.mail.add_contact(world.audience, "canary1@example.com", "Before") for _ in range(2)]
    world.deliver(rows([1]), examplemail_duplicates=setting)
    names = [one["full_name"] for one in world.mail.contacts()]
    assert names == ["Canary 1"] * updated + ["Before"] * (2 - updated)
    result = world.deliver(rows([1], subscription_status="unsubscribed"), examplemail_duplicates=setting)
    assert world.standings() == dict.fromkeys(twins, "canary1@example.com opted_out"), result.log


def test_a_contact_that_changed_its_address_at_the_provider_is_known_by_its_id(world):
    """It is updated under the address that it chose, and leaves when its row does."""
    world.deliver(rows([1, 2]))
    number = world.contact("canary1@example.com")["id"]
    world.mail.change_contact(number, email="elsewhere@example.com")
    world.deliver(rows([1], city="Nice"))
    assert world.contact("elsewhere@example.com")["fields"] == {"city": "Nice"}
    assert len(world.standings()) == 2
    world.deliver(rows([1], _sdc_deleted_at=DELETED))
    assert [*world.standings().values()] == ["canary2@example.com active"]


def test_a_key_whose_address_changes_leaves_no_contact_behind(world):
    world.deliver(rows([1]))
    result = world.deliver(rows([1], email="canary.new@example.com"))
    assert [*world.standings().values()] == ["canary.new@example.com active"], result.log


def test_p9_wrong_settings_are_reported_before_anything_is_sent(world):
    wrong = world.deliver(rows([1]), examplemail_duplicates="some")
    assert (wrong.code, wrong.states) == (1, [])
    assert "Setting `examplemail_duplicates`" in wrong.log
    assert "must be one of all, oldest" in wrong.log
    missing = world.deliver(rows([1]), examplemail_api_token=None)
    assert "`examplemail_api_token` (or the environment variable EXAMPLEMAIL_API_TOKEN) for Example Mail" in missing.log
    unknown = world.deliver(rows([1]), list="Writers")
    assert "Setting `list`: Example Mail has no audience with the ID or title 'Writers'" in unknown.log
    large = world.deliver(rows([1]), batch_rows=2000)
    assert "Setting `batch_rows` is 2000; for Example Mail it must be 1 to 1000" in large.log


def test_p7_a_refused_token_is_in_no_log(world):
    result = world.deliver(rows([1]), examplemail_api_token="wsp1.canary-of-another")
    assert (result.code, result.states) == (1, [])
    assert "Check `examplemail_api_token`" in result.log
