"""Contact by contact: rows that name their own lists, each with its outcome in the provider's answers."""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace

import httpx
import pytest

from mailing_api.errors import ConfigurationError
from mailing_api.http import client as http_client
from mailing_api.http.retry import RetryPolicy
from target_mailing.journal import run_contacts
from target_mailing.mailjet.lists_column import laid_over
from target_mailing.target import TargetMailing
from tests.target.conftest import COLUMNS, LIST, people, person, schema, state

ADA = "person1@example.com"
GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
QUICK = RetryPolicy(throttle_base=0.02, throttle_cap=0.1, fault_base=0.02, fault_cap=0.1)
MANAGE = "*/managecontactslists"
CALLS = {
    "create": "POST /v3/REST/contact",
    "rename": "PUT /v3/REST/contact/{contact}",
    "values": "PUT /v3/REST/contactdata/{contact}",
    "lists": "POST /v3/REST/contact/{contact}/managecontactslists",
}


@pytest.fixture
def contacts(mailjet):
    for name in ("Firms", "Trials"):
        mailjet.sandbox.mailjet.add_list(name)
    mailjet.config["route"] = "contact"
    return mailjet


def table(**columns):
    return schema(columns=COLUMNS | {"lists": {"type": ["array", "string", "null"]}} | columns)


def on(number, *entries, **columns):
    """A row with its lists, each given as a name or as a name and an action."""
    named = [{"list": one} if isinstance(one, str) else {"list": one[0], "action": one[1]} for one in entries]
    return person(number, **{"lists": named} | columns)


def calls(mailjet):
    return {name: count for name, call in CALLS.items() if (count := mailjet.sandbox.counters.calls.get(call))}


def opt_out(mailjet, email, *names):
    lists = [{"email": email, "list": mailjet.ids[name], "unsubscribed": True} for name in names]
    mailjet.sandbox.mailjet.add_contacts(lists)


# A removal that failed


@pytest.mark.parametrize("kind", [{"kind": "status", "status": 500}, {"kind": "reply_lost"}])
def test_p5_an_opt_out_before_a_removal_is_repeated_stays(contacts, monkeypatch, kind):
    monkeypatch.setattr(http_client, "RetryPolicy", lambda: QUICK)
    contacts.sandbox.mailjet.add_contacts([{"email": ADA, "list": contacts.list_id}])
    contacts.sandbox.faults.add(**kind, method="POST", path=MANAGE)
    asked = {"method": "GET", "path": "*/getcontactslists", "skip": 1}
    hold = contacts.sandbox.faults.add(kind="hold", when="before", **asked)
    results = []
    rows = [schema(), person(1, **GONE), state(1)]
    run = threading.Thread(target=lambda: results.append(contacts.deliver(rows)))
    run.start()
    hold.wait_until_held()
    opt_out(contacts, ADA, LIST)
    hold.release()
    run.join(60)
    assert (results[0].error, results[0].states, results[0].counts()) == (None, [1], {"withheld": 1})
    assert contacts.statuses() == {ADA: "unsubscribed"}


def test_a_removal_that_failed_is_repeated(contacts, monkeypatch):
    monkeypatch.setattr(http_client, "RetryPolicy", lambda: QUICK)
    contacts.sandbox.mailjet.add_contacts([{"email": ADA, "list": contacts.list_id}])
    contacts.sandbox.faults.add(kind="status", status=500, method="POST", path=MANAGE, times=2)
    assert contacts.deliver([schema(), person(1, **GONE), state(1)]).counts() == {"delivered": 1}
    assert contacts.statuses() == {}


# Where rows go


