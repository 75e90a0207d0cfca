"""What a run that ended badly leaves to the next: deletes, changed addresses and opt-outs of unfinished batches."""

from __future__ import annotations

import shutil
import threading

import pytest

from mailing_api.errors import ConfigurationError, RateLimited
from tests.target.conftest import people, person, schema, state

SUBMIT = "/v3/REST/contactslist/*/managemanycontacts"
DELETED = "2026-01-01T00:00:00Z"


def deleted(number):
    return {"type": "RECORD", "stream": "people", "record": {"id": number, "_sdc_deleted_at": DELETED}}


def submitted_without_a_trace(mailjet, rows):
    """A run whose batch arrives, though its reply is lost and nothing shows its job; the next cannot find it."""
    mailjet.sandbox.mailjet.change(bulk_job_names_list=False)
    held = mailjet.sandbox.faults.add(kind="hold", method="POST", path=SUBMIT, when="after")
    lost = mailjet.sandbox.faults.add(kind="status", status=403, method="GET", path="*/batchjob")
    run = threading.Thread(target=lambda: mailjet.deliver(rows, request_timeout=0.3))
    run.start()
    held.wait_until_held()
    lost.wait_until_hit()
    run.join(10)
    mailjet.sandbox.faults.clear()
    finish_jobs(mailjet)


def finish_jobs(mailjet):
    for job in mailjet.sandbox.mailjet.jobs():
        mailjet.sandbox.mailjet.finish_job(job["id"])


def test_p3_a_delete_that_was_delivered_before_the_stop_is_unchanged(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    first = mailjet.deliver([schema(), deleted(1), state(2)])
    again = mailjet.deliver([schema(), deleted(1), deleted(7), state(2)])
    assert first.counts() == {"delivered": 1}
    assert again.counts() == {"unchanged": 1, "rejected": 1}
    assert again.outcomes["reasons"] == {"unknown_key": 1}


@pytest.mark.slow
def test_a_key_that_was_deleted_and_came_back_can_be_deleted_again(mailjet):
    mailjet.deliver([schema(), person(1), state(1)])
    mailjet.deliver([schema(), deleted(1), state(2)])
    mailjet.deliver([schema(), person(1), state(3)])
    assert mailjet.deliver([schema(), deleted(1), state(4)]).counts() == {"delivered": 1}
    assert mailjet.members() == {}


@pytest.mark.slow
def test_p3_an_address_that_may_have_arrived_leaves_when_its_key_moves_on(mailjet):
    submitted_without_a_trace(mailjet, [schema(), *people(range(2)), state(1)])
    result = mailjet.deliver([schema(), person(0), person(1, email="elsewhere@example.com"), state(1)])
    assert mailjet.statuses().keys() == {"person0@example.com", "elsewhere@example.com"}
    assert result.counts() == {"delivered": 2}
    assert mailjet.deliver([schema(), person(1, email="third@example.com"), state(2)]).counts() == {"delivered": 1}
    assert mailjet.statuses().keys() == {"person0@example.com", "third@example.com"}


def test_p3_an_address_that_may_have_arrived_leaves_when_its_key_is_deleted(mailjet):
    submitted_without_a_trace(mailjet, [schema(), *people(range(2)), state(1)])
    assert mailjet.deliver([schema(), person(0), deleted(1), state(1)]).counts() == {"delivered": 2}
    assert mailjet.statuses().keys() == {"person0@example.com"}


@pytest.mark.slow
def test_p3_both_addresses_that_a_key_may_have_leave(mailjet):
    mailjet.deliver([schema(), person(1, email="first@example.com"), state(1)])
    # The first address leaves; the batch with the second is lost.
    mailjet.sandbox.mailjet.change(bulk_job_names_list=False)
    mailjet.sandbox.faults.add(kind="reply_lost", method="POST", path=SUBMIT, skip=1)
    mailjet.sandbox.faults.add(kind="status", status=403, method="GET", path="*/batchjob")
    mailjet.deliver([schema(), person(1, email="second@example.com"), state(2)])
    mailjet.sandbox.faults.clear()
    finish_jobs(mailjet)
    mailjet.sandbox.mailjet.add_contacts([{"email": "first@example.com", "list": mailjet.list_id}])
    result = mailjet.deliver([schema(), person(1, email="third@example.com"), state(3)], send="all")
    assert result.error is None
    assert mailjet.statuses() == {"third@example.com": "subscribed"}


def test_p5_an_opt_out_of_an_address_that_may_have_arrived_follows_its_key(mailjet):
    submitted_without_a_trace(mailjet, [schema(), person(1), state(1)])
    mailjet.opt_out("person1@example.com")
    mailjet.deliver([schema(), person(1, email="elsewhere@example.com"), state(1)])
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed", "elsewhere@example.com": "unsubscribed"}


@pytest.mark.slow
def test_p5_an_opt_out_follows_its_key_also_when_the_removals_are_given_up(mailjet):
    rows = [person(1, email="old1@example.com"), person(2, email="old2@example.com")]
    mailjet.deliver([schema(), *rows, state(1)])
    mailjet.opt_out("old1@example.com")
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    rows = [person(1, email="new1@example.com"), person(2, email="new2@example.com")]
    result = mailjet.deliver([schema(), *rows, state(2)], job_abandon=0.3)
    assert result.counts() == {"withheld": 1, "rejected": 1}
    assert mailjet.statuses()["new1@example.com"] == "unsubscribed"


@pytest.mark.slow
def test_an_old_address_whose_removal_failed_is_removed_when_the_row_comes_again(mailjet):
    mailjet.deliver([schema(), person(1, email="old@example.com"), person(2), state(1)])
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["old@example.com"]}])
    failed = mailjet.deliver([schema(), person(1, email="new@example.com"), state(2)])
    assert failed.outcomes["reasons"] == {"refused_by_provider": 1}
    assert mailjet.statuses().keys() == {"old@example.com", "new@example.com", "person2@example.com"}
    (reject,) = failed.rejects
    mailjet.deliver([schema(), {"type": "RECORD", "stream": "people", "record": reject["record"]}, state(3)])
    assert mailjet.statuses().keys() == {"new@example.com", "person2@example.com"}


