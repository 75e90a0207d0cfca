"""P5: keys that name one mailbox by both forms of its domain, and move away from it or are deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.pairs import crossed
from tests.target.conftest import Mailjet, reader, schema, state
from tests.target.ses.conftest import GONE, _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

FORMS = ["ada@m\u00fcnchen.example", "ada@xn--mnchen-3ya.example"]
ROUTES = ["json", "csv", "contact"]
#: The forms by which the two keys name the mailbox, and the order in which the keys leave.
WAYS = [(forms, order) for forms in (FORMS, FORMS[::-1]) for order in ((1, 2), (2, 1))]


def named_by_two_keys(mailjet: Mailjet, forms: list[str], **config: Any) -> None:
    """Two keys name one mailbox; the list has it by the later form, or by both."""
    result = mailjet.deliver([schema(), *(reader(at, email=form) for at, form in enumerate(forms, 1))], **config)
    assert (result.error, result.rejects) == (None, [])
    kept = forms if config.get("on_key_change") == "keep" else forms[1:]
    assert mailjet.statuses() == dict.fromkeys(kept, "subscribed")


def moved(key: int, how: str) -> dict[str, Any]:
    """The row by which a key leaves the mailbox."""
    return reader(key, **GONE) if how == "delete" else reader(key, email=f"new{key}@example.com")


def leave(mailjet: Mailjet, rows: list[dict[str, Any]], together: str, **config: Any) -> None:
    for some in [rows] if together == "one run" else [[row] for row in rows]:
        result = mailjet.deliver([schema(), *some, state(1)], **config)
        assert (result.error, result.states, result.rejects) == (None, [1], [])


@pytest.mark.parametrize(
    ("route", "way", "together", "last"),
    crossed(ROUTES, WAYS, ["one run", "runs"], ["move", "delete"]),
)
def test_whoever_has_both_forms_of_a_domain_leaves_with_the_last_key(mailjet, route, way, together, last):
    forms, order = way
    config = {"route": route, "properties": None}
    named_by_two_keys(mailjet, forms, **config)
    leave(mailjet, [moved(order[0], "move"), moved(order[1], last)], together, **config)
    there = order[:1] if last == "delete" else order
    assert mailjet.statuses() == {f"new{key}@example.com": "subscribed" for key in there}
    again = mailjet.deliver([schema(), *(moved(key, "move") for key in there)], **config)
    assert again.counts() == {"unchanged": len(there)}


@pytest.mark.parametrize(
    ("route", "way", "together", "keep"),
    crossed(ROUTES, WAYS, ["one run", "runs"], ["remove", "keep"]),
)
def test_p5_an_opt_out_by_either_form_of_a_domain_follows_each_key(mailjet, route, way, together, keep):
    forms, order = way
    config = {"route": route, "properties": None, "on_key_change": keep}
    named_by_two_keys(mailjet, forms, **config)
    mailjet.opt_out(forms[1])
    leave(mailjet, [moved(key, "move") for key in order], together, **config)
    assert mailjet.statuses()[forms[1]] == "unsubscribed"
    assert {mailjet.statuses().get(f"new{key}@example.com", "unsubscribed") for key in order} == {"unsubscribed"}


@pytest.mark.parametrize(("route", "there", "given"), crossed(ROUTES, FORMS, FORMS))
def test_p5_an_opt_out_that_came_under_the_other_form_follows_a_key(mailjet, route, there, given):
    """Nobody else names it: another program or the person put the other form on the list."""
    config = {"route": route, "properties": None}
    assert mailjet.deliver([schema(), reader(1, email=given)], **config).rejects == []
    mailjet.opt_out(there)
    leave(mailjet, [moved(1, "move")], "one run", **config)
    assert mailjet.statuses()[there] == "unsubscribed"
    assert mailjet.statuses().get("new1@example.com", "unsubscribed") == "unsubscribed"


@pytest.mark.parametrize(("route", "forms", "first"), crossed(ROUTES, [FORMS, FORMS[::-1]], [1, 2]))
def test_a_key_that_moves_takes_nobody_off_whom_the_other_form_of_another_key_names(mailjet, route, forms, first):
    config = {"route": route, "properties": None}
    named_by_two_keys(mailjet, forms, **config)
    leave(mailjet, [moved(first, "move")], "one run", **config)
    assert mailjet.statuses() == {forms[1]: "subscribed", f"new{first}@example.com": "subscribed"}


@pytest.mark.parametrize(("domain", "looks"), [("example.com", 1), ("m\u00fcnchen.example", 2)])
def test_only_a_domain_that_has_two_forms_costs_another_look(mailjet, domain, looks):
    mailjet.deliver([schema(), reader(1, email=f"ada@{domain}")], properties=None)
    counters = mailjet.sandbox.counters
    counters.reset()
    mailjet.deliver([schema(), moved(1, "move")], properties=None)
    assert counters.calls["GET /v3/REST/contact/{contact}/getcontactslists"] == looks
    assert counters.calls["POST /v3/REST/contactslist/{list}/managemanycontacts"] == 2  # one leaves, one comes


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
@pytest.mark.parametrize("route", ["import", "direct"])
def test_p5_at_ses_an_opt_out_by_either_form_follows_each_key(ses, route, order):  # noqa: F811
    config = {"route": route, "properties": None}
    assert ses.deliver([schema(), *(reader(at, email=one) for at, one in enumerate(FORMS, 1))], **config).rejects == []
    (there,) = ses.contacts()
    ses.add({"email": there, "unsubscribed": True})
    assert ses.deliver([schema(), *(moved(key, "move") for key in order)], **config).rejects == []
    contacts = ses.contacts()
    assert contacts[there]["unsubscribed"]
    assert all(contacts.get(f"new{key}@example.com", {"unsubscribed": True})["unsubscribed"] for key in order)
