"""Who leaves a list: deletes, changed addresses, keys that share one, and the opt-outs of all these."""

from __future__ import annotations

import threading

import pytest

from mailing_api.http import client as http_client
from mailing_api.http.retry import RetryPolicy
from tests.faults.pairs import crossed
from tests.target.conftest import people, person, schema, state

GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}


def delete(number, **columns):
    return {"type": "RECORD", "stream": "people", "record": {"id": number} | GONE | columns}


# Deletes


@pytest.mark.slow
def test_a_delete_by_key_that_comes_again_is_unchanged(mailjet):
    mailjet.deliver([schema(), *people([1, 2])])
    mailjet.deliver([schema(), delete(1), state(1)])
    again = mailjet.deliver([schema(), delete(1), delete(3), state(1)])
    assert again.counts() == {"unchanged": 1, "rejected": 1}
    assert again.outcomes["reasons"] == {"unknown_key": 1}
    assert mailjet.deliver([schema(), person(1)]).counts() == {"delivered": 1}
    assert mailjet.deliver([schema(), delete(1)]).counts() == {"delivered": 1}


@pytest.mark.parametrize("runs", [1, 2])
def test_an_address_of_two_keys_is_removed_with_the_last_of_them(mailjet, runs):
    both = {"email": "both@example.com"}
    mailjet.deliver([schema(), person(1, **both), person(2, **both)])
    deletes = [delete(1), delete(2)]
    for some in [deletes] if runs == 1 else [[one] for one in deletes]:
        mailjet.deliver([schema(), *some])
    assert mailjet.statuses() == {}


def test_an_address_of_two_keys_that_come_and_go_in_one_input_is_removed(mailjet):
    both = {"email": "both@example.com"}
    result = mailjet.deliver([schema(), person(1, **both), person(2, **both), delete(1), delete(2), state(1)])
    assert result.error is None
    assert mailjet.statuses() == {}
    assert mailjet.deliver([schema(), delete(1), delete(2)]).counts() == {"unchanged": 2}


def test_an_address_that_both_its_keys_leave_in_one_input_is_removed(mailjet):
    both = {"email": "both@example.com"}
    mailjet.deliver([schema(), person(1, **both), person(2, **both)])
    mailjet.deliver([schema(), person(1, email="one@example.com"), person(2, email="two@example.com")])
    assert mailjet.statuses().keys() == {"one@example.com", "two@example.com"}


@pytest.mark.slow
def test_a_key_that_comes_to_an_address_just_delivered_has_it_too(mailjet):
    rows = [person(1), *(person(key, email="both@example.com", name="Both") for key in (1, 1, 2))]
    counts = mailjet.deliver([schema(), *rows], batch_rows=2).counts()
    assert counts.get("superseded", 0) + counts.get("unchanged", 0) == 2
    assert mailjet.deliver([schema(), delete(1)]).counts() == {"unchanged": 1}
    assert mailjet.statuses().keys() == {"both@example.com"}
    assert mailjet.deliver([schema(), delete(2)]).counts() == {"delivered": 1}
    assert mailjet.statuses() == {}


def test_an_address_that_two_keys_spell_in_two_ways_is_removed_with_the_last_of_them(mailjet):
    rows = [person(1, email="Both@example.com"), person(2, email="both@example.com")]
    mailjet.deliver([schema(), *rows, state(1)], batch_rows=2)
    result = mailjet.deliver([schema(), *rows, delete(1), delete(2), state(2)], send="all")
    assert result.error is None
    assert mailjet.statuses() == {}


@pytest.mark.slow
def test_a_row_removed_by_its_action_holds_its_address_no_more(mailjet):
    mailjet.deliver([schema(), *people([1, 2])])
    columns = {"no": {"type": "integer"}, "email": {"type": "string"}}
    leaver = {"type": "RECORD", "stream": "leavers", "record": {"no": 7, "email": "person1@example.com"}}
    leavers = {"streams": {"leavers": {"action": "remove", "properties": []}}}
    mailjet.deliver([schema("leavers", columns, ["no"]), leaver], **leavers)
    mailjet.deliver([schema(), person(1)], send="all")
    assert mailjet.deliver([schema(), delete(1)]).counts() == {"delivered": 1}
    assert mailjet.statuses().keys() == {"person2@example.com"}


@pytest.mark.parametrize(("how", "left"), [("remove", set()), ("keep", {"person1@example.com"})])
def test_a_deleted_row_with_another_address_takes_the_old_one_with_it(mailjet, how, left):
    mailjet.deliver([schema(), person(1)])
    result = mailjet.deliver([schema(), delete(1, email="new@example.com"), state(1)], on_key_change=how)
    assert result.counts() == {"delivered": 1}
    assert mailjet.statuses().keys() == left