def test_rows_go_to_the_lists_that_they_name_and_the_others_to_the_setting_list(contacts):
    rows = [on(1, "Firms", ("Trials", "unsub")), person(2, lists=None), person(3), on(4)]
    result = contacts.deliver([table(), *rows, state(1)])
    assert result.error is None
    assert result.counts() == {"delivered": 4}
    assert result.states == [1]
    assert contacts.statuses("Firms") == {ADA: "subscribed"}
    assert contacts.statuses("Trials") == {ADA: "unsubscribed"}
    assert contacts.statuses() == {"person2@example.com": "subscribed", "person3@example.com": "subscribed"}
    assert contacts.sandbox.mailjet.contacts().keys() == {f"person{n}@example.com" for n in (1, 2, 3, 4)}
    assert contacts.sandbox.mailjet.jobs() == []


def test_an_entry_without_an_action_has_that_of_the_row(contacts):
    rows = [on(1, "Firms", verb="unsub"), on(2, "Firms", verb=None)]
    contacts.deliver([table(verb={"type": ["string", "null"]}), *rows], action_column="verb")
    assert contacts.statuses("Firms") == {ADA: "unsubscribed", "person2@example.com": "subscribed"}


@pytest.mark.parametrize("how", ["id", "text", "name", "address"])
def test_a_row_may_name_a_list_by_id_name_or_address(contacts, how):
    firms = next(row for row in contacts.sandbox.mailjet._account.store.lists.rows if row.name == "Firms")
    value = {"id": firms.id, "text": str(firms.id), "name": firms.name, "address": firms.address}[how]
    assert contacts.deliver([table(), person(1, lists=[{"list": value}])]).counts() == {"delivered": 1}
    assert ADA in contacts.statuses("Firms")


def test_account_wide_a_row_without_lists_goes_to_all_lists_of_the_setting(contacts):
    contacts.deliver([table(), person(1), on(2, "Trials")], scope="account", list=[LIST, "Firms"])
    assert contacts.statuses().keys() == contacts.statuses("Firms").keys() == {ADA}
    assert contacts.statuses("Trials").keys() == {"person2@example.com"}


def test_without_the_setting_list_every_row_needs_its_lists(contacts):
    result = contacts.deliver([table(), on(1, "Firms"), person(2), state(1)], list=None)
    assert result.counts() == {"delivered": 1, "rejected": 1}
    assert result.outcomes["reasons"] == {"unknown_list": 1}
    assert contacts.statuses("Firms").keys() == {ADA}


@pytest.mark.parametrize(
    ("lists", "code"),
    [
        ("Firms", "wrong_type"),
        (["Firms"], "wrong_type"),
        ([{"action": "unsub"}], "wrong_type"),
        ([{"list": True}], "wrong_type"),
        ([{"list": "Firms", "action": 1}], "wrong_type"),
        ([{"list": "Firms", "Action": "unsub"}], "wrong_type"),
        ([{"list": "Nobody's"}], "unknown_list"),
        ([{"list": 7}], "unknown_list"),
        ([{"list": "Firms"}, {"list": "Nobody's"}], "unknown_list"),
        ([{"list": "Firms", "action": "dance"}], "unknown_action"),
    ],
)
def test_p9_what_the_column_may_not_hold_rejects_the_row_before_any_call_for_it(contacts, lists, code):
    result = contacts.deliver([table(), person(1, lists=lists), on(2, "Firms"), state(1)])
    assert result.counts() == {"delivered": 1, "rejected": 1}
    assert result.outcomes["reasons"] == {code: 1}
    assert contacts.statuses("Firms").keys() == {"person2@example.com"}
    assert ADA not in contacts.sandbox.mailjet.contacts()


def test_a_name_of_several_lists_and_a_deleted_list_are_unknown(contacts):
    contacts.sandbox.mailjet.add_list("Gone")
    with httpx.Client(
        base_url=contacts.sandbox.url, auth=(contacts.sandbox.api_key, contacts.sandbox.secret_key), verify=False
    ) as one:
        one.delete(f"/v3/REST/contactslist/{contacts.ids['Gone']}")
    contacts.sandbox.mailjet._account.store.lists.rows[-2].name = "Firms"
    result = contacts.deliver([table(), on(1, "Firms"), on(2, "Gone"), state(1)])
    assert result.outcomes["reasons"] == {"unknown_list": 2}
    assert "several lists" in result.rejects[0]["record"]["_reject_reason"]


