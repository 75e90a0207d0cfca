"""A contact list of Amazon SES that equals its stream."""

from __future__ import annotations

import pytest

from target_mailing.ses.destination import Contacts
from tests.target.conftest import COLUMNS, people, person, schema, state

TOTAL = {"total": {"type": "integer"}}


def rows(numbers):
    numbers = [*numbers]
    return [schema(columns=COLUMNS | TOTAL), *people(numbers, total=len(numbers)), state(1)]


def emails(numbers):
    return {f"person{number}@example.com" for number in numbers}


def test_who_is_absent_leaves_and_who_opted_out_stays(either):
    either.config |= {"sync": "mirror", "whole_count": "total"}
    assert either.deliver(rows(range(1, 6))).error is None
    either.add({"email": "person5@example.com", "unsubscribed": True})
    result = either.deliver(rows([1, 2]))
    assert (result.error, result.counts()) == (None, {"unchanged": 2})
    assert {*either.contacts()} == emails([1, 2, 5])
    assert either.seen("person5@example.com")[0]


def test_p9_there_is_no_mirror_of_a_suppression_list(ses):
    settings = {"sync": "mirror", "whole_count": "total", "ses_target": "suppression_list", "list": None}
    error = ses.deliver(rows([1]), **settings).error
    assert "lift a suppression" in str(error)


def test_whom_a_withheld_row_names_by_another_spelling_stays(bare):
    bare.config |= {"sync": "mirror", "whole_count": "total", "route": "direct"}
    table = schema(columns=COLUMNS | TOTAL)
    first = [table, person(1, total=2), person(2, email="ada@xn--bcher-kva.example", total=2), state(1)]
    assert bare.deliver(first).error is None
    named = person(30, email="ada@bücher.example", subscription_status="excluded", total=2)
    assert bare.deliver([table, person(1, total=2), named, state(2)]).counts() == {"unchanged": 1, "withheld": 1}
    assert {*bare.contacts()} == {"person1@example.com", "ada@xn--bcher-kva.example"}


@pytest.fixture(params=["import", "direct"])
def scope(ses, request):
    """A mirror of the list, after a run with persons 1 and 2; the others were put there by others."""
    ses.config |= {"route": request.param, "sync": "mirror", "whole_count": "total", "mirror_scope": "list"}
    assert ses.deliver(rows([1, 2])).error is None
    ses.add(
        {"email": "guest1@example.com"},
        {"email": "guest2@example.com", "unsubscribed": True},
        {"email": "guest3@example.com", "topics": {"News": "OPT_OUT"}},
        {"email": "Guest4@example.com"},
    )
    return ses


def test_everybody_leaves_who_is_on_the_list_and_not_named(scope):
    result = scope.deliver(rows([2, 3]))
    assert (result.error, result.outcomes["absent_delivered"], result.outcomes["absent_withheld"]) == (None, 3, 2)
    assert {*scope.contacts()} == {*emails([2, 3]), "guest2@example.com", "guest3@example.com"}
    assert scope.seen("guest3@example.com")[:2] == (True, {"News": "OPT_OUT"})
    again = scope.deliver(rows([2, 3]))
    assert (again.outcomes["absent_delivered"], again.outcomes["absent_withheld"], again.outcomes["batches"]) == (
        0,
        2,
        0,
    )


def test_a_plan_shows_whom_a_mirror_of_the_list_takes_off(scope):
    before = scope.contacts()
    plan = scope.deliver(rows([2, 3]), mode="plan")
    assert (plan.error, scope.contacts()) == (None, before)
    run = scope.deliver(rows([2, 3]))
    names = ("absent_delivered", "absent_withheld", "absent_rejected")
    assert [plan.outcomes[name] for name in names] == [run.outcomes[name] for name in names] == [3, 2, 0]


def test_a_contact_without_a_choice_in_a_listing_ends_the_run(scope):
    before = {*scope.contacts()}
    scope.sandbox.faults.add(kind="status", status=400, method="POST", path="*/contacts/list", times=None)
    result = scope.deliver(rows([2, 3]))
    assert result.error is not None
    assert {*scope.contacts()} == before


def test_an_opt_out_in_another_spelling_is_found_wherever_it_is_listed(scope, monkeypatch):
    members = Contacts.members
    monkeypatch.setattr(Contacts, "members", lambda self: ([one] for page in members(self) for one in page))
    monkeypatch.setattr("target_mailing.input.listed_members._TOGETHER", 1)
    spelled = [{"email": "Ada@example.com"}, {"email": "ada@example.com", "unsubscribed": True}]
    scope.add(*spelled, {"email": "ADA@example.com"})
    before = scope.contacts()
    result = scope.deliver(rows([1, 2]), max_removals=3)
    assert (result.error, result.outcomes["absent_delivered"], result.outcomes["absent_withheld"]) == (None, 2, 3)
    assert before.keys() - scope.contacts().keys() == {"guest1@example.com", "Guest4@example.com"}


def test_p9_the_scope_of_a_suppression_list_is_refused(ses):
    settings = {"sync": "mirror", "whole_count": "total", "mirror_scope": "list"}
    error = ses.deliver(rows([1]), **settings, ses_target="suppression_list", list=None).error
    assert "lift a suppression" in str(error)
