"""While a provider takes no writes, no row is to blame: the run ends, whatever reads answer, and wherever it begins."""

from __future__ import annotations

import os
from itertools import count
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailing_api.answered_calls import answered_calls, note_answered
from mailing_api.errors import NotFound, ProviderFault
from mailing_api.http import client as http_client
from mailing_api.http.retry import RetryPolicy
from mailing_api.mailjet.client import MailjetClient
from target_mailing.delivery import resubmission
from target_mailing.delivery.lost_rows import judged_alone
from target_mailing.delivery.one_by_one import take_each_that_works
from target_mailing.ses import account as ses_account
from tests.target.conftest import person, reader, schema, state
from tests.target.postgrid.conftest import household, households, postgrid  # noqa: F401 - a fixture
from tests.target.ses.conftest import _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
OPTED_OUT = {"subscription_status": "unsubscribed"}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    """Calls are tried again without a rest."""
    monkeypatch.setattr(http_client, "RetryPolicy", lambda: RetryPolicy(fault_base=0.001))
    monkeypatch.setattr(ses_account, "PATIENCE", RetryPolicy(fault_base=0.001))


def stop_writes(sandbox, path, *, skip, status=503):
    for method in ("POST", "PUT", "DELETE"):
        sandbox.faults.add(kind="status", status=status, method=method, path=path, skip=skip, times=None)


def assert_nobody_is_rejected(result, *, ends):
    assert result.rejects == []
    assert (result.error is None, result.states) == ((False, []) if ends else (True, [1]))


# Contact by contact


@pytest.mark.parametrize(("skip", "status"), [(0, 503), (1, 502), (2, 504), (3, 503)])
def test_removals_contact_by_contact(mailjet, skip, status):
    members = [f"person{number}@example.com" for number in (1, 3, 5)]
    mailjet.sandbox.mailjet.add_contacts([{"email": email, "list": mailjet.list_id} for email in members])
    stop_writes(mailjet.sandbox, "*managecontactslists", skip=skip, status=status)
    rows = [person(number, **GONE) for number in range(6)]
    result = mailjet.deliver([schema(), *rows, state(1)], route="contact")
    assert_nobody_is_rejected(result, ends=skip < 3)


@pytest.mark.parametrize("skip", range(3))
def test_a_call_for_other_things_of_a_contact_tells_nothing_of_its_lists(mailjet, skip):
    stop_writes(mailjet.sandbox, "*managecontactslists", skip=skip)
    result = mailjet.deliver([schema(), *(person(number) for number in range(3)), state(1)], route="contact")
    assert_nobody_is_rejected(result, ends=True)


@pytest.mark.parametrize("extra", [GONE, OPTED_OUT], ids=["removals", "opt-outs"])
@pytest.mark.parametrize("skip", range(3))
def test_contacts_of_ses(bare, extra, skip):  # noqa: F811
    bare.add({"email": "person1@example.com"}, {"email": "person3@example.com"})
    stop_writes(bare.sandbox, "*/contacts/person*", skip=skip)
    rows = [person(number, name=None, city=None, **extra) for number in ((0, 1, 2, 3) if extra is GONE else (1, 3))]
    result = bare.deliver([schema(), *rows, state(1)], route="direct")
    assert_nobody_is_rejected(result, ends=skip < 2)


@pytest.mark.parametrize("skip", range(3))
def test_households(postgrid, skip):  # noqa: F811
    stop_writes(postgrid.sandbox, "/print-mail/v1/contacts", skip=skip)
    result = postgrid.deliver([households(), *map(household, range(3)), state(1)])
    assert_nobody_is_rejected(result, ends=True)


class Provider:
    """Takes writes for a while; some contacts need one each time, some once, and some none."""

    def __init__(self, needs, writes, poisoned=frozenset()):
        self.needs, self.writes_left, self.poisoned = dict(enumerate(needs)), writes, poisoned

    def take(self, at):
        note_answered("GET contact")
        if self.needs[at] == "nothing":
            return
        if self.writes_left <= 0 or at in self.poisoned:
            error = ProviderFault("", status=503)
            error.call = "POST contact"
            raise error
        self.writes_left -= 1
        note_answered("POST contact")
        if self.needs[at] == "once":
            self.needs[at] = "nothing"

    def probe(self):
        raise NotFound("", status=404)