# What is done


def test_only_what_differs_is_called_for(contacts):
    contacts.deliver([table(), on(1, "Firms", city=None)])
    assert calls(contacts) == {"create": 1, "lists": 1}
    contacts.sandbox.counters.reset()
    contacts.deliver([table(), on(1, "Firms", ("Trials", "unsub"), name="Ada", city="Nice")])
    assert calls(contacts) == {"rename": 1, "values": 1, "lists": 1}
    contacts.sandbox.counters.reset()
    contacts.deliver([table(), on(1, name="Ada", city="Nice")])
    assert calls(contacts) == {"values": 1}


def test_properties_are_set_and_cleared_one_by_one(contacts):
    contacts.deliver([table(), on(1, "Firms", visits=3, properties={"vip": True})])
    contacts.deliver([table(), on(1, "Firms", city=None, visits=4)], nulls="clear")
    assert contacts.members("Firms")[ADA]["properties"] == {"visits": "4", "vip": "true"}
    assert contacts.members("Firms")[ADA]["name"] == "Person 1"


def test_rows_are_unchanged_until_their_content_or_their_lists_change(contacts):
    contacts.deliver([table(), on(1, "Firms", ("Trials", "unsub"))])
    contacts.sandbox.counters.reset()
    same = [{"list": contacts.ids["Trials"], "action": "unsub"}, {"list": "Firms", "action": "addnoforce"}]
    assert contacts.deliver([table(), person(1, lists=same)]).counts() == {"unchanged": 1}
    assert calls(contacts) == {}
    assert contacts.deliver([table(), on(1, "Firms")]).counts() == {"delivered": 1}


def test_the_lists_of_a_later_row_are_laid_over_those_of_an_earlier_one(contacts):
    rows = [
        on(1, "Firms", ("Trials", "unsub"), name="Ada"),
        on(2, ("Trials", "addnoforce"), LIST, email=ADA, city=None),
    ]
    result = contacts.deliver([table(), *rows, state(1)])
    assert result.counts() == {"superseded": 1, "delivered": 1}
    assert calls(contacts)["lists"] == 1
    assert contacts.statuses("Firms") == contacts.statuses() == {ADA: "subscribed"}
    assert contacts.statuses("Trials") == {ADA: "unsubscribed"}
    assert contacts.members("Firms")[ADA]["properties"] == {"city": "Lyon"}


@pytest.mark.parametrize(("most", "are_apart"), [(1, False), (16_384, False), (16_384, True)])
def test_p5_an_opt_out_of_one_list_is_remembered_until_the_end_of_the_run(contacts, monkeypatch, most, are_apart):
    """Mailjet records none of people who are not on the list, and the rows go in batches of their own."""
    monkeypatch.setattr(run_contacts, "_RECENT", most)
    contacts.sandbox.mailjet.change(unsub_creates_membership=False)
    rows = [
        on(1, ("Trials", "unsub"), "Firms"),
        on(2, ("Firms", "unsub")),
        on(1, "Trials", ("Firms", "remove"), city="Nice"),
        on(2, "Trials", "Firms", city="Nice"),
        on(3, "Trials"),
    ]
    lines = [contacts.text([one]) for one in (table(), *rows, state(1))]
    pieces = iter(lines if are_apart else ["".join(lines)])
    result = contacts.deliver_from(SimpleNamespace(read=lambda _: next(pieces, "")), batch_rows=1)
    assert (result.counts(), result.states) == ({"delivered": 5}, [1])
    assert contacts.statuses("Trials").keys() == {"person2@example.com", "person3@example.com"}
    assert contacts.statuses("Firms") == {}
    assert contacts.deliver([table(), rows[2]]).counts() == {"delivered": 1}  # it was not sent as it is
    assert ADA in contacts.statuses("Trials")