@pytest.mark.parametrize("how", ["remove", "keep"])
@pytest.mark.parametrize("opted_out", [True, False])
def test_p5_a_deleted_row_with_the_address_of_another_key_is_that_of_its_own_address(mailjet, how, opted_out):
    """So a deletion is not lost, and whoever opted out is not forgotten by it."""
    mailjet.deliver([schema(), *people([1, 2])])
    if opted_out:
        mailjet.opt_out("person2@example.com")
    config = {"on_key_change": how}
    result = mailjet.deliver([schema(), delete(2, email="person1@example.com"), state(1)], **config)
    assert result.counts() == {"withheld" if opted_out else "delivered": 1}
    statuses = mailjet.statuses()
    assert statuses["person1@example.com"] == "subscribed"
    assert ("person2@example.com" in statuses) is (opted_out or how == "keep")
    assert mailjet.deliver([schema(), person(2, email="new@example.com")], **config).error is None
    assert (mailjet.statuses()["new@example.com"] == "subscribed") is not opted_out


@pytest.mark.slow
@pytest.mark.parametrize("told", [{}, {"email": "person1@example.com"}])
def test_p3_a_deletion_takes_off_also_who_may_have_arrived_where_the_key_shares_its_address(mailjet, told):
    both = {"email": "person1@example.com", "name": "Person 1"}
    mailjet.deliver([schema(), person(1), person(2, **both)])
    mailjet.sandbox.mailjet.plan_jobs([{"end": "stall"}])
    given_up = mailjet.deliver([schema(), person(2, email="new@example.com")], job_abandon=0.3)
    assert given_up.counts() == {"rejected": 1}
    mailjet.sandbox.mailjet.add_contacts([{"email": "new@example.com", "list": mailjet.list_id}])
    assert mailjet.deliver([schema(), delete(2, **told)]).counts() == {"delivered": 1}
    assert mailjet.statuses().keys() == {"person1@example.com"}


@pytest.mark.parametrize("how", ["remove", "keep"])
def test_p5_an_opt_out_at_both_addresses_of_a_key_follows_to_the_next(mailjet, how):
    """Whether the provider records the opt-out of somebody who is no member is unverified."""
    mailjet.sandbox.switches.change({"unsub_creates_membership": False})
    mailjet.deliver([schema(), person(1)])
    mailjet.opt_out("person1@example.com")
    for name, told in [("out", {"subscription_status": "unsubscribed"}), ("new", {})]:
        row = person(1, email=f"{name}@example.com", **told)
        assert mailjet.deliver([schema(), row], on_key_change=how).counts() == {"withheld": 1}
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed"}


@pytest.mark.slow
def test_p3_the_old_address_goes_also_where_the_new_one_was_delivered_before(mailjet):
    mailjet.deliver([schema(), person(1), person(2, name="Person 1")])
    moved = [schema(), person(1, email="person2@example.com"), state(1)]
    fault = mailjet.sandbox.faults.add(kind="status", status=403, method="POST", path="*managemanycontacts")
    assert mailjet.deliver(moved).error is not None
    assert fault.hits == 1
    assert mailjet.deliver(moved).counts() == {"delivered": 1}
    assert mailjet.statuses().keys() == {"person2@example.com"}


# Opt-outs


@pytest.mark.parametrize("config", [{}, {"consent": "force"}, {"consent": "force", "action": "addforce"}])
def test_p5_no_removal_erases_an_opt_out_whatever_the_settings(mailjet, config):
    mailjet.deliver([schema(), *people([1, 2])])
    mailjet.opt_out("person1@example.com")
    result = mailjet.deliver([schema(), delete(1), delete(2)], **config)
    assert result.counts() == {"withheld": 1, "delivered": 1}
    mailjet.deliver([schema(), *people([1, 2])])
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed", "person2@example.com": "subscribed"}


@pytest.mark.slow
def test_p5_a_deleted_row_that_tells_of_an_opt_out_is_no_removal(mailjet):
    mailjet.deliver([schema(), *people([1, 2])])
    told = {"subscription_status": "unsubscribed"}
    result = mailjet.deliver([schema(), delete(1, email="person1@example.com", **told), delete(2, **told)])
    assert result.counts() == {"delivered": 2}
    mailjet.deliver([schema(), *people([1, 2])])
    assert set(mailjet.statuses().values()) == {"unsubscribed"}
    mailjet.deliver([schema(), delete(1), person(2, email="new@example.com")])
    assert mailjet.statuses() == {
        "person1@example.com": "unsubscribed", "person2@example.com": "unsubscribed", "new@example.com": "unsubscribed",
    }  # fmt: skip


