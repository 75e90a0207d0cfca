"""Spellings of an address at every destination: none gets around an opt-out, and what is no mailbox is not sent."""

from __future__ import annotations

import re

import pytest

from tests.api.test_addresses import HIDDEN, SPELLINGS
from tests.faults.pairs import crossed
from tests.target.conftest import Mailjet, person, schema, state
from tests.target.ses.conftest import GONE, _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

HOSTILE = [
    *SPELLINGS,
    *(f"ada{one}@example.com" for one in HIDDEN),
    *(f"{one}ada@exam{one}ple.com{one}" for one in HIDDEN),
    *(f" {one}<Ada@EXAMPLE.com{one}>" for one in HIDDEN),
]
#: What no mail server accepts, though it has the shape of an address.
REFUSED = [
    "ada@example,com", "ada@example.com,", "ada@example.com;", "a;da@example.com", "a,da@example.com", "ada@example",
    "ada@example..com", "ada@-example.com", ".ada@example.com", "ada(home)@example.com", "ada@[192.0.2.1]",
    "a:da@example.com",
    "ad\ufffda@example.com", "ada@localhost",
]  # fmt: skip


def rows(addresses, **columns):
    return [schema(), *(person(at, name=None, email=one, **columns) for at, one in enumerate(addresses)), state(1)]


@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_p5_no_spelling_gets_around_an_opt_out_at_mailjet(mailjet: Mailjet, route):
    mailjet.opt_out("ada@example.com")
    result = mailjet.deliver(rows(HOSTILE), route=route, properties=None)
    assert (result.error, result.states, result.rejects) == (None, [1], [])
    assert mailjet.statuses() == {"ada@example.com": "unsubscribed"}
    assert [one.lower() for one in mailjet.sandbox.mailjet.contacts()] == ["ada@example.com"]


@pytest.mark.parametrize("route", ["import", "direct"])
def test_p5_no_spelling_gets_around_an_opt_out_at_ses(ses, route):  # noqa: F811
    ses.add({"email": "ada@example.com", "unsubscribed": True})
    result = ses.deliver(rows(HOSTILE), route=route, properties=None)
    assert (result.error, result.states, result.rejects) == (None, [1], [])
    assert {email: one["unsubscribed"] for email, one in ses.contacts().items()} == {"ada@example.com": True}


@pytest.mark.parametrize("route", ["import", "direct"])
def test_spellings_of_one_address_are_one_suppression(ses, route):  # noqa: F811
    settings = {"ses_target": "suppression_list", "list": None, "properties": None, "route": route}
    assert ses.deliver(rows(HOSTILE), **settings).error is None
    assert [one.lower() for one in ses.suppressed()] == ["ada@example.com"]


@pytest.mark.parametrize("columns", [{"subscription_status": "unsubscribed"}, {"op": "unsub"}, {"op": "remove"}, GONE])
@pytest.mark.parametrize("spelling", ["<ada@example.com>", "ada\u200b@example.com.", "\uff41da@example.com"])
def test_whoever_opts_out_or_leaves_is_found_by_any_spelling(mailjet: Mailjet, spelling, columns):
    mailjet.sandbox.mailjet.add_contacts([{"email": "ada@example.com", "list": mailjet.list_id}])
    columns = {"op": None} | columns
    messages = rows([spelling], **columns)
    messages[0]["schema"]["properties"] = messages[0]["schema"]["properties"] | {"op": {}}
    assert mailjet.deliver(messages, action_column="op", properties=None).error is None
    assert "subscribed" not in mailjet.statuses().values()
    assert [*mailjet.sandbox.mailjet.contacts()] == ["ada@example.com"]


# No mailbox


@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_p9_text_that_is_no_mailbox_is_rejected_before_it_is_sent_to_mailjet(mailjet: Mailjet, route):
    result = mailjet.deliver(rows([*REFUSED, "ada@example.com"]), route=route, properties=None)
    assert (result.error, result.states) == (None, [1])
    assert result.outcomes["reasons"] == {"bad_address": len(REFUSED)}
    assert [*mailjet.sandbox.mailjet.contacts()] == ["ada@example.com"]
    assert "ada" not in re.sub(r"[0-9a-f]{8}", "", result.log)  # hashes may be anything


@pytest.mark.parametrize("route", ["import", "direct"])
def test_p9_text_that_is_no_mailbox_is_rejected_before_it_is_sent_to_ses(ses, route):  # noqa: F811
    beyond = ["jos\u00e9@example.com"]
    result = ses.deliver(rows([*REFUSED, *beyond, "ada@example.com"]), route=route, properties=None)
    assert (result.error, result.states) == (None, [1])
    assert result.outcomes["reasons"] == {"bad_address": len(REFUSED) + len(beyond)}
    assert [*ses.contacts()] == ["ada@example.com"]