def test_one_entry_has_the_effect_of_two_or_leaves_the_person_out():
    def after(status, action):
        if action == "remove":
            return status if status == "opted out" else "absent"
        if action == "unsub":
            return "opted out"
        return "opted out" if status == "opted out" and action == "addnoforce" else "subscribed"

    actions = ("addnoforce", "addforce", "remove", "unsub")
    for status, first, second in itertools.product(("absent", "subscribed", "opted out"), actions, actions):
        (one,) = laid_over({"5": first}, {"5": second}).values()
        expected = after(after(status, first), second)
        if (status, first, second) == ("opted out", "addforce", "remove"):
            expected = "opted out"  # one action cannot do both, and the safe one stays
        assert after(status, one) == expected, (status, first, second)


def test_all_columns_as_properties_leaves_the_lists_out(contacts):
    contacts.sandbox.mailjet.add_property("lists")
    columns = {name: COLUMNS[name] for name in ("id", "email", "name", "city")} | {"lists": {"type": ["array", "null"]}}
    result = contacts.deliver([schema(columns=columns), on(1, "Firms")], properties="all")
    assert result.counts() == {"delivered": 1}


@pytest.mark.slow
def test_small_batches_travel_side_by_side(contacts):
    fault = contacts.sandbox.faults.add(kind="hold", method="POST", path="/v3/REST/contact", when="before", times=None)
    results = []
    run = threading.Thread(target=lambda: results.append(contacts.deliver([table(), *people(range(130)), state(1)])))
    run.start()
    fault.wait_until_held(2)
    fault.release()
    run.join(60)
    assert results[0].counts() == {"delivered": 130}
    assert results[0].outcomes["batches"] == 2
    assert results[0].states == [1]


# What the provider refuses


@pytest.mark.parametrize("partial", [True, False])
def test_a_list_that_is_deleted_meanwhile_rejects_its_rows_with_the_faulty_entries(contacts, partial):
    contacts.sandbox.mailjet.change(managecontactslists_partial=partial)
    fault = contacts.sandbox.faults.add(kind="hold", method="POST", path="/v3/REST/contact", when="before")
    results = []
    rows = [table(), on(1, "Firms", "Trials"), on(2, "Firms"), state(1)]
    run = threading.Thread(target=lambda: results.append(contacts.deliver(rows)))
    run.start()
    fault.wait_until_held()
    with httpx.Client(
        base_url=contacts.sandbox.url, auth=(contacts.sandbox.api_key, contacts.sandbox.secret_key), verify=False
    ) as one:
        one.delete(f"/v3/REST/contactslist/{contacts.ids['Trials']}")
    fault.release()
    run.join(30)
    (result,) = results
    assert result.counts() == {"delivered": 1, "rejected": 1}
    assert result.outcomes["reasons"] == {"refused_by_provider": 1}
    reason = result.rejects[0]["record"]["_reject_reason"]
    assert "listID missing or not valid" in reason
    assert str(contacts.ids["Trials"]) in reason
    assert str(contacts.ids["Firms"]) not in reason
    assert "unverified" in reason


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("POST", "/v3/REST/contact", 'Internal error: Invalid email address "x", reason: "odd"'),
        ("PUT", "/v3/REST/contact/*", "MJ08 Property Name is invalid"),
        (
            "PUT",
            "/v3/REST/contactdata/*",
            '[{ "birthday" : "CM09 "soon" is not a valid datetime value for key birthday" }]',
        ),
        ("POST", MANAGE, "Object not found"),
    ],
)
def test_a_row_that_the_provider_refuses_is_rejected_with_its_words_and_nothing_more_is_done(
    contacts, method, path, message
):
    contacts.sandbox.mailjet.add_contacts([{"email": "person2@example.com", "name": "Old"}])
    contacts.sandbox.faults.add(kind="status", status=400, message=message, method=method, path=path)
    first = on(2, "Firms") if path == "/v3/REST/contact/*" else on(1, "Firms")
    result = contacts.deliver([table(), first, on(3, "Firms"), state(1)])
    assert result.counts() == {"delivered": 1, "rejected": 1}
    assert result.outcomes["reasons"] == {"refused_by_provider": 1}
    assert message in result.rejects[0]["record"]["_reject_reason"]
    assert message not in result.log
    assert contacts.statuses("Firms").keys() == {"person3@example.com"}