@pytest.mark.parametrize("config", [{"on_key_change": "keep"}, {}])
def test_p5_an_opt_out_follows_where_the_old_address_is_kept(mailjet, config):
    both = {"email": "both@example.com"}
    mailjet.deliver([schema(), person(1, **both), person(2, **both), person(3)])
    mailjet.opt_out("both@example.com")
    moved = [person(1, email="new1@example.com"), person(3, email="new3@example.com")]
    result = mailjet.deliver([schema(), *moved], **config)
    assert result.counts() == {"withheld": 1, "delivered": 1}
    statuses = mailjet.statuses()
    assert (statuses["both@example.com"], statuses["new1@example.com"]) == ("unsubscribed", "unsubscribed")
    assert statuses["new3@example.com"] == "subscribed"


def test_p5_an_opt_out_follows_also_where_the_removal_was_confirmed_before(mailjet):
    columns = {"no": {"type": "integer"}, "email": {"type": "string"}}
    leaver = {"type": "RECORD", "stream": "leavers", "record": {"no": 7, "email": "person1@example.com"}}
    leavers = {"streams": {"leavers": {"action": "remove", "properties": []}}}
    streams = [schema(), schema("leavers", columns, ["no"])]
    mailjet.deliver([*streams, person(1), leaver], **leavers)
    mailjet.opt_out("person1@example.com")
    result = mailjet.deliver([*streams, person(1, email="new@example.com"), leaver], **leavers)
    assert result.outcomes["withheld"] >= 1
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed", "new@example.com": "unsubscribed"}


def test_p5_an_opt_out_follows_through_several_addresses_at_once(mailjet):
    mailjet.deliver([schema(), person(1)])
    mailjet.opt_out("person1@example.com")
    mailjet.deliver([schema(), *(person(1, email=f"{name}@example.com") for name in "bcb")], batch_rows=1)
    assert set(mailjet.statuses().values()) == {"unsubscribed"}


@pytest.mark.slow
@pytest.mark.parametrize("creates", [True, False])
def test_p5_an_opt_out_follows_again_and_again(mailjet, creates):
    """Whether the provider records the opt-out of somebody who is no member is unverified."""
    mailjet.sandbox.switches.change({"unsub_creates_membership": creates})
    mailjet.deliver([schema(), person(1)])
    mailjet.opt_out("person1@example.com")
    rows = [person(1, email="new@example.com"), person(1, email="new@example.com", city="Nice")]
    for _ in range(3):
        result = mailjet.deliver([schema(), *rows])
        assert result.counts() == {"withheld": 2}
        assert mailjet.statuses().get("new@example.com") != "subscribed"
    assert mailjet.deliver([schema(), *rows[:1]]).counts() == {"withheld": 1}
    forced = mailjet.deliver([schema(), *rows], action="addforce", consent="force")
    assert forced.error is None
    assert mailjet.statuses()["new@example.com"] == "subscribed"
    assert mailjet.statuses()["person1@example.com"] == "unsubscribed"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("on_key_change", "config", "creates"),
    crossed(["remove", "keep"], [{}, {"batch_rows": 1, "jobs_in_flight": 1}, {"route": "contact"}], [True, False]),
)
def test_p5_an_opt_out_told_by_the_source_outlives_the_leaving_and_adding_of_other_keys(
    mailjet, creates, config, on_key_change
):
    mailjet.sandbox.switches.change({"unsub_creates_membership": creates})
    config = config | {"on_key_change": on_key_change}
    mailjet.deliver([schema(), *people([1, 2])], **config)
    told = {"email": "person1@example.com", "subscription_status": "unsubscribed"}
    rows = [person(1, email="new@example.com"), person(3, **told), person(2, email="person1@example.com")]
    for _ in range(3):
        assert mailjet.deliver([schema(), *rows], **config).error is None
        assert mailjet.statuses().get("person1@example.com") != "subscribed"
        assert mailjet.statuses()["new@example.com"] == "subscribed"


