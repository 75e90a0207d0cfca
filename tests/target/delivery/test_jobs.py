"""Jobs followed to their end: order, failures, split batches, lost replies, time-outs."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from mailing_api.errors import AuthenticationError
from target_mailing.delivery.errors import DeliveryFailed
from tests.target.conftest import people, person, schema, state

SUBMIT = "/v3/REST/contactslist/*/managemanycontacts"
LOOK = "GET /v3/REST/batchjob"


def batches_of_one(count):
    return [schema(), *(line for n in range(count) for line in (person(n), state(n)))]


@pytest.mark.slow
def test_p2_state_waits_for_the_first_of_four_jobs_that_finish_in_reverse_order(mailjet, monkeypatch):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}] * 4)
    written: list[bytes] = []
    monkeypatch.setattr("target_mailing.run.run._STATE_INTERVAL", 0.0)
    monkeypatch.setattr("target_mailing.run.run.write_state", written.append)
    run = threading.Thread(target=lambda: mailjet.deliver(batches_of_one(4), batch_rows=1))
    run.start()
    sent = _wait_for(lambda: (found := mailjet.received()) and len(found) == 4 and found)
    # Calls that are under way together may arrive in any order.
    jobs = [one["job"] for one in sorted(sent, key=lambda one: one["contact"]["Email"])]
    for job in reversed(jobs[1:]):
        mailjet.sandbox.mailjet.finish_job(job)
        _wait_for_polls(mailjet)
        assert written == []
    mailjet.sandbox.mailjet.finish_job(jobs[0])
    run.join(10)
    assert written == [b'{"number": 3}']


def test_p1_no_state_leaves_while_a_job_is_under_way(mailjet, monkeypatch):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    written: list[bytes] = []
    monkeypatch.setattr("target_mailing.run.run.write_state", written.append)
    run = threading.Thread(target=lambda: mailjet.deliver([schema(), person(1), state(1)]))
    run.start()
    (job,) = _wait_for(mailjet.sandbox.mailjet.jobs)
    _wait_for_polls(mailjet)
    assert written == []
    mailjet.sandbox.mailjet.finish_job(job["id"])
    run.join(10)
    assert written == [b'{"number": 1}']


def test_batches_are_cut_by_rows_and_no_more_jobs_are_in_flight_than_allowed(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}] * 3)
    results = []
    messages = [schema(), *people(range(25)), state(1)]
    run = threading.Thread(target=lambda: results.append(mailjet.deliver(messages, batch_rows=3, jobs_in_flight=2)))
    run.start()
    first, second = _wait_for(lambda: (jobs := mailjet.sandbox.mailjet.jobs()) and len(jobs) == 2 and jobs)
    assert (first["total"], second["total"]) == (3, 3)
    _wait_for_polls(mailjet)
    assert len(mailjet.sandbox.mailjet.jobs()) == 2
    mailjet.sandbox.mailjet.finish_job(first["id"])
    _wait_for(lambda: len(mailjet.sandbox.mailjet.jobs()) == 3)
    _wait_for_polls(mailjet)
    third, *others = (job for job in mailjet.sandbox.mailjet.jobs() if job["id"] not in {first["id"], second["id"]})
    assert others == []
    for job in (second, third):
        mailjet.sandbox.mailjet.finish_job(job["id"])
    run.join(10)
    (result,) = results
    assert result.counts() == {"delivered": 25}
    assert result.outcomes["batches"] == 9


@pytest.mark.parametrize("error_file", ["list", "nested", "text"])
@pytest.mark.parametrize("good_rows_loaded", [True, False])
def test_a_row_that_the_provider_refuses_is_rejected_and_the_others_arrive(mailjet, error_file, good_rows_loaded):
    mailjet.sandbox.mailjet.change(error_file=error_file, good_rows_loaded=good_rows_loaded)
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["person3@example.com"], "end": "error"}])
    result = mailjet.deliver([schema(), *people(range(8)), state(1)])
    assert result.counts() == {"delivered": 7, "rejected": 1}
    assert result.outcomes["reasons"] == {"refused_by_provider": 1}
    assert result.outcomes["resubmitted"] == 7
    assert result.states == [1]
    assert len(mailjet.members()) >= 7
    (reject,) = result.rejects
    assert reject["record"]["email"] == "person3@example.com"
    assert reject["record"]["_reject_job"]


@pytest.mark.slow
@pytest.mark.parametrize("error_file", ["missing", "empty"])
def test_a_job_that_names_no_row_is_split_until_the_row_is_found(mailjet, error_file):
    mailjet.sandbox.mailjet.change(error_file=error_file, good_rows_loaded=False)
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["person3@example.com"]}] * 20)
    result = mailjet.deliver([schema(), *people(range(16)), state(1)])
    assert result.counts() == {"delivered": 15, "rejected": 1}
    assert result.outcomes["reasons"] == {"not_imported": 1}
    assert mailjet.statuses().keys() == {f"person{n}@example.com" for n in range(16) if n != 3}
    assert result.outcomes["batches"] <= 1 + 2 * 4


@pytest.mark.slow
def test_splitting_ends_after_so_many_calls_and_says_unconfirmed(mailjet):
    mailjet.sandbox.mailjet.change(error_file="missing")
    mailjet.sandbox.mailjet.plan_jobs([{"end": "error"}] * 200)
    result = mailjet.deliver([schema(), *people(range(100)), state(1)])
    assert result.outcomes["batches"] == 33
    assert sum(result.counts().values()) == 100
    assert set(result.outcomes["reasons"]) <= {"unconfirmed", "not_imported"}
    assert result.states == [1]


def test_completed_with_an_error_is_no_success(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"end": "completed_with_errors", "bad_rows": ["person1@example.com"]}])
    result = mailjet.deliver([schema(), *people(range(3)), state(1)])
    assert result.counts() == {"delivered": 2, "rejected": 1}


@pytest.mark.parametrize("kind", ["reply_lost", "cut_body", "html"])
def test_p3_a_lost_reply_is_found_again_and_its_job_adopted(mailjet, kind):
    mailjet.sandbox.faults.add(kind=kind, method="POST", path=SUBMIT)
    result = mailjet.deliver([schema(), *people(range(5)), state(1)])
    assert result.counts() == {"delivered": 5}
    assert (result.outcomes["adopted"], result.outcomes["resubmitted"]) == (1, 0)
    assert len(mailjet.received()) == 5
    assert result.states == [1]


def test_a_request_that_never_arrived_is_sent_again_and_counted(mailjet):
    mailjet.sandbox.faults.add(kind="reset", method="POST", path=SUBMIT)
    result = mailjet.deliver([schema(), *people(range(5)), state(1)])
    assert result.counts() == {"delivered": 5}
    assert (result.outcomes["adopted"], result.outcomes["resubmitted"]) == (0, 5)
    assert len(mailjet.received()) == 5


@pytest.mark.parametrize("switches", [{"bulk_job_names_list": False}, {"request_at_zero": True}])
def test_p3_a_lost_reply_where_the_provider_shows_less(mailjet, switches):
    mailjet.sandbox.mailjet.change(**switches)
    mailjet.sandbox.faults.add(kind="reply_lost", method="POST", path=SUBMIT)
    result = mailjet.deliver([schema(), *people(range(5)), state(1)])
    assert result.counts() == {"delivered": 5}
    assert result.outcomes["adopted"] + result.outcomes["resubmitted"] / 5 == 1


def test_a_batch_too_large_for_the_provider_is_cut(mailjet):
    mailjet.sandbox.mailjet.change(max_contacts_per_call=3)
    result = mailjet.deliver([schema(), *people(range(8)), state(1)])
    assert result.counts() == {"delivered": 8}
    assert len(mailjet.members()) == 8


def test_a_job_not_visible_yet_is_waited_for(mailjet):
    mailjet.sandbox.mailjet.change(job_404_polls=2)
    assert mailjet.deliver([schema(), *people(range(3)), state(1)]).counts() == {"delivered": 3}


@pytest.mark.parametrize("words", ["full", "short", "aborted"])
def test_any_vocabulary_of_statuses_is_understood(mailjet, words):
    mailjet.sandbox.mailjet.change(status_words=words)
    assert mailjet.deliver([schema(), *people(range(3)), state(1)]).counts() == {"delivered": 3}


def test_p1_after_job_timeout_the_run_fails_and_the_next_one_follows_the_job(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    failed = mailjet.deliver([schema(), *people(range(3)), state(1)], job_timeout=0.3)
    assert isinstance(failed.error, DeliveryFailed)
    assert "job_timeout" in str(failed.error)
    assert failed.states == []
    (job,) = mailjet.sandbox.mailjet.jobs()
    mailjet.sandbox.mailjet.finish_job(job["id"])
    result = mailjet.deliver([schema(), *people(range(4)), state(1)])
    assert result.counts() == {"unchanged": 3, "delivered": 1}
    assert result.outcomes["resumed"] == 1
    assert [row["contact"]["Email"] for row in mailjet.received()] == [f"person{n}@example.com" for n in range(4)]


def test_p1_jobs_that_wait_behind_others_at_the_provider_have_their_time_from_the_end_of_each(mailjet):
    mailjet.sandbox.mailjet.change(jobs_at_once=1)
    mailjet.sandbox.mailjet.plan_jobs([{"seconds": 0.12}] * 12)
    rows = people(range(12))
    result = mailjet.deliver([schema(), *rows, state(1)], batch_rows=1, jobs_in_flight=12, job_timeout=0.9)
    assert (result.error, result.counts(), result.states) == (None, {"delivered": 12}, [1])


@pytest.mark.slow
@pytest.mark.parametrize("given_up", ["job_timeout", "job_abandon"])
def test_p9_jobs_that_all_stand_still_are_given_up_once_each(mailjet, given_up):
    mailjet.sandbox.mailjet.plan_jobs([{"end": "stall"}] * 6)
    rows = [schema(), *people(range(6)), state(1)]
    result = mailjet.deliver(rows, batch_rows=1, jobs_in_flight=6, **{given_up: 0.3})
    if given_up == "job_timeout":
        assert isinstance(result.error, DeliveryFailed)
        assert "did not end within `job_timeout`" in str(result.error)
    else:
        assert (result.error, sum(result.counts().values()), result.states) == (None, 6, [1])


def test_after_job_abandon_the_rows_are_unconfirmed(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    result = mailjet.deliver([schema(), *people(range(3)), state(1)], job_abandon=0.3)
    assert result.counts() == {"rejected": 3}
    assert result.outcomes["reasons"] == {"unconfirmed": 3}
    assert result.states == [1]


@pytest.mark.slow
def test_a_job_that_a_clock_ahead_of_time_began_is_given_up_like_others(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    rows = [schema(), *people(range(3)), state(1)]
    assert isinstance(mailjet.deliver(rows, job_timeout=0.2).error, DeliveryFailed)
    with closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as database:
        database.execute("UPDATE batches SET created_at = created_at + 3e7")
        database.execute("UPDATE steps SET begun_at = begun_at + 3e7")
        database.commit()
    assert isinstance(mailjet.deliver(rows, job_timeout=0.2).error, DeliveryFailed)
    result = mailjet.deliver(rows, job_abandon=0.3)
    assert (result.error, result.counts(), result.states) == (None, {"delivered": 3}, [1])  # by a job of its own


def test_p2_a_failing_batch_neither_holds_back_nor_resends_those_before_it(mailjet):
    mailjet.sandbox.faults.add(kind="status", status=403, method="POST", path=SUBMIT, skip=2, times=None)
    failed = mailjet.deliver(batches_of_one(6), batch_rows=1, jobs_in_flight=1)
    assert "administrator" in str(failed.error)
    assert failed.states[-1] == 1
    mailjet.sandbox.faults.clear()
    result = mailjet.deliver([schema(), *people(range(2, 6)), state(5)])
    assert result.counts() == {"delivered": 4}
    assert len(mailjet.received()) == 6


@pytest.mark.slow
def test_too_many_requests_are_waited_out(mailjet, monkeypatch):
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.0)
    mailjet.sandbox.faults.add(kind="status", status=429, body="html", times=1, headers={"Retry-After": "0"})
    assert mailjet.deliver([schema(), *people(range(3)), state(1)]).counts() == {"delivered": 3}


def test_p9_wrong_credentials_stop_at_once(mailjet):
    result = mailjet.deliver([schema(), person(1), state(1)], mailjet_secret_key="canary-wrong")
    assert isinstance(result.error, AuthenticationError)
    assert "canary-wrong" not in result.log
    assert result.states == []
    assert mailjet.sandbox.counters.total_calls == 1


def _wait_for(look, seconds=10.0):
    done = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if found := look():
            return found
        done.wait(0.02)
    raise AssertionError("it did not happen in time")


def _wait_for_polls(mailjet, count=6):
    """Until the target has looked at jobs some more times."""

    def polls():
        calls = mailjet.sandbox.counters.calls
        return calls.get("GET /v3/REST/contactslist/{list}/managemanycontacts/{job}", 0) + calls.get(LOOK, 0)

    before = polls()
    _wait_for(lambda: polls() >= before + count)


def test_p4_a_defect_in_settling_ends_the_run_at_once_and_no_state_leaves(mailjet, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("target_mailing.delivery.result.BatchResult.of", lambda *_: 1 / 0)
        result = mailjet.deliver([schema(), person(1), state(1)])
    assert isinstance(result.error, ZeroDivisionError)
    assert result.states == []
    again = mailjet.deliver([schema(), person(1), state(1)])
    assert (again.error, again.states) == (None, [1])
    assert mailjet.statuses() == {"person1@example.com": "subscribed"}


def test_the_threads_of_a_run_end_with_it(mailjet):
    others = {*threading.enumerate()}
    assert mailjet.deliver([schema(), *people(range(3)), state(1)], batch_rows=1).counts() == {"delivered": 3}
    for thread in {*threading.enumerate()} - others:
        thread.join(10)
        assert not thread.is_alive(), thread.name