def test_a_contact_that_is_unknown_and_then_exists_is_looked_up_again(contacts):
    contacts.sandbox.mailjet.add_contacts([{"email": ADA, "name": "Old"}])
    contacts.sandbox.faults.add(kind="status", status=404, method="GET", path="/v3/REST/contact/*")
    assert contacts.deliver([table(), on(1, "Firms")]).counts() == {"delivered": 1}
    assert contacts.members("Firms")[ADA]["name"] == "Person 1"


def test_a_contact_that_is_unknown_and_exists_for_good_is_rejected(contacts):
    contacts.sandbox.mailjet.add_contacts([{"email": ADA}])
    contacts.sandbox.faults.add(kind="status", status=404, method="GET", path="/v3/REST/contact/*", times=None)
    assert contacts.deliver([table(), on(1, "Firms")]).outcomes["reasons"] == {"refused_by_provider": 1}


@pytest.mark.parametrize("path", ["/v3/REST/contact", MANAGE])
@pytest.mark.parametrize("kind", ["reply_lost", "cut_body", "html", "reset"])
def test_a_lost_reply_is_asked_for_again_since_every_call_converges(contacts, monkeypatch, path, kind):
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.0)
    contacts.sandbox.faults.add(kind=kind, method="POST", path=path)
    result = contacts.deliver([table(), on(1, "Firms"), on(2, ("Firms", "unsub")), state(1)])
    assert (result.error, result.counts()) == (None, {"delivered": 2})
    assert contacts.statuses("Firms") == {ADA: "subscribed", "person2@example.com": "unsubscribed"}


# After a run that failed


def test_p3_rows_that_may_have_arrived_come_again_and_are_counted(contacts):
    contacts.sandbox.faults.add(kind="status", status=403, method="POST", path=MANAGE, skip=2, times=None)
    failed = contacts.deliver([table(), *(on(n, "Firms") for n in range(5)), state(1)])
    assert "administrator" in str(failed.error)
    assert failed.states == []
    assert len(contacts.statuses("Firms")) == 2
    contacts.sandbox.faults.clear()
    rows = [*(on(n, "Firms") for n in range(4)), on(4, "Trials")]
    result = contacts.deliver([table(), *rows, state(1)])
    assert result.counts() == {"delivered": 5}
    assert result.outcomes["resubmitted"] == 4
    assert len(contacts.statuses("Firms")) == 4
    assert result.states == [1]


def test_p3_a_batch_left_on_this_route_is_taken_on_by_the_other(contacts):
    contacts.sandbox.faults.add(kind="status", status=403, method="POST", path=MANAGE)
    contacts.deliver([table(), *people(range(3)), state(1)])
    result = contacts.deliver([table(), *people(range(3)), state(1)], route="json")
    assert result.counts() == {"delivered": 3}
    assert contacts.statuses().keys() == {f"person{n}@example.com" for n in range(3)}


# Consent


@pytest.mark.parametrize("consent", ["respect", "force"])
def test_p5_an_entry_that_adds_by_force_undoes_an_opt_out_only_with_consent_force(contacts, consent):
    opt_out(contacts, ADA, "Firms")
    contacts.deliver([table(), on(1, ("Firms", "addforce"), "Trials")], consent=consent)
    assert contacts.statuses("Firms")[ADA] == ("subscribed" if consent == "force" else "unsubscribed")
    assert contacts.statuses("Trials")[ADA] == "subscribed"


