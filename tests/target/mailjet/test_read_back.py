"""When no job can tell which rows arrived, the provider is asked for each of them before it is given up."""

from __future__ import annotations

import pytest

from target_mailing.mailjet.read_back import has_effect_of, has_values
from tests.target.conftest import people, person, schema, state

ADA = "person1@example.com"
GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
NEVER = {"job_abandon": 0.1}


def holding(mailjet, contact):
    """The provider holds this contact, and the next job writes nothing and never ends."""
    mailjet.sandbox.mailjet.add_contacts([{"email": ADA, "list": mailjet.list_id} | contact])
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])


def test_rows_of_an_abandoned_job_that_are_there_are_delivered_and_the_others_unconfirmed(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"end": "stall"}])
    result = mailjet.deliver([schema(), *people(range(6)), state(1)], job_abandon=0.4)
    assert result.counts() == {"delivered": 3, "rejected": 3}
    assert result.outcomes["reasons"] == {"unconfirmed": 3}
    arrived = {reject["record"]["email"] for reject in result.rejects} ^ {f"person{n}@example.com" for n in range(6)}
    assert mailjet.statuses().keys() == arrived
    assert result.states == [1]


@pytest.mark.slow
def test_when_splitting_costs_too_much_every_row_that_is_there_is_delivered(mailjet):
    mailjet.sandbox.mailjet.change(error_file="missing")
    mailjet.sandbox.mailjet.plan_jobs([{"end": "error"}] * 33)
    result = mailjet.deliver([schema(), *people(range(100)), state(1)])
    assert result.outcomes["batches"] == 33
    there = mailjet.statuses().keys()
    assert 0 < len(there) < 100
    assert result.counts() == {"delivered": len(there), "rejected": 100 - len(there)}
    assert not {reject["record"]["email"] for reject in result.rejects} & there
    again = mailjet.deliver([schema(), *people(range(100)), state(2)])
    assert again.counts() == {"unchanged": len(there), "delivered": 100 - len(there)}


def test_the_row_alone_in_a_failed_job_is_delivered_if_it_is_there_all_the_same(mailjet):
    mailjet.sandbox.mailjet.change(error_file="missing")
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["nobody@example.com"], "end": "error"}])
    result = mailjet.deliver([schema(), person(1), state(1)])
    assert result.counts() == {"delivered": 1}


@pytest.mark.parametrize(
    ("held", "row", "is_there"),
    [
        ({"name": "Ada", "properties": {"city": "Lyon", "visits": 3}}, {"name": "Ada", "visits": 3}, True),
        ({"name": "Ada", "properties": {"city": "Lyon"}}, {"name": "Ada L."}, False),
        ({"name": "Ada", "properties": {"city": "Nice"}}, {"name": "Ada"}, False),
        ({"name": "Ada"}, {"name": "Ada"}, False),
        ({"name": "Ada", "properties": {"city": "Lyon", "visits": 3}}, {"name": "Ada", "visits": None}, False),
        ({"name": "Ada", "properties": {"city": "Lyon"}}, {"name": "Ada", "visits": None}, True),
        ({"name": "Ada", "properties": {"visits": 3}}, {"name": None, "city": "", "visits": 3}, True),
        ({"list": None, "name": "Ada", "properties": {"city": "Lyon"}}, {"name": "Ada"}, False),
    ],
)
def test_being_on_the_list_is_not_enough_the_content_has_to_be_there_too(mailjet, held, row, is_there):
    holding(mailjet, held)
    result = mailjet.deliver([schema(), person(1, **row), state(1)], nulls="clear", **NEVER)
    assert result.counts() == ({"delivered": 1} if is_there else {"rejected": 1})


@pytest.mark.parametrize(
    ("action", "held", "is_there"),
    [
        ("addnoforce", {}, True),
        ("addnoforce", {"unsubscribed": True}, True),
        ("addnoforce", {"list": None}, False),
        ("addforce", {}, True),
        ("addforce", {"unsubscribed": True}, False),
        ("unsub", {}, False),
        ("unsub", {"unsubscribed": True}, True),
        ("unsub", {"list": None}, False),
        ("remove", {}, False),
        ("remove", {"list": None}, True),
    ],
)
def test_what_the_memberships_must_be_depends_on_the_action(mailjet, action, held, is_there):
    holding(mailjet, {"name": "Person 1", "properties": {"city": "Lyon"}} | held)
    result = mailjet.deliver([schema(), person(1), state(1)], action=action, consent="force", **NEVER)
    assert result.counts() == ({"delivered": 1} if is_there else {"rejected": 1})


