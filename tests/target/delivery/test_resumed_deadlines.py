"""Deadlines of jobs that an earlier run began."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from target_mailing.delivery.errors import DeliveryFailed
from tests.target.conftest import people, schema, state

ROWS = [schema(), *people(range(3)), state(1)]


@pytest.fixture
def left(mailjet):
    """A job that a run left half an hour ago, and that ends at the third look of the next one."""
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    assert isinstance(mailjet.deliver(ROWS, job_timeout=0.05).error, DeliveryFailed)
    with closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as database:
        database.execute("UPDATE batches SET created_at = created_at - 1800")
        database.execute("UPDATE steps SET begun_at = begun_at - 1800")
        database.commit()
    count, looks = type(mailjet.sandbox.counters).call, 0

    def finish():
        job, *_ = mailjet.sandbox.mailjet.jobs()
        mailjet.sandbox.mailjet.finish_job(job["id"])

    def called(route):
        nonlocal looks
        count(mailjet.sandbox.counters, route)
        looks += route.startswith("GET") and "job" in route
        if looks == 3:
            threading.Thread(target=finish).start()  # the thread that calls this answers requests

    mailjet.sandbox.counters.call = called
    return mailjet


def test_p3_a_job_of_an_earlier_run_has_its_time_in_this_run_too(left):
    result = left.deliver(ROWS, job_timeout=600, job_abandon=7200)
    assert (result.error, result.counts(), result.states) == (None, {"unchanged": 3}, [1])
    assert len(left.received()) == 3


def test_p3_a_job_of_an_earlier_run_that_takes_too_long_in_all_is_given_up_at_once(left):
    result = left.deliver(ROWS, job_timeout=600, job_abandon=1200)
    assert (result.error, result.counts(), result.states) == (None, {"delivered": 3}, [1])
    assert result.outcomes["resubmitted"] == 3
    assert len(left.received()) == 6
