"""One listing shows which jobs still run; a job that it does not show, and one that has ended, is polled alone."""

from __future__ import annotations

import json
import threading

import pytest

from tests.target.conftest import people, schema, state

LISTING = "GET /v3/REST/batchjob"
POLL = "GET /v3/REST/contactslist/{list}/managemanycontacts/{job}"
JOBS = 8


def delivered_while_jobs_run(mailjet, *, until, **settings):
    """Deliver batches whose jobs run until something was called often enough; returns the result."""
    sandbox = mailjet.sandbox
    sandbox.mailjet.plan_jobs([{"hold": True}] * JOBS)
    results = []
    messages = [schema(), *people(range(JOBS)), state(1)]
    run = threading.Thread(target=lambda: results.append(mailjet.deliver(messages, batch_rows=1, **settings)))
    run.start()
    pause = threading.Event()
    for _ in range(1000):
        calls = sandbox.counters.calls
        if len(sandbox.mailjet.jobs()) == JOBS and until(calls):
            break
        pause.wait(0.01)
    for job in sandbox.mailjet.jobs():
        sandbox.mailjet.finish_job(job["id"])
    run.join(30)
    (result,) = results
    assert result.counts() == {"delivered": JOBS}
    assert result.states == [1]
    return result


def test_while_many_jobs_run_they_are_listed_and_each_is_polled_alone_when_it_has_ended(mailjet):
    delivered_while_jobs_run(mailjet, until=lambda calls: calls.get(LISTING, 0) >= 30)
    calls = mailjet.sandbox.counters.calls
    assert calls[LISTING] >= 30
    assert calls[POLL] <= 3 * JOBS, "a few while fewer than three jobs were under way, and the last of each"


@pytest.mark.parametrize("fault", [{"status": 400}, {"status": 200, "content": json.dumps({"Data": []})}])
def test_jobs_that_no_listing_shows_are_polled_one_by_one(mailjet, fault):
    mailjet.sandbox.faults.add(kind="status", method="GET", path="/v3/REST/batchjob", times=None, **fault)
    delivered_while_jobs_run(mailjet, until=lambda calls: calls.get(POLL, 0) >= 40)
    assert mailjet.sandbox.counters.calls[LISTING] <= 12, "after two listings that show none of them, there is no third"


def test_two_jobs_are_polled_one_by_one(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"seconds": 0.1}] * 2)
    result = mailjet.deliver([schema(), *people(range(2)), state(1)], batch_rows=1)
    assert (result.counts(), LISTING in mailjet.sandbox.counters.calls) == ({"delivered": 2}, False)