def test_nobody_whom_the_provider_does_not_know_is_delivered(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    assert mailjet.deliver([schema(), person(1), state(1)], **NEVER).outcomes["reasons"] == {"unconfirmed": 1}


@pytest.mark.parametrize("known", [True, False])
def test_account_wide_without_a_list_the_contact_itself_is_looked_for(mailjet, known):
    values = {"name": "Person 1", "properties": {"city": "Lyon"}}
    holding(mailjet, {"email": ADA if known else "other@example.com", "list": None} | values)
    result = mailjet.deliver([schema(), person(1), state(1)], scope="account", list=None, **NEVER)
    assert result.counts() == ({"delivered": 1} if known else {"rejected": 1})


def test_p5_members_withheld_from_a_removal_stay_withheld_when_its_job_is_abandoned(mailjet):
    mailjet.deliver([schema(), *people([1, 2, 3])])
    mailjet.opt_out(ADA)
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    result = mailjet.deliver([schema(), *(person(n, **GONE) for n in (1, 2, 3)), state(1)], **NEVER)
    assert result.counts() == {"withheld": 1, "rejected": 2}
    assert mailjet.statuses()[ADA] == "unsubscribed"


@pytest.mark.parametrize("call", ["*/getcontactslists", "/v3/REST/contact/*com", "/v3/REST/contactdata/*"])
def test_where_the_account_may_not_look_rows_stay_unconfirmed(mailjet, call):
    holding(mailjet, {"name": "Person 1", "properties": {"city": "Lyon"}})
    mailjet.sandbox.faults.add(kind="status", status=403, method="GET", path=call, times=None)
    result = mailjet.deliver([schema(), person(1), state(1)], **NEVER)
    assert result.outcomes["reasons"] == {"unconfirmed": 1}


def test_p3_a_run_that_fails_while_looking_leaves_the_batch_to_the_next_one(mailjet, monkeypatch):
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.0)
    holding(mailjet, {"name": "Person 1", "properties": {"city": "Lyon"}})
    fault = mailjet.sandbox.faults.add(kind="status", status=500, path="*/getcontactslists", times=None)
    failed = mailjet.deliver([schema(), person(1), state(1)], **NEVER)
    assert fault.hits
    assert failed.error is not None
    assert failed.states == []
    mailjet.sandbox.faults.clear()
    (job,) = mailjet.sandbox.mailjet.jobs()
    mailjet.sandbox.mailjet.finish_job(job["id"])
    result = mailjet.deliver([schema(), person(1), state(1)])
    assert (result.counts(), result.outcomes["resumed"]) == ({"unchanged": 1}, 1)
    assert result.states == [1]


def test_p3_rows_of_an_earlier_run_are_not_looked_for_but_come_again_and_are_counted(mailjet):
    holding(mailjet, {"name": "Person 1", "properties": {"city": "Lyon"}})
    mailjet.deliver([schema(), person(1), state(1)], job_timeout=0.1)
    mailjet.sandbox.counters.reset()
    result = mailjet.deliver([schema(), person(1), state(1)], job_abandon=0.1)
    assert result.outcomes["resubmitted"] == 1
    assert "GET /v3/REST/contactdata/{contact}" not in mailjet.sandbox.counters.calls


@pytest.mark.slow
def test_p7_looking_for_rows_leaves_no_address_in_the_log(mailjet):
    holding(mailjet, {})
    result = mailjet.deliver([schema(), *people(range(3)), state(1)], **NEVER)
    assert "reading 3 of its rows back" in result.log
    assert "@" not in result.log


@pytest.mark.parametrize(
    ("asked", "told", "is_same"),
    [
        ("Lyon", "Lyon", True),
        ("Lyon", "lyon", False),
        ("12", "12", True),
        (12, "12", True),
        (12, "12.5", False),
        (0, None, False),
        (0, "0", True),
        (1.5, "1.50", True),
        (1.5, "x", False),
        (1.5, 10**400, False),
        (1.5, [1.5], False),
        (12, 1e400, False),
        (True, "True", True),
        (True, "1", True),
        (False, "0", True),
        (False, None, False),
        (True, "yes", False),
        ("2024-02-11T23:03:03Z", "2024-02-11T23:03:03Z", True),
        (None, None, True),
        (None, "", True),
        (None, "x", False),
        ("", None, True),
    ],
)
def test_values_are_compared_by_their_types_although_all_are_told_as_text(asked, told, is_same):
    data = [] if told is None else [{"Name": "it", "Value": told}]
    assert has_values({"it": asked}, data) is is_same


@pytest.mark.parametrize("action", ["addforce", "unsub"])
@pytest.mark.parametrize("flag", [{}, {"IsUnsub": None}, {"IsUnsub": ""}])
def test_p1_a_membership_that_does_not_tell_whether_somebody_unsubscribed_confirms_nothing(action, flag):
    assert not has_effect_of(action, [5], [{"ListID": 5, **flag}])