def test_p5_opt_outs_at_the_source_become_opt_outs_on_every_list_that_is_not_left(contacts):
    contacts.deliver([table(), on(1, "Firms", LIST)])
    rows = [
        on(1, ("Firms", "addforce"), "Trials", (LIST, "remove"), subscription_status="unsubscribed"),
        on(2, "Firms", subscription_status="excluded"),
    ]
    result = contacts.deliver([table(), *rows], consent="force")
    assert result.counts() == {"delivered": 1, "withheld": 1}
    assert contacts.statuses("Firms") == contacts.statuses("Trials") == {ADA: "unsubscribed"}
    assert contacts.statuses() == {}


@pytest.mark.slow
def test_p5_nobody_who_opted_out_is_removed_and_the_row_is_withheld_if_nothing_else_is_left(contacts):
    contacts.deliver([table(), *(on(n, "Firms", "Trials") for n in (1, 2, 3))])
    opt_out(contacts, ADA, "Firms")
    opt_out(contacts, "person2@example.com", "Firms", "Trials")
    rows = [on(n, ("Firms", "remove"), ("Trials", "remove")) for n in (1, 2, 3)]
    result = contacts.deliver([table(), *rows, state(1)])
    assert result.counts() == {"delivered": 2, "withheld": 1}
    assert contacts.statuses("Firms") == {ADA: "unsubscribed", "person2@example.com": "unsubscribed"}
    assert contacts.statuses("Trials") == {"person2@example.com": "unsubscribed"}
    forced = contacts.deliver([table(), *rows, state(1)], consent="force", send="all")
    assert forced.counts() == {"delivered": 2, "withheld": 1}
    assert contacts.statuses("Firms") == {ADA: "unsubscribed", "person2@example.com": "unsubscribed"}


def test_p5_the_opt_out_is_read_before_anything_is_written(contacts):
    opt_out(contacts, ADA, "Firms")
    contacts.sandbox.faults.add(kind="status", status=403, method="GET", path="*/getcontactslists", times=None)
    failed = contacts.deliver([table(), on(1, ("Firms", "remove"), "Trials")])
    assert failed.error is not None
    assert calls(contacts) == {}


def test_leaving_lists_neither_creates_nor_changes_the_contact(contacts):
    contacts.deliver([table(), on(1, "Firms")])
    rows = [on(1, ("Firms", "remove"), name="Later"), on(2, ("Firms", "remove"))]
    assert contacts.deliver([table(), *rows]).counts() == {"delivered": 2}
    assert contacts.statuses("Firms") == {}
    assert contacts.sandbox.mailjet.contacts().keys() == {ADA}
    assert contacts.sandbox.mailjet.contacts()[ADA]["name"] == "Person 1"


# Deletes and changed addresses


def test_a_deleted_row_leaves_all_the_lists_that_it_names(contacts):
    contacts.deliver([table(), on(1, "Firms", "Trials", LIST), on(2, "Firms")])
    result = contacts.deliver([table(), on(1, "Firms", ("Trials", "addforce"), **GONE), on(2, **GONE), state(1)])
    assert result.counts() == {"delivered": 2}
    assert contacts.statuses("Firms").keys() == {"person2@example.com"}
    assert contacts.statuses("Trials") == {}
    assert contacts.statuses().keys() == {ADA}


@pytest.mark.parametrize("name", [LIST, None])
def test_a_delete_with_only_its_key_is_from_the_setting_list_and_needs_it(contacts, name):
    contacts.deliver([table(), on(1, LIST, "Firms")], list=name)
    delete = {"type": "RECORD", "stream": "people", "record": {"id": 1} | GONE}
    result = contacts.deliver([table(), delete, state(1)], list=name)
    if name is None:
        assert result.outcomes["reasons"] == {"unknown_list": 1}
        assert contacts.statuses().keys() == {ADA}
    else:
        assert result.counts() == {"delivered": 1}
        assert contacts.statuses() == {}
    assert contacts.statuses("Firms").keys() == {ADA}