def test_the_domain_of_an_address_goes_to_ses_in_punycode(ses):  # noqa: F811
    result = ses.deliver(
        rows(["ada@m\u00fcnchen.example", "ada@xn--mnchen-3ya.example"]), route="direct", properties=None
    )
    assert result.rejects == []
    assert [*ses.contacts()] == ["ada@xn--mnchen-3ya.example"]


def test_a_row_without_address_is_told_by_the_column_of_the_input(mailjet: Mailjet):
    columns = {name: {"type": ["string", "null"]} for name in ("id", "email_address")}
    records = [{"id": str(at), "email_address": value} for at, value in enumerate([None, "", " \u200b"])] + [
        {"id": "9"}
    ]
    messages = [{"type": "RECORD", "stream": "people", "record": one} for one in records]
    result = mailjet.deliver(
        [schema(columns=columns), *messages, state(1)], mapping={"email": "email_address"}, properties=None
    )
    reasons = [one["record"]["_reject_reason"] for one in result.rejects]
    assert reasons == ["column 'email_address' is missing or empty"] * 4


def test_an_address_goes_as_it_was_given_but_for_blanks(mailjet: Mailjet):
    given = ["Ada.Lovelace+news@example.com", "o'brien@example.ie", "a/b=c&d@example.com", "ada@xn--mnchen-3ya.example"]
    result = mailjet.deliver(rows([f" {one}\t" for one in given]), properties=None)
    assert result.counts() == {"delivered": len(given)}
    assert sorted(mailjet.members()) == sorted(given)


@pytest.mark.parametrize(
    "columns", [{"subscription_status": "unsubscribed"}, {"op": "unsub"}, {"op": "excludemarketing"}]
)
@pytest.mark.parametrize("route", ["json", "csv"])
def test_p5_no_check_of_syntax_stands_before_an_opt_out_or_an_exclusion(mailjet: Mailjet, columns, route):
    odd = "a..da@docomo.example"
    mailjet.sandbox.mailjet.add_contacts([{"email": odd, "list": mailjet.list_id}])
    messages = rows([odd], **({"op": None} | columns))
    messages[0]["schema"]["properties"] = messages[0]["schema"]["properties"] | {"op": {}}
    assert mailjet.deliver(messages, action_column="op", properties=None, route=route).rejects == []
    (member,) = mailjet.members().values()
    assert (member["status"] == "unsubscribed") != member["excluded"]


# Two forms of one domain

FORMS = ["ada@m\u00fcnchen.example", "ada@xn--mnchen-3ya.example"]


LETTERS = ["jose\u0301@example.com", "jos\u00e9@example.com"]


@pytest.mark.parametrize(
    ("route", "keep", "pair"),
    crossed(
        ["json", "csv", "contact"],
        ["remove", "keep"],
        [FORMS, FORMS[::-1], FORMS[:1] * 2, FORMS[1:] * 2, LETTERS, LETTERS[::-1], LETTERS[:1] * 2],
    ),
)
def test_p5_the_other_form_of_a_domain_gets_around_no_opt_out(mailjet: Mailjet, route, keep, pair):
    there, given = pair
    mailjet.opt_out(there)
    result = mailjet.deliver(rows([given]), route=route, properties=None, on_key_change=keep)
    assert (result.error, result.states, result.rejects) == (None, [1], [])
    assert mailjet.statuses() == {there: "unsubscribed"}
    assert [*mailjet.sandbox.mailjet.contacts()] == [there]


@pytest.mark.parametrize(
    ("route", "pair", "columns"),
    crossed(["json", "csv", "contact"], [FORMS, FORMS[::-1]], [{}, {"subscription_status": "unsubscribed"}, GONE]),
)
def test_the_two_forms_of_a_domain_are_one_member(mailjet: Mailjet, route, pair, columns):
    there, given = pair
    mailjet.sandbox.mailjet.add_contacts([{"email": there, "list": mailjet.list_id}])
    result = mailjet.deliver(rows([given], **columns), route=route, properties=None)
    assert (result.error, result.rejects) == (None, [])
    after = {} if columns == GONE else {given: "unsubscribed" if columns else "subscribed"}
    assert mailjet.statuses() == after
    again = mailjet.deliver(rows([given], **columns), route=route, properties=None)
    assert again.counts() == {"unchanged": 1}


@pytest.mark.parametrize(("there", "given"), [FORMS, FORMS[::-1]])
@pytest.mark.parametrize("route", ["import", "direct"])
def test_p5_the_other_form_of_a_domain_gets_around_no_opt_out_at_ses(ses, route, there, given):  # noqa: F811
    ses.ses.change(ses_ascii_addresses=False)
    ses.add({"email": there, "unsubscribed": True})
    result = ses.deliver(rows([given]), route=route, properties=None)
    assert (result.error, result.rejects) == (None, [])
    assert {email: one["unsubscribed"] for email, one in ses.contacts().items()} == {there: True}