@pytest.mark.slow
def test_an_old_address_is_not_removed_twice_when_the_new_one_was_never_sent(mailjet):
    mailjet.deliver([schema(), person(1, email="old@example.com"), state(1)])
    mailjet.sandbox.faults.add(kind="status", status=403, method="POST", path=SUBMIT, skip=1)
    rows = [schema(), person(1, email="new@example.com"), state(2)]
    assert mailjet.deliver(rows).error is not None
    assert mailjet.deliver(rows).counts() == {"delivered": 1}
    actions = [row["action"] for row in mailjet.received()]
    assert actions == ["addnoforce", "remove", "addnoforce"]


def test_p3_rows_of_a_failed_job_count_as_resubmitted_by_the_next_run_too(mailjet):
    mailjet.sandbox.mailjet.change(error_file="missing")
    mailjet.sandbox.mailjet.plan_jobs([{"end": "error"}])
    mailjet.sandbox.faults.add(kind="status", status=403, method="POST", path=SUBMIT, skip=1, times=None)
    rows = [schema(), *people(range(4)), state(1)]
    assert mailjet.deliver(rows).error is not None
    mailjet.sandbox.faults.clear()
    result = mailjet.deliver(rows)
    assert (result.counts(), result.outcomes["resubmitted"]) == ({"delivered": 4}, 4)


def test_too_many_requests_say_nothing_about_an_error_file(mailjet, monkeypatch):
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.0)
    monkeypatch.setattr("mailing_api.http.pace.Pace.refused", lambda *_: None)
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["person1@example.com"]}])
    mailjet.sandbox.faults.add(kind="status", status=429, path="/v3/DATA/*", times=8)
    failed = mailjet.deliver([schema(), *people(range(4)), state(1)])
    assert isinstance(failed.error, RateLimited)
    assert (failed.outcomes["batches"], failed.states) == (1, [])
    result = mailjet.deliver([schema(), *people(range(4)), state(1)])
    assert result.counts() == {"delivered": 4}


def test_p1_no_state_passes_rejects_whose_file_was_removed_meanwhile(mailjet, monkeypatch):
    monkeypatch.setattr("target_mailing.run.run._STATE_INTERVAL", 0.0)
    held = mailjet.sandbox.faults.add(kind="hold", method="POST", path=SUBMIT, skip=1)
    mailjet.sandbox.mailjet.plan_jobs([{}, {"bad_rows": ["person2@example.com"]}])
    rows = [person(0), person(1, email="nobody"), state(1), person(2), state(2)]
    results = []
    one_by_one = {"batch_rows": 1, "jobs_in_flight": 1}
    run = threading.Thread(target=lambda: results.append(mailjet.deliver([schema(), *rows], **one_by_one)))
    run.start()
    held.wait_until_held()
    _wait_for_rejects(mailjet.folder)
    shutil.rmtree(mailjet.folder / "rejects")
    held.release()
    run.join(10)
    assert isinstance(results[0].error, ConfigurationError)
    assert 2 not in results[0].states


def _wait_for_rejects(folder):
    done = threading.Event()
    for _ in range(500):
        if any(path.stat().st_size for path in folder.glob("rejects/*")):
            return
        done.wait(0.02)
    raise AssertionError("no rejects in time")