@pytest.mark.parametrize("name", [LIST, None])
def test_an_old_address_leaves_the_lists_that_the_row_names_under_its_new_one(contacts, name):
    contacts.deliver([table(), on(1, "Firms", "Trials")], list=name)
    result = contacts.deliver([table(), on(1, "Firms", "Trials", email="new@example.com"), state(1)], list=name)
    assert result.counts() == {"delivered": 1}
    assert contacts.statuses("Firms").keys() == contacts.statuses("Trials").keys() == {"new@example.com"}


def test_p5_somebody_who_opted_out_of_one_of_the_lists_stays_so_under_a_new_address(contacts):
    contacts.deliver([table(), on(1, "Firms", "Trials")])
    opt_out(contacts, ADA, "Trials")
    moved = on(1, "Firms", ("Trials", "addforce"), email="new@example.com")
    result = contacts.deliver([table(), moved, state(1)])
    assert result.counts() == {"withheld": 1}
    assert contacts.statuses("Firms") == {"new@example.com": "unsubscribed"}
    assert contacts.statuses("Trials") == {ADA: "unsubscribed", "new@example.com": "unsubscribed"}


# Settings, logs


def test_p9_two_routes_to_one_list_and_several_lists_are_refused(contacts):
    result = contacts.deliver([table(), schema("firms"), person(1), state(1)], streams={"firms": {"route": "json"}})
    assert isinstance(result.error, ConfigurationError)
    assert "`streams`" in str(result.error)
    result = contacts.deliver([table(), person(1), state(1)], list=[LIST, "Firms"])
    assert "`list`" in str(result.error)
    assert contacts.sandbox.mailjet.contacts() == {}


def test_p7_nothing_of_a_row_is_in_the_log(contacts):
    message = f'MJ18 A Contact resource with value "{ADA}" for Email already exists.'
    contacts.sandbox.faults.add(kind="status", status=400, message=message, method="POST", path=MANAGE)
    opt_out(contacts, "person3@example.com", "Firms")
    rows = [on(1, "Firms"), on(2, "Nobody's"), on(3, ("Firms", "remove")), on(4, "Firms")]
    result = contacts.deliver([table(), *rows, state(1)])
    assert result.counts() == {"delivered": 1, "rejected": 2, "withheld": 1}
    assert "@" not in result.log
    assert "Nobody" not in result.log


def test_check_finds_nothing_wrong_without_a_list(contacts, capsys):
    TargetMailing(config=contacts.settings(list=None)).check()
    assert "of-each-row" in capsys.readouterr().out


def test_p4_a_contact_that_was_made_unseen_is_found_after_a_refusal_that_cannot_be_read(contacts):
    path = "/v3/REST/contact"
    faults = contacts.sandbox.faults
    faults.add(kind="reply_lost", method="POST", path=path)
    faults.add(kind="status", status=400, body="html", method="POST", path=path)
    result = contacts.deliver([table(), on(1, "Firms"), state(1)])
    assert (result.states, result.counts()) == ([1], {"delivered": 1})
    faults.add(kind="status", status=400, body="html", method="POST", path=path)
    result = contacts.deliver([table(), on(2, "Firms"), on(3, "Firms"), state(2)])
    assert result.outcomes["reasons"] == {"refused_by_provider": 1}


def test_p5_an_opt_out_of_a_list_goes_where_nobody_may_be_removed(contacts):
    everywhere = [on(number, "Firms", "Trials", LIST) for number in (1, 2)]
    assert contacts.deliver([table(), *everywhere, state(1)]).states == [1]
    rows = [
        on(1, ("Firms", "remove"), ("Trials", "unsub")),
        on(2, ("Firms", "remove")),
        on(2, ("Trials", "unsub"), LIST, city="Nice"),  # which waits behind the removal
    ]
    result = contacts.deliver([table(), *rows, state(2)], max_removals=0)
    assert "2 contacts would be removed; the limit is 0." in str(result.error)
    assert (result.counts(), result.states) == ({}, [])
    assert {*contacts.statuses("Trials").values()} == {"unsubscribed"}
    assert {*contacts.statuses("Firms").values(), *contacts.statuses(LIST).values()} == {"subscribed"}
    assert contacts.deliver([table(), *rows, state(2)]).states == [2]
    assert contacts.statuses("Firms") == {}
    assert contacts.members(LIST)["person2@example.com"]["properties"]["city"] == "Nice"