NEEDS = st.lists(st.sampled_from(["nothing", "once", "always"]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(NEEDS, st.integers(0, 12))
def test_nobody_is_to_blame_for_writes_that_end_at_any_call(needs, writes):
    provider = Provider(needs, writes)
    try:
        taken, failing = take_each_that_works(range(len(needs)), provider.take, probe=provider.probe)
    except ProviderFault:
        assert provider.writes_left == 0
    else:
        assert (len(taken), failing) == (len(needs), {})


@settings(max_examples=60, deadline=None)
@given(NEEDS, NEEDS)
def test_a_contact_fails_by_itself_if_others_are_written_to_after_each_failure(before, after):
    needs = [*before, "once", *after, "once", "nothing", "once"]
    at = len(before)
    provider = Provider(needs, 100, {at})
    taken, failing = take_each_that_works(range(len(needs)), provider.take, probe=provider.probe)
    assert (failing.keys(), len(taken)) == ({at}, len(needs) - 1)


def test_calls_are_told_to_all_that_collect_them():
    note_answered("nobody collects")
    with answered_calls() as outer:
        note_answered("before")
        with answered_calls() as inner:
            note_answered("within")
    assert (outer, inner) == ({"before", "within"}, {"within"})


# Bulk jobs

SUBMISSION = "*managemanycontacts"


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("skip", range(3))
@pytest.mark.parametrize("status", [502, 503])
def test_submissions(mailjet, skip, slots, status):
    mailjet.sandbox.faults.add(kind="status", status=status, method="POST", path=SUBMISSION, skip=skip, times=None)
    rows = [reader(number) for number in range(4)]
    result = mailjet.deliver([schema(), *rows, state(1)], route="json", batch_rows=1, jobs_in_flight=slots)
    assert_nobody_is_rejected(result, ends=True)


@pytest.mark.parametrize("rows", [2, 3])
def test_submissions_of_what_a_batch_was_split_into(mailjet, monkeypatch, rows):
    submit, turns = MailjetClient.submit_contacts, count()

    def submit_once(self, body, *, list_id):
        if body.count(b"@") > 1 or next(turns):
            raise ProviderFault("", status=503, maybe_done=True)
        return submit(self, body, list_id=list_id)

    monkeypatch.setattr(MailjetClient, "submit_contacts", submit_once)
    result = mailjet.deliver([schema(), *map(reader, range(rows)), state(1)], route="json")
    assert_nobody_is_rejected(result, ends=True)
    assert len(mailjet.statuses()) <= 1


def test_a_submission_that_is_lost_beside_one_that_is_taken(mailjet):
    faults = mailjet.sandbox.faults
    faults.add(kind="status", status=503, method="POST", path=SUBMISSION, times=1)
    faults.add(kind="slow", seconds=0.05, method="POST", path=SUBMISSION, times=1)
    faults.add(kind="status", status=503, method="POST", path=SUBMISSION, times=None)
    rows = [reader(number) for number in range(2)]
    result = mailjet.deliver([schema(), *rows, state(1)], route="json", batch_rows=1)
    assert_nobody_is_rejected(result, ends=True)


def test_a_submission_that_fails_though_others_are_taken_after_each_failure_is_a_reject(mailjet, monkeypatch):
    submit, has_failed, is_judged = MailjetClient.submit_contacts, Event(), Event()
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])

    def submit_in_turn(self, body, **options):
        numbers = {number for number in range(3) if b"person%d@" % number in body}
        if numbers == {0}:
            has_failed.set()
        if 0 in numbers:
            raise ProviderFault("", status=503, maybe_done=True)
        assert has_failed.wait(10)
        job = submit(self, body, **options)
        if numbers == {2}:  # as long as the first job runs, the failing row waits
            mailjet.sandbox.mailjet.finish_job(job - 1)
        return job

    def judged(batch, *, has_others):
        is_judged.set()
        return judged_alone(batch, has_others=has_others)

    def feed(pipe):
        with os.fdopen(pipe, "w") as fed:
            fed.write(mailjet.text([schema(), reader(0), reader(1)]))
            fed.flush()
            assert is_judged.wait(20)
            fed.write(mailjet.text([reader(2), state(1)]))

    monkeypatch.setattr(MailjetClient, "submit_contacts", submit_in_turn)
    monkeypatch.setattr(resubmission, "judged_alone", judged)
    readable, writable = os.pipe()
    feeder = Thread(target=feed, args=[writable])
    feeder.start()
    with os.fdopen(readable) as source:
        result = mailjet.deliver_from(source, route="json", batch_rows=2)
    feeder.join()
    assert (result.error, result.states, result.counts()) == (None, [1], {"delivered": 2, "rejected": 1})
    assert "person0@example.com" not in mailjet.statuses()
