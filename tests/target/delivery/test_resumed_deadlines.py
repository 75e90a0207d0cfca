"""Deadlines of jobs that an earlier run began."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from target_mailing.delivery import following
from target_mailing.delivery.errors import DeliveryFailed
from tests.target.conftest import people, schema, state

ROWS = [schema(), *people(range(3)), state(1)]


@pytest.fixture
def left(mailjet, request, monkeypatch):
    """A job that ends at the third look of the next run; it was begun half an hour ago, but for a step."""
    monkeypatch.setattr(following, "_PROGRESS_NOTED_EVERY", 0.0)
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    assert isinstance(mailjet.deliver(ROWS, job_timeout=0.05).error, DeliveryFailed)
    with closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as database:
        database.execute("UPDATE batches SET created_at = created_at - 1800")
        steps = f"name <> '{getattr(request, 'param', '')}'"
        assert database.execute(f"UPDATE steps SET begun_at = begun_at - 1800 WHERE {steps}").rowcount > 0
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


def test_p3_a_job_of_an_earlier_run_that_did_not_move_on_for_too_long_is_given_up_at_once(left):
    result = left.deliver(ROWS, job_timeout=600, job_abandon=1200)
    assert (result.error, result.counts(), result.states) == (None, {"delivered": 3}, [1])
    assert result.outcomes["resubmitted"] == 3
    assert len(left.received()) == 6


@pytest.mark.parametrize("left", ["follow"], indirect=True)
def test_p3_a_job_of_an_earlier_run_that_moved_on_since_it_began_is_not_given_up(left):
    result = left.deliver(ROWS, job_timeout=600, job_abandon=1200)
    assert (result.error, result.counts(), result.states) == (None, {"unchanged": 3}, [1])
    assert len(left.received()) == 3
