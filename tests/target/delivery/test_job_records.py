"""What is told of the jobs of a batch: each begins once and ends once, or has no end yet."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from target_mailing.delivery.job_records import JobRecords


class History:
    takes_jobs = True

    def __init__(self):
        self.jobs = []

    def job(self, job):
        self.jobs.append(job)


def batch(job: str | None = "7", **more: Any) -> Any:
    queue = SimpleNamespace(destination=SimpleNamespace(name="mail: list"))
    given = {"number": 3, "first_job": job, "jobs": f"job {job}", "queue": queue, "route": "json", "action": "add"}
    return SimpleNamespace(**given, rows=[1, 2], since=50.0, recovered=False, looks=4, **more)


@pytest.fixture
def history():
    return History()


@pytest.fixture
def records(history):
    return JobRecords(history, log_level=10)


@pytest.mark.parametrize(
    ("status", "has_ended"), [("completed", True), ("divided", True), ("discarded", True), ("unfinished", False)]
)
def test_a_job_that_stays_for_the_next_run_has_not_ended(records, history, status, has_ended):
    before = time.time()
    records.submitted(batch())
    records.ended(batch(), status, 1)
    begun, ended = history.jobs
    assert (begun.job_id, begun.ended, begun.submitted) == ("7", None, 50.0)
    assert (ended.status, ended.looks, ended.refused) == (status, 4, 1)
    assert ended.ended is None if not has_ended else before <= ended.ended <= time.time()


def test_a_batch_that_is_sent_again_has_another_job_and_the_first_one_ends(records, history):
    records.submitted(batch())
    records.submitted(batch())
    records.submitted(batch("8"))
    records.ended(batch("8"), "completed")
    assert [(job.job_id, job.status) for job in history.jobs if job.ended] == [("7", "repeated"), ("8", "completed")]
    assert [job.job_id for job in history.jobs if not job.ended] == ["7", "8"]


def test_a_batch_of_an_earlier_run_whose_job_was_never_told_is_told_at_its_end(records, history):
    records.ended(batch(None), "discarded")
    assert history.jobs == []
    records.ended(batch(), "completed")
    assert [job.status for job in history.jobs][-1] == "completed"