def test_p5_opt_outs_of_keys_go_where_nobody_may_be_removed(contacts):
    assert contacts.deliver([schema(), *people(range(4)), state(1)]).states == [1]
    rows = [{"id": 0, **GONE}, {"id": 1, **GONE, "subscription_status": "unsubscribed"}, {"id": 2, **GONE}]
    lines = [{"type": "RECORD", "stream": "people", "record": row} for row in rows]
    lines += [person(2, subscription_status="unsubscribed"), person(2, subscription_status="unsubscribed")]
    result = contacts.deliver([schema(), *lines, state(2)], max_removals=0)
    assert "2 contacts would be removed; the limit is 0." in str(result.error)
    assert result.states == []
    statuses = [contacts.statuses()[f"person{number}@example.com"] for number in range(4)]
    assert statuses == ["subscribed", "unsubscribed", "unsubscribed", "subscribed"]


@pytest.mark.parametrize("send", ["changed", "all"])
def test_p9_removals_from_lists_that_were_made_do_not_count_when_their_rows_come_again(contacts, send):
    assert contacts.deliver([table(), *(on(number, "Firms") for number in range(3)), state(1)]).states == [1]
    rows = [on(number, ("Firms", "remove"), LIST) for number in range(3)]
    assert contacts.deliver([table(), *rows, state(2)], allow_removals_once=3, max_removals=0).states == [2]
    again = contacts.deliver([table(), *rows, state(3)], max_removals=0, send=send)
    assert (again.error, again.states) == (None, [3])
    assert again.counts() == ({"unchanged": 3} if send == "changed" else {"delivered": 3})
    # Whoever was added in between counts, in the same run and in another one.
    held = contacts.deliver([table(), on(0, "Firms"), *rows, state(4)], max_removals=0, send=send)
    assert "1 contact would be removed; the limit is 0." in str(held.error)
    assert contacts.deliver([table(), on(1, "Firms"), state(5)], max_removals=0).states == [5]
    held = contacts.deliver([table(), *rows, state(6)], max_removals=0, send=send)
    assert "2 contacts would be removed; the limit is 0." in str(held.error)
    assert {*contacts.members("Firms")} == {"person0@example.com", "person1@example.com"}


def test_p5_all_opt_outs_of_a_contact_from_lists_go_where_nobody_may_be_removed(contacts):
    everywhere = [on(number, "Firms", "Trials", LIST) for number in (1, 2)]
    assert contacts.deliver([table(), *everywhere, state(1)]).states == [1]
    rows = [on(1, ("Firms", "remove"), (name, "unsub")) for name in ("Trials", LIST)]
    rows += [on(2, ("Firms", "remove"), ("Trials", "unsub"))]
    later = [*rows, on(2, ("Firms", "remove"), (LIST, "unsub"))]
    for lines, out in ((rows, 1), (later, 2)):
        result = contacts.deliver([table(), *lines, state(2)], max_removals=0)
        assert "2 contacts would be removed; the limit is 0." in str(result.error)
        assert (result.counts(), result.states) == ({}, [])
        assert {*contacts.statuses("Trials").values()} == {"unsubscribed"}
        assert [*contacts.statuses(LIST).values()].count("unsubscribed") == out
    assert {*contacts.statuses("Firms").values()} == {"subscribed"}


def test_p5_other_opt_outs_from_lists_go_in_the_next_run_where_nobody_may_be_removed(contacts):
    assert contacts.deliver([table(), on(1, "Firms", "Trials", LIST), state(1)]).states == [1]
    for name in ("Trials", LIST):
        row = on(1, ("Firms", "remove"), (name, "unsub"))
        assert contacts.deliver([table(), row, state(2)], max_removals=0).states == []
        assert contacts.statuses(name) == {ADA: "unsubscribed"}
