"""P3: replies lost while other submissions are on their way, foreign jobs and late listings lose and repeat nothing."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter

import httpx
import pytest

from target_mailing.delivery import batch_sizes
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.mailjet.json_route import Submit
from tests.target.command.test_command import until
from tests.target.conftest import people, person, schema, state

SUBMIT = {"method": "POST", "path": "/v3/REST/contactslist/*/managemanycontacts"}
LOOK = {"method": "GET", "path": "/v3/REST/batchjob"}
SAMPLE = {"method": "GET", "path": "*getcontactslists"}
FOLLOW = "GET /v3/REST/contactslist/{list}/managemanycontacts/{job}"


def lose(mailjet, kind="reply_lost", **rule):
    return mailjet.sandbox.faults.add(kind=kind, **SUBMIT | rule)


def foreign(mailjet, numbers, action="addnoforce"):
    """A job of another program, on the same list."""
    contacts = [{"Email": f"foreign{number}@example.com"} for number in numbers]
    answer = httpx.post(
        f"{mailjet.sandbox.url}/v3/REST/contactslist/{mailjet.list_id}/managemanycontacts",
        json={"Action": action, "Contacts": contacts},
        auth=(mailjet.sandbox.api_key, mailjet.sandbox.secret_key),
    )
    assert answer.status_code == 201, answer.text


def times_sent(mailjet):
    """How many of our rows were received once, twice, …"""
    ours = Counter(one["contact"]["Email"] for one in mailjet.received() if "foreign" not in one["contact"]["Email"])
    return Counter(ours.values())


def told(result):
    return result.outcomes["adopted"], result.outcomes["resubmitted"]


def in_thread(mailjet, source, **config):
    results = []
    deliver = mailjet.deliver if isinstance(source, list) else mailjet.deliver_from
    run = threading.Thread(target=lambda: results.append(deliver(source, **config)), daemon=True)
    run.start()
    return run, results


def test_p3_replies_lost_while_four_are_on_their_way_are_all_found_again(mailjet):
    lose(mailjet, skip=1, times=8)
    mailjet.sandbox.faults.add(kind="slow", seconds=0.01, times=None, **SUBMIT)
    result = mailjet.deliver([schema(), *people(range(60)), state(1)], batch_rows=6, jobs_in_flight=4)
    assert (result.error, result.counts(), told(result)) == (None, {"delivered": 60}, (8, 0))
    assert times_sent(mailjet) == {1: 60}
    assert result.log.count("This run looks whether it arrived, and sends the batch again if not.") == 8
    assert "run again later" not in result.log


@pytest.mark.parametrize("others", [range(5), range(6)], ids=["of the same size", "of another size"])
def test_p3_a_job_of_another_program_is_not_taken_for_one_that_never_arrived(mailjet, others):
    foreign(mailjet, others)
    lose(mailjet, "reset")
    result = mailjet.deliver([schema(), *people(range(5)), state(1)])
    assert (result.counts(), told(result)) == ({"delivered": 5}, (0, 5))
    assert times_sent(mailjet) == {1: 5}


def test_p3_between_two_jobs_of_the_same_size_none_is_chosen(mailjet):
    foreign(mailjet, range(5))
    lose(mailjet)
    result = mailjet.deliver([schema(), *people(range(5)), state(1)])
    assert (result.counts(), told(result)) == ({"delivered": 5}, (0, 5))
    assert times_sent(mailjet) == {2: 5}


def test_p3_people_who_were_there_before_show_nothing(mailjet):
    """The rows of the sample have the same content as before: a job of another program is no less likely."""
    rows = [schema(), *people(range(5)), state(1)]
    mailjet.deliver(rows)
    foreign(mailjet, range(5))
    lose(mailjet, "reset")
    result = mailjet.deliver(rows, send="all")
    assert (result.counts(), told(result)) == ({"delivered": 5}, (0, 5))


def test_p3_a_job_that_names_the_file_of_a_batch_is_its_own(mailjet, monkeypatch):
    """The rows have the same content as before, so that no sample shows it."""
    monkeypatch.setattr("target_mailing.delivery.doubts.LISTED_WITHIN", 0.2)
    rows = [schema(), *(person(number, name=None) for number in range(5)), state(1)]
    mailjet.deliver(rows, route="csv")
    mailjet.sandbox.faults.add(kind="reply_lost", method="POST", path="*csvimport")
    result = mailjet.deliver(rows, route="csv", send="all")
    assert (result.counts(), told(result)) == ({"delivered": 5}, (1, 0))


def test_p3_a_job_that_is_listed_late_is_found_at_the_second_look(mailjet, monkeypatch):
    monkeypatch.setattr("target_mailing.delivery.doubts.LISTED_WITHIN", 0.4)
    mailjet.sandbox.mailjet.change(job_listed_after_seconds=0.2)
    lose(mailjet)
    result = mailjet.deliver([schema(), *people(range(5)), state(1)])
    assert (result.counts(), told(result)) == ({"delivered": 5}, (1, 0))
    assert times_sent(mailjet) == {1: 5}
    assert mailjet.sandbox.counters.calls["GET /v3/REST/batchjob"] == 2


def test_p3_people_of_a_job_that_shows_up_after_they_were_sent_again_are_unconfirmed(mailjet):
    mailjet.sandbox.mailjet.change(job_listed_after_seconds=0.5)
    mailjet.sandbox.mailjet.plan_jobs([{}, {"seconds": 0.8}])
    lose(mailjet)
    rows = [schema(), *people(range(5)), state(1)]
    result = mailjet.deliver(rows)
    assert (result.counts(), told(result)) == ({"delivered": 5}, (0, 5))
    assert "5 contacts may have older content again" in result.log
    assert mailjet.deliver(rows).counts() == {"delivered": 5}
    assert mailjet.deliver(rows).counts() == {"unchanged": 5}


def test_p3_a_run_that_fails_looks_for_late_jobs_too(mailjet):
    mailjet.sandbox.mailjet.change(job_listed_after_seconds=0.5)
    mailjet.sandbox.mailjet.plan_jobs([{}, {"seconds": 0.8}])
    lose(mailjet)
    mailjet.sandbox.faults.add(kind="status", status=403, times=None, skip=1, **SUBMIT)
    rows = [schema(), *people(range(5)), state(1)]
    readable, writable = os.pipe()
    with os.fdopen(readable) as source, os.fdopen(writable, "w") as fed:
        run, results = in_thread(mailjet, source, batch_rows=5)
        fed.write(mailjet.text(rows))
        fed.flush()
        until(lambda: len(mailjet.sandbox.mailjet.jobs()) == 2)
        fed.write(mailjet.text(people(range(5, 10))))
        fed.close()
        run.join(20)
    mailjet.sandbox.faults.clear()
    assert results[0].error is not None
    assert "5 contacts may have older content again" in results[0].log
    assert mailjet.deliver(rows).counts() == {"delivered": 5}


def test_p3_where_no_job_shows_up_nothing_is_unconfirmed(mailjet):
    lose(mailjet, "reset")
    rows = [schema(), *people(range(5)), state(1)]
    assert told(mailjet.deliver(rows)) == (0, 5)
    assert mailjet.deliver(rows).counts() == {"unchanged": 5}


def test_p3_a_job_in_doubt_is_followed_to_its_end_and_newer_rows_of_its_people_wait(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    lose(mailjet)
    readable, writable = os.pipe()
    with os.fdopen(readable) as source, os.fdopen(writable, "w") as fed:
        run, results = in_thread(mailjet, source, batch_rows=5)
        fed.write(mailjet.text([schema(), *people(range(5))]))
        fed.flush()
        (job,) = until(mailjet.sandbox.mailjet.jobs)
        fed.write(mailjet.text([person(1, name="Newer"), *people(range(5, 10))]))
        fed.flush()
        until(lambda: len(mailjet.sandbox.mailjet.jobs()) == 2)  # the other rows go on: a doubt takes no slot
        until(lambda: mailjet.sandbox.counters.calls.get("GET /v3/REST/batchjob", 0) > 3)
        assert "Newer" not in {one["contact"]["Name"] for one in mailjet.received()}
        mailjet.sandbox.mailjet.finish_job(job["id"])
        fed.close()
        run.join(20)
    assert (results[0].counts(), told(results[0])) == ({"delivered": 11}, (1, 0))
    assert mailjet.members()["person1@example.com"]["name"] == "Newer"


def test_p3_a_job_in_doubt_that_does_not_end_fails_the_run_and_the_next_one_finds_it(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    lose(mailjet)
    rows = [schema(), *people(range(5)), state(1)]
    failed = mailjet.deliver(rows, job_timeout=0.3)
    assert isinstance(failed.error, DeliveryFailed)
    assert failed.states == []
    mailjet.sandbox.mailjet.finish_job(mailjet.sandbox.mailjet.jobs()[0]["id"])
    result = mailjet.deliver(rows)
    assert (result.counts(), told(result)) == ({"unchanged": 5}, (1, 0))
    assert times_sent(mailjet) == {1: 5}


def test_p3_people_of_a_job_in_doubt_that_never_ends_are_unconfirmed(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    lose(mailjet)
    result = mailjet.deliver([schema(), *people(range(5)), state(1)], job_abandon=0.3)
    assert (result.outcomes["reasons"], result.states) == ({"unconfirmed": 5}, [1])


def test_p3_no_job_is_looked_for_before_the_others_on_their_way_have_their_replies(mailjet):
    held = lose(mailjet, "hold", when="after")
    lost = lose(mailjet, "reset")
    run, results = in_thread(mailjet, [schema(), *people(range(5)), state(1)], batch_rows=3)
    held.wait_until_held()
    lost.wait_until_hit()
    run.join(0.1)
    assert "GET /v3/REST/batchjob" not in mailjet.sandbox.counters.calls
    held.release()
    run.join(20)
    assert (results[0].counts(), results[0].outcomes["adopted"]) == ({"delivered": 5}, 0)


def test_p3_a_look_that_fails_is_made_again(mailjet, monkeypatch):
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.0)
    lose(mailjet)
    failing = mailjet.sandbox.faults.add(kind="status", status=500, times=12, **LOOK)  # a look has five attempts
    result = mailjet.deliver([schema(), *people(range(5)), state(1)])
    assert failing.hits == 12
    assert (result.error, result.counts(), told(result)) == (None, {"delivered": 5}, (1, 0))


@pytest.mark.parametrize("failing", [LOOK, SAMPLE], ids=["no jobs", "no contacts"])
def test_a_provider_that_shows_nothing_for_long_ends_the_run_and_the_next_one_finds_the_job(
    mailjet, monkeypatch, failing
):
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.0)
    lose(mailjet)
    mailjet.sandbox.faults.add(kind="status", status=500, times=None, **failing)
    rows = [schema(), *people(range(5)), state(1)]
    assert mailjet.deliver(rows, poll_max_interval=0.015).error is not None
    mailjet.sandbox.faults.clear()
    result = mailjet.deliver(rows)
    assert (result.error, told(result)) == (None, (1, 0))


@pytest.mark.parametrize("kind", ["reset", "reply_lost"])
def test_p3_removals_and_opt_outs_whose_replies_were_lost_arrive_once(mailjet, kind):
    mailjet.deliver([schema(), *people(range(8)), state(1)])
    lose(mailjet, kind, times=2)
    gone = people(range(3), _sdc_deleted_at="2024-05-01T00:00:00Z")
    out = people(range(3, 5), subscription_status="unsubscribed")
    result = mailjet.deliver([schema(), *gone, *out, state(2)], max_removals="100%")
    assert result.counts() == {"delivered": 5}
    assert told(result) == ((2, 0) if kind == "reply_lost" else (0, 5))
    statuses = {f"person{n}@example.com": "unsubscribed" if n < 5 else "subscribed" for n in range(3, 8)}
    assert mailjet.statuses() == statuses


def test_p3_a_job_is_looked_for_between_its_call_and_the_loss_of_the_reply(mailjet, monkeypatch):
    looks = []
    recover = Submit.recover

    def recovered(step, work):
        looks.append((work.begun_at, work.lost_at, time.time()))
        return recover(step, work)

    monkeypatch.setattr(Submit, "recover", recovered)
    lose(mailjet, "reset")
    mailjet.deliver([schema(), *people(range(5)), state(1)])
    (begun, lost, looked), (begun_again, lost_again, _), *_ = looks
    assert begun <= lost <= looked
    assert (begun_again, lost_again) == (begun, lost)


def test_p3_batches_of_one_list_whose_replies_are_to_come_differ_in_size(mailjet):
    held = lose(mailjet, "hold", when="after", times=None)
    run, results = in_thread(mailjet, [schema(), *people(range(240)), state(1)], batch_rows=50)
    held.wait_until_held(5)
    assert sorted(job["total"] for job in mailjet.sandbox.mailjet.jobs()) == [46, 47, 48, 49, 50]
    held.release()
    run.join(20)
    assert results[0].counts() == {"delivered": 240}


def test_p3_a_batch_of_the_size_of_one_whose_reply_is_to_come_waits_for_it(mailjet):
    held = lose(mailjet, "hold", when="after", times=1)
    run, results = in_thread(mailjet, [schema(), *people(range(15)), state(1)], batch_rows=5)
    held.wait_until_held()
    time.sleep(0.3)  # nothing shows that a call was not made
    assert [job["total"] for job in mailjet.sandbox.mailjet.jobs()] == [5]
    held.release()
    run.join(20)
    assert results[0].counts() == {"delivered": 15}
    assert [job["total"] for job in mailjet.sandbox.mailjet.jobs()] == [5, 5, 5]


def test_p3_a_batch_that_waited_long_for_the_reply_to_another_one_of_its_size_is_cut(mailjet, monkeypatch):
    monkeypatch.setattr(batch_sizes, "_PATIENCE", 0.1)
    held = lose(mailjet, "hold", when="after", times=1)
    run, results = in_thread(mailjet, [schema(), *people(range(10)), state(1)], batch_rows=5)
    held.wait_until_held()
    until(lambda: sorted(job["total"] for job in mailjet.sandbox.mailjet.jobs()) == [1, 4, 5])
    held.release()
    run.join(20)
    assert results[0].counts() == {"delivered": 10}
