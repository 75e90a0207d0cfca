"""Rows that are rejected for a fault, and ask that somebody be unsubscribed or taken off: that is done all the same."""

from __future__ import annotations

import json

import pytest

from tests.target.conftest import Mailjet, schema, state
from tests.target.ses.conftest import Ses, _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

NULLABLE = {"type": ["string", "null"]}
COLUMNS = {
    "id": {"type": "integer"}, "email": NULLABLE, "city": NULLABLE, "visits": {"type": ["integer", "string", "null"]},
    "subscription_status": NULLABLE, "_sdc_deleted_at": NULLABLE, "verb": NULLABLE, "unsent": {},
}  # fmt: skip

#: What else the row holds, as it stands in its line: each keeps it from being delivered as a contact.
FAULTS = {
    "no number of JSON": '"visits": NaN',
    "no number of JSON in a column that is not sent": '"unsent": [1, Infinity]',
    "a number out of range": '"visits": 1e999',
    "half of a surrogate pair": '"city": "\\ud800"',
    "too many levels": f'"unsent": {"[" * 200}{"]" * 200}',
    "wrong type": '"visits": "many"',
    "not what its SCHEMA says": '"city": ["Lyon"]',
}
#: How the row asks for it, and what becomes of somebody who was subscribed.
ASKS = {
    '"subscription_status": "unsubscribed"': "unsubscribed",
    '"verb": "unsub"': "unsubscribed",
    '"verb": "remove"': "removed",
    '"_sdc_deleted_at": "2026-01-01T00:00:00Z"': "removed",
}
PEOPLE = [(f"{at}@example.com", ask, fault) for at, (ask, fault) in enumerate((a, f) for a in ASKS for f in FAULTS)]


def rows(people):
    return [f'{{"type": "RECORD", "stream": "people", "record": {{"id": {at}, "email": "{email}", {ask}, {fault}}}}}'
            for at, (email, ask, fault) in enumerate(people)]  # fmt: skip


def text(lines):
    return "".join(f"{line}\n" for line in [json.dumps(schema(columns=COLUMNS)), *lines, json.dumps(state(1))])


def everybody(account):
    known = rows((email, '"city": "Rome"', '"visits": 1') for email, _, _ in PEOPLE)
    assert account.deliver(text(known)).counts() == {"delivered": len(PEOPLE)}


def deliver(account, **config):
    told = rows((email, ask, FAULTS[fault]) for email, ask, fault in PEOPLE)
    result = account.deliver(text(told), action_column="verb", properties=["visits", "city"], **config)
    assert (result.error, result.states) == (None, [1])
    return result.counts()


@pytest.mark.slow
@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_p5_no_fault_keeps_somebody_subscribed_at_mailjet(mailjet: Mailjet, route):
    mailjet.config["route"] = route
    everybody(mailjet)
    gone = sum("_sdc_deleted_at" in ask for _, ask, _ in PEOPLE)  # their other columns are not looked at
    assert deliver(mailjet) == {"delivered": gone, "rejected": len(PEOPLE) - gone}
    assert mailjet.statuses() == {email: "unsubscribed" for email, ask, _ in PEOPLE if ASKS[ask] == "unsubscribed"}


@pytest.mark.slow
def test_p5_no_fault_keeps_somebody_subscribed_at_ses(ses: Ses):  # noqa: F811 - a fixture
    ses.config["route"] = "direct"
    everybody(ses)
    deliver(ses)  # which takes any value
    assert all(ses.seen(email)[0] for email, ask, _ in PEOPLE if ASKS[ask] == "unsubscribed")
    assert not [email for email, ask, _ in PEOPLE if ASKS[ask] == "removed" and email in ses.contacts()]


@pytest.mark.parametrize("action", ["unsub", "remove"])
def test_p5_nor_where_the_setting_asks_for_it(mailjet: Mailjet, action):
    everybody(mailjet)
    told = rows((email, '"verb": null', FAULTS[fault]) for email, _, fault in PEOPLE)
    result = mailjet.deliver(text(told), action=action, max_removals="100%")
    assert result.error is None
    assert set(mailjet.statuses().values()) <= {"unsubscribed"}


@pytest.mark.parametrize(
    "columns",
    [
        '"id": 1, "email": "0@example.com", "verb": NaN',
        '"id": 1, "email": "0@example.com", "subscription_status": "\\ud800"',
        '"id": 1, "email": "\\ud8000@example.com", "subscription_status": "unsubscribed"',
        '"id": 1, "email": "0@example.com", "_sdc_deleted_at": Infinity',
        '"id": NaN, "email": "0@example.com", "_sdc_deleted_at": "2026-01-01T00:00:00Z"',
        '"id": 1, "email": "0@example.com", "visits": NaN',
    ],
)
def test_nothing_is_done_where_nobody_can_tell_whom_or_what_a_row_is_about(mailjet: Mailjet, columns):
    everybody(mailjet)
    line = f'{{"type": "RECORD", "stream": "people", "record": {{{columns}}}}}'
    result = mailjet.deliver(text([line]), action_column="verb")
    assert result.counts() == {"rejected": 1}
    assert result.outcomes["reasons"] == {"unreadable": 1}
    assert set(mailjet.statuses().values()) == {"subscribed"}
    assert len(mailjet.statuses()) == len(PEOPLE)


def test_the_key_tells_whom_a_deleted_row_is_about_whose_address_is_no_json(mailjet: Mailjet):
    everybody(mailjet)
    columns = '"id": 3, "email": "\\ud800", "_sdc_deleted_at": "2026-01-01T00:00:00Z"'
    result = mailjet.deliver(text([f'{{"type": "RECORD", "stream": "people", "record": {{{columns}}}}}']))
    assert result.counts() == {"delivered": 1}
    assert {email for email, _, _ in PEOPLE} - mailjet.statuses().keys() == {PEOPLE[3][0]}
