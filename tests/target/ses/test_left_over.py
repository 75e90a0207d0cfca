"""What a run leaves that does not come to its end: jobs go on with other settings too, and no object stays."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing

import pytest

from tests.faults.process import until
from tests.target.conftest import people, schema, state
from tests.target.ses.conftest import BUCKET, GONE

#: Each waits for jobs of a sandbox of its own.
pytestmark = pytest.mark.slow

ADA = "person1@example.com"
SUBMIT = {"method": "POST", "path": "/v2/email/import-jobs"}
PUT = {"method": "PUT", "path": f"/s3/{BUCKET}/*.jsonl"}
ROWS = [schema(), *people(range(3)), state(1)]


def in_thread(ses, rows, **config):
    results = []
    run = threading.Thread(target=lambda: results.append(ses.deliver(rows, **config)))
    run.start()
    return run, results


def leave_a_job(ses):
    """A run ends while its job is under way."""
    ses.ses.plan_jobs([{"hold": True}])
    assert "job_timeout" in str(ses.deliver(ROWS, job_timeout=0.2).error)
    return ses.jobs()[0]["id"]


# Jobs of an earlier run


def test_p3_a_job_under_way_is_not_forgotten_when_the_bucket_is_taken_out_of_the_settings(ses):
    job = leave_a_job(ses)
    changed = [schema(), *people(range(3), city="Nice"), state(2)]
    result = ses.deliver(changed, ses_s3_bucket=None, route=None)
    assert "Setting `ses_s3_bucket` is not set, but an import of an earlier run to ses:" in str(result.error)
    assert result.states == []
    assert ses.contacts() == {}
    ses.ses.finish_job(job)
    assert ses.deliver(changed).counts() == {"delivered": 3}
    assert ses.seen(ADA)[2]["city"] == "Nice"
    assert ses.objects() == []


def test_p3_a_job_under_way_is_followed_when_another_bucket_is_set(ses):
    ses.sandbox.storage.add_bucket("newer", "eu-west-1")
    job = leave_a_job(ses)
    ses.ses.finish_job(job)
    result = ses.deliver(ROWS, ses_s3_bucket="newer")
    assert result.counts() == {"unchanged": 3}
    assert ses.objects() == []


def test_p3_a_lost_reply_is_found_when_another_bucket_is_set(ses):
    ses.sandbox.storage.add_bucket("newer", "eu-west-1")
    lost = ses.sandbox.faults.add(kind="reply_lost", **SUBMIT)
    ses.sandbox.faults.add(kind="status", status=403, method="POST", path="/v2/email/import-jobs/list")
    assert ses.deliver(ROWS).error is not None
    assert lost.hits == 1
    result = ses.deliver(ROWS, ses_s3_bucket="newer")
    assert result.outcomes["adopted"] == 1
    assert result.counts() == {"unchanged": 3}
    assert ses.objects() == []


@pytest.mark.slow
def test_p3_a_batch_of_many_rows_is_one_job_and_is_found_by_the_next_run(ses):
    """By default: other destinations have batches of 5,000 rows."""
    ses.sandbox.faults.add(kind="reply_lost", **SUBMIT)
    ses.sandbox.faults.add(kind="status", status=403, method="POST", path="/v2/email/import-jobs/list")
    rows = [schema(), *people(range(20_000)), state(1)]
    assert ses.deliver(rows).states == []
    result = ses.deliver(rows)
    assert (result.error, result.states) == (None, [1])
    assert (result.outcomes["adopted"], result.counts()) == (1, {"unchanged": 20_000})
    assert (len(ses.jobs()), len(ses.contacts())) == (1, 20_000)
    assert ses.objects() == []


def test_p3_a_batch_at_a_step_that_is_not_known_is_not_forgotten(ses):
    leave_a_job(ses)
    with closing(sqlite3.connect(ses.config["journal"], isolation_level=None)) as journal:
        journal.execute("UPDATE steps SET name = 'launch' WHERE name = 'submit'")
    result = ses.deliver(ROWS)
    assert "was left at step 'launch'" in str(result.error)
    assert result.states == []
    assert len(ses.jobs()) == 1


# Objects


@pytest.mark.parametrize("gone", [{}, GONE], ids=["adding", "removing"])
def test_p7_no_object_stays_when_another_batch_fails_the_run(ses, gone):
    ses.add(*({"email": f"person{n}@example.com"} for n in range(20)))
    hold = ses.sandbox.faults.add(kind="hold", when="after", **PUT)
    refusal = ses.sandbox.faults.add(kind="status", status=403, times=None, **SUBMIT)
    rows = [schema(), *people(range(20), **gone), state(1)]
    run, results = in_thread(ses, rows, batch_rows=10, jobs_in_flight=2)
    hold.wait_until_held()
    refusal.wait_until_hit()
    until(lambda: len(ses.objects()) == 1, "the other object's end")
    hold.release()
    run.join(60)
    assert results[0].error is not None
    assert ses.objects() == []
    ses.sandbox.faults.clear()
    assert ses.deliver(rows).counts() == {"delivered": 20}


def test_a_batch_that_waits_for_a_slot_uploads_nothing_after_the_run_has_failed(ses):
    ses.ses.change(ses_jobs_at_once=1)
    ses.occupy_a_slot()
    puts = ses.sandbox.faults.add(kind="slow", seconds=0, times=None, **PUT)
    run, results = in_thread(ses, ROWS, job_timeout=30)
    puts.wait_until_hit(2)
    no = ses.sandbox.faults.add(kind="status", status=403, **SUBMIT)
    run.join(60)
    assert no.hits == 1
    assert results[0].error is not None
    assert ses.objects() == []


def test_p7_no_object_of_a_batch_that_was_given_up_stays(ses):
    ses.ses.plan_jobs([{"end": "stall"}])
    result = ses.deliver(ROWS, job_abandon=0.3)
    assert result.error is None
    assert ses.objects() == []


def test_p7_an_object_of_a_run_that_could_not_delete_it_is_deleted_by_the_next_one(ses):
    ses.sandbox.faults.add(kind="status", status=403, **SUBMIT)
    ses.ses.deny("s3:DeleteObject")
    result = ses.deliver(ROWS)
    assert "could not be deleted" in result.log
    assert len(ses.objects()) == 1
    ses.ses.deny()
    assert ses.deliver(ROWS).counts() == {"delivered": 3}
    assert ses.objects() == []


# Deadlines


@pytest.mark.parametrize("setting", ["job_timeout", "job_abandon"])
def test_the_time_that_an_upload_takes_is_not_its_jobs(ses, setting):
    slow = ses.sandbox.faults.add(kind="slow", seconds=0.8, **PUT)
    result = ses.deliver(ROWS, **{setting: 0.6})
    assert slow.hits == 1
    assert result.error is None
    assert result.counts() == {"delivered": 3}


def test_the_time_that_a_slot_is_waited_for_is_bounded_and_is_not_the_jobs(ses):
    ses.ses.change(ses_jobs_at_once=1)
    foreign = ses.occupy_a_slot()
    ses.ses.plan_jobs([{"seconds": 1.0}])
    began = time.monotonic()
    run, results = in_thread(ses, ROWS, job_timeout=1.5)
    ses.sandbox.faults.add(kind="slow", seconds=0, **PUT).wait_until_hit()
    time.sleep(max(0.0, began + 1.0 - time.monotonic()))
    ses.ses.finish_job(foreign)
    run.join(60)
    assert results[0].error is None
    assert results[0].counts() == {"delivered": 3}
