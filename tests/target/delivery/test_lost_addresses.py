"""People of a provider's own stream who have no address any more: whoever opted out leaves all the same (P5)."""

from __future__ import annotations

import pytest

from tests.target.conftest import COLUMNS, schema, state
from tests.target.postgrid import conftest as post
from tests.target.postgrid.conftest import postgrid

__all__ = ["postgrid"]

STREAM = "mpdx_people"
PEOPLE = schema(STREAM, COLUMNS | {"provider": {"type": "string"}})
HOUSEHOLDS = schema("mpdx_contacts", post.COLUMNS | {"provider": {"type": "string"}})


def somebody(number, **columns):
    record = {"provider": "mpdx", "id": number, "email": f"person{number}@example.com", "name": f"Person {number}"}
    return {"type": "RECORD", "stream": STREAM, "record": record | columns}


def household(number, **columns):
    return post.household(number, stream="mpdx_contacts", provider="mpdx", **columns)


@pytest.mark.slow
@pytest.mark.parametrize("moves", ["remove", "keep"])
def test_p5_whoever_opted_out_and_has_no_address_any_more_is_unsubscribed_at_the_old_one(mailjet, moves):
    mailjet.config["on_key_change"] = moves
    mailjet.deliver([PEOPLE, somebody(1), somebody(2), state(1)])
    told = [PEOPLE, somebody(1, email=None, subscription_status="unsubscribed"), state(2)]
    result = mailjet.deliver(told)
    assert result.error is None
    assert result.counts() == {"delivered": 1}
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed", "person2@example.com": "subscribed"}
    assert mailjet.deliver(told).counts() == {"unchanged": 1}
    # The key is remembered there, so that the opt-out follows to a new address.
    mailjet.deliver([PEOPLE, somebody(1, email="new@example.com"), state(3)])
    assert mailjet.statuses().get("new@example.com") != "subscribed"


@pytest.mark.slow
def test_whoever_has_no_address_any_more_leaves_the_old_one(mailjet):
    mailjet.deliver([PEOPLE, somebody(1), somebody(2), state(1)])
    gone = [PEOPLE, somebody(1, email=None), state(2)]
    assert mailjet.deliver(gone).counts() == {"delivered": 1}
    assert mailjet.statuses() == {"person2@example.com": "subscribed"}
    assert mailjet.deliver(gone).counts() == {"unchanged": 1}
    assert mailjet.deliver([PEOPLE, somebody(1), state(3)]).counts() == {"delivered": 1}
    assert mailjet.statuses().keys() == {"person1@example.com", "person2@example.com"}


def test_within_a_run_too(mailjet):
    rows = [
        somebody(1),
        somebody(1, email=None, subscription_status="unsubscribed"),
        somebody(2),
        somebody(2, email=None),
    ]
    result = mailjet.deliver([PEOPLE, *rows, state(1)])
    assert result.error is None
    assert sum(result.counts().values()) == 4
    assert mailjet.statuses() in ({"person1@example.com": "unsubscribed"}, {})


@pytest.mark.parametrize(
    ("columns", "settings"),
    [
        ({}, {"on_key_change": "keep"}),
        ({"subscription_status": "excluded"}, {}),
        ({"subscription_status": "pending"}, {}),
    ],
)
def test_who_is_not_to_leave_stays(mailjet, columns, settings):
    mailjet.deliver([PEOPLE, somebody(1), state(1)])
    result = mailjet.deliver([PEOPLE, somebody(1, email=None, **columns), state(2)], **settings)
    assert (result.counts(), result.outcomes["reasons"]) == ({"skipped": 1}, {"no_address": 1})
    assert mailjet.statuses() == {"person1@example.com": "subscribed"}


@pytest.mark.parametrize("columns", [{}, {"subscription_status": "unsubscribed"}])
def test_whoever_never_had_one_is_skipped(mailjet, columns):
    result = mailjet.deliver([PEOPLE, somebody(1, email=None, **columns), state(1)])
    assert (result.counts(), result.outcomes["reasons"]) == ({"skipped": 1}, {"no_address": 1})
    assert result.states == [1]


def test_without_a_journal_they_are_skipped(mailjet):
    mailjet.deliver([PEOPLE, somebody(1), state(1)], journal="off")
    result = mailjet.deliver([PEOPLE, somebody(1, email=None), state(2)], journal="off")
    assert result.counts() == {"skipped": 1}


# By post


@pytest.mark.slow
def test_p5_a_household_that_opted_out_and_has_no_address_any_more_is_on_no_list(postgrid):
    postgrid.deliver([HOUSEHOLDS, household(1), household(2), state(1)])
    told = [HOUSEHOLDS, household(1, address_line1=None, subscription_status="unsubscribed"), state(2)]
    assert postgrid.deliver(told).counts() == {"delivered": 1}
    assert postgrid.streets() == ["2 Mill Lane"]
    assert postgrid.deliver(told).counts() == {"unchanged": 1}


def test_p5_without_a_journal_the_provider_is_asked_for_it(postgrid):
    postgrid.deliver([HOUSEHOLDS, household(1), household(2), state(1)], journal="off")
    told = [HOUSEHOLDS, household(1, address_line1=None, subscription_status="unsubscribed"), state(2)]
    assert postgrid.deliver(told, journal="off").counts() == {"delivered": 1}
    assert postgrid.streets() == ["2 Mill Lane"]


def test_a_household_that_lost_its_address_gets_no_letter_at_the_old_one(postgrid):
    postgrid.deliver([HOUSEHOLDS, household(1), household(2), state(1)])
    result = postgrid.deliver(
        [HOUSEHOLDS, household(1, address_line1=None), household(3, address_line1=None), state(2)]
    )
    assert result.counts() == {"delivered": 1, "skipped": 1}
    assert postgrid.streets() == ["2 Mill Lane"]


def test_by_import_it_is_told_that_nobody_leaves(postgrid):
    postgrid.config |= {"route": "import"}
    postgrid.sandbox.switches.change({"postgrid_import_seconds": 0.05})
    postgrid.deliver([HOUSEHOLDS, household(1), state(1)])
    lost = [
        household(1, address_line1=None, subscription_status="unsubscribed"),
        household(2, address_line1=None, subscription_status="unsubscribed"),
        household(3, address_line1=None),
    ]
    result = postgrid.deliver([HOUSEHOLDS, *lost, state(2)])
    assert result.counts() == {"rejected": 1, "withheld": 1, "skipped": 1}
    assert result.outcomes["reasons"] == {"cannot_leave": 1, "unsubscribed": 1, "no_address": 1}
