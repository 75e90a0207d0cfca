"""Rows drawn at random, in hostile spellings of addresses, deletion marks and statuses, through every route (P5)."""

from __future__ import annotations

import random

import pytest

from tests.api.test_addresses import HIDDEN
from tests.searching import examples
from tests.target.conftest import Mailjet, schema, state
from tests.target.contacts.test_consent_words import UNCLEAR, UNSUBSCRIBED
from tests.target.contacts.test_deletion import ALIVE, GONE
from tests.target.contacts.test_deletion import UNCLEAR as UNCLEAR_MARKS
from tests.target.ses.conftest import _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

MAILBOXES = [f"person{at}@example.com" for at in range(8)]
#: Those who opted out at the provider.
DECLINED = MAILBOXES[:3]
WRAPS = ["{}", "<{}>", '"{}"', "'{}'", "mailto:{}", "Ada Lovelace <{}>", " {}\u00a0", "{}.", "({})", "\u201c{}\u201d"]
NULLS = [None, "", " ", "\u200b"]


def usable(values):
    return [one for one in values if one == one and not isinstance(one, (list, dict))]  # noqa: PLR0124 - no NaN


STATUSES = [(NULLS, "nothing"), (NULLS, "nothing"), (usable(UNSUBSCRIBED), "opts out"), (usable(UNCLEAR), "unclear")]
MARKS = [(usable(ALIVE), "alive"), (usable(ALIVE), "alive"), (GONE, "gone"), (UNCLEAR_MARKS, "unclear")]


def spelled(draw: random.Random, mailbox: str, *, capitals: bool) -> str:
    letters = []
    for letter in mailbox:
        letters.append(draw.choice([letter, letter, letter.upper() if capitals else letter, chr(ord(letter) + 0xFEE0)]))
        if draw.random() < 0.1:
            letters.append(draw.choice(HIDDEN))
    text = "".join(letters)
    for _ in range(draw.randrange(3)):
        text = draw.choice(WRAPS).format(text)
    return text


def drawn(draw: random.Random, *, capitals: bool = True):
    """Rows, and the mailboxes of which a row opts out, or is deleted."""
    rows, opted_out, gone = [], set(), set()
    for number in range(40):
        mailbox = draw.choice(MAILBOXES)
        status, told = draw.choice(STATUSES)
        mark, means = draw.choice(MARKS)
        row = {"id": number, "email": spelled(draw, mailbox, capitals=capitals)}
        rows.append(row | {"subscription_status": draw.choice(status), "_sdc_deleted_at": draw.choice(mark)})
        if told == "opts out":  # also where the row is rejected for its deletion mark
            opted_out.add(mailbox)
        if means == "gone":
            gone.add(mailbox)
    return rows, opted_out, gone


def messages(rows):
    columns = {name: {} for name in ("id", "email", "subscription_status", "_sdc_deleted_at")}
    return [schema(columns=columns), *({"type": "RECORD", "stream": "people", "record": one} for one in rows), state(1)]


def judge(statuses, result, opted_out, gone):
    assert (result.error, result.states) == (None, [1])
    assert not any(mailbox in result.log.casefold() for mailbox in MAILBOXES)
    assert {one.lower() for one in statuses} <= set(MAILBOXES)
    seen = [one.lower() for one in statuses]
    assert [(one, statuses[one]) for one in statuses if seen.count(one.lower()) > 1] == []
    after = {email.lower(): status for email, status in statuses.items()}
    for mailbox in DECLINED:
        assert after[mailbox] == "unsubscribed"
    for mailbox in opted_out:
        assert after.get(mailbox) != "subscribed"
    for mailbox in set(MAILBOXES) - gone - opted_out - set(DECLINED):
        assert after[mailbox] == "subscribed"


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("seed", range(examples(2, 20)))
@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_p5_hostile_rows_at_mailjet(mailjet: Mailjet, route, seed):
    draw = random.Random(f"{route}{seed}")
    rows, opted_out, gone = drawn(draw)
    mailjet.sandbox.mailjet.add_contacts(
        [{"email": one, "list": mailjet.list_id, "unsubscribed": one in DECLINED} for one in MAILBOXES]
    )
    result = mailjet.deliver(messages(rows), route=route, properties=None)
    judge(mailjet.statuses(), result, opted_out, gone)
    assert len(mailjet.sandbox.mailjet.contacts()) == len(MAILBOXES)


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("seed", range(examples(2, 20)))
@pytest.mark.parametrize("route", ["import", "direct"])
def test_p5_hostile_rows_at_ses(ses, route, seed):  # noqa: F811
    draw = random.Random(f"{route}{seed}")
    rows, opted_out, gone = drawn(draw, capitals=False)  # by few rows SES is not asked about every case
    ses.add(*({"email": one, "unsubscribed": one in DECLINED} for one in MAILBOXES))
    result = ses.deliver(messages(rows), route=route, properties=None)
    found = {email: "unsubscribed" if one["unsubscribed"] else "subscribed" for email, one in ses.contacts().items()}
    judge(found, result, opted_out, gone)