@pytest.mark.slow
@pytest.mark.parametrize("on_key_change", ["remove", "keep"])
@pytest.mark.parametrize("same", [True, False])
def test_p5_somebody_who_opted_out_at_both_addresses_is_not_added_by_another_key(mailjet, on_key_change, same):
    mailjet.sandbox.switches.change({"unsub_creates_membership": False})
    config = {"on_key_change": on_key_change, "batch_rows": 1}
    mailjet.deliver([schema(), person(1)])
    mailjet.opt_out("person1@example.com")
    new = {"email": "new@example.com", "name": "New"} | ({} if same else {"city": "Nice"})
    rows = [person(1, **new, subscription_status="unsubscribed"), person(2, email="new@example.com", name="New")]
    for _ in range(3):
        assert mailjet.deliver([schema(), *rows], **config).error is None
        assert mailjet.statuses() == {"person1@example.com": "unsubscribed"}


def test_p5_a_row_does_not_overtake_an_earlier_one_of_its_key(mailjet):
    eve, bob, kim = ({"email": f"{name}@example.com"} for name in ("eve", "bob", "kim"))
    rows = [person(2, **eve), person(1, **eve), person(1, **bob)]
    mailjet.deliver([schema(), *rows], action="addforce", consent="force", batch_rows=1)
    mailjet.opt_out("bob@example.com")
    assert mailjet.deliver([schema(), person(1, **kim)]).counts() == {"withheld": 1}
    assert mailjet.statuses().get("kim@example.com") != "subscribed"


def test_p5_an_opt_out_of_one_list_says_nothing_of_another(mailjet):
    mailjet.sandbox.switches.change({"unsub_creates_membership": False})
    other = mailjet.sandbox.mailjet.add_list("Firms")
    columns = schema()["schema"]["properties"] | {"lists": {"type": "array"}}
    ids = [{"list": mailjet.list_id}, {"list": other}]
    out = person(1, lists=ids[:1], subscription_status="unsubscribed")
    rows = [out, person(2, email="person1@example.com", lists=ids)]
    assert mailjet.deliver([schema(columns=columns), *rows], route="contact", batch_rows=1).error is None
    assert (mailjet.statuses(), mailjet.statuses("Firms")) == ({}, {"person1@example.com": "subscribed"})


@pytest.mark.slow
def test_p5_an_abandoned_removal_does_not_lose_the_opt_outs_that_were_found(mailjet):
    mailjet.deliver([schema(), *people([1, 2])])
    mailjet.opt_out("person1@example.com")
    mailjet.sandbox.mailjet.plan_jobs([{"end": "stall"}])
    moved = [person(1, email="new1@example.com"), person(2, email="new2@example.com")]
    result = mailjet.deliver([schema(), *moved], job_abandon=0.3)
    assert result.counts() == {"withheld": 1, "rejected": 1}
    assert mailjet.statuses()["new1@example.com"] == "unsubscribed"


def test_p5_a_membership_that_tells_nothing_of_opt_outs_is_not_removed(mailjet, monkeypatch):
    monkeypatch.setattr(http_client, "RetryPolicy", lambda: RetryPolicy(fault_tries=1))
    mailjet.deliver([schema(), person(1)])
    mailjet.sandbox.faults.add(
        kind="status", status=200, path="*getcontactslists",
        content=f'{{"Count":1,"Data":[{{"ListID":{mailjet.list_id},"IsActive":true}}],"Total":1}}',
    )  # fmt: skip
    result = mailjet.deliver([schema(), delete(1), state(1)])
    assert "the response could not be read" in str(result.error)
    assert (result.counts(), result.states) == ({}, [])
    assert mailjet.statuses() == {"person1@example.com": "subscribed"}
    assert mailjet.deliver([schema(), delete(1), state(1)]).counts() == {"delivered": 1}
    assert mailjet.statuses() == {}


def test_p5_somebody_who_opts_out_while_the_job_runs_stays_so(mailjet):
    fault = mailjet.sandbox.faults.add(kind="hold", method="POST", path="*managemanycontacts")
    mailjet.sandbox.mailjet.add_contacts([{"email": "person1@example.com", "list": mailjet.list_id}])

    def opt_out():
        fault.wait_until_held()
        mailjet.opt_out("person1@example.com")
        fault.release()

    thread = threading.Thread(target=opt_out)
    thread.start()
    assert mailjet.deliver([schema(), *people([1, 2])]).counts() == {"delivered": 2}
    thread.join()
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed", "person2@example.com": "subscribed"}


def test_asking_is_no_action_that_a_row_can_wish_for(mailjet):
    columns = schema()["schema"]["properties"] | {"verb": {"type": "string"}}
    result = mailjet.deliver([schema(columns=columns), person(1, verb="ask")], action_column="verb")
    assert result.outcomes["reasons"] == {"unknown_action": 1}
