"""Import jobs: followed to their end, their counters compared, their failures read; objects do not stay."""

from __future__ import annotations

import json
import re
import threading

import pytest

from mailing_api.errors import ProviderFault
from mailing_api.http.retry import RetryPolicy
from mailing_api.ses.writer import SesWriter
from target_mailing.ses import account as ses_account
from tests.target.conftest import people, person, schema, state
from tests.target.ses.conftest import BUCKET, GONE, REGION

#: Each waits for answers of a sandbox of its own.
pytestmark = pytest.mark.slow

ADA = "person1@example.com"
BOB = "person2@example.com"
SUBMIT = {"method": "POST", "path": "/v2/email/import-jobs"}
OBJECTS = f"/s3/{BUCKET}/*"


def test_p1_no_state_leaves_while_a_job_is_under_way(ses):
    ses.ses.plan_jobs([{"end": "stall"}])
    result = ses.deliver([schema(), *people(range(3)), state(1)], job_timeout=0.3)
    assert "did not end within `job_timeout`" in str(result.error)
    assert result.states == []
    (job,) = ses.jobs()
    ses.ses.finish_job(job["id"])
    result = ses.deliver([schema(), *people(range(3)), state(2)])
    assert result.counts() == {"unchanged": 3}
    assert result.states == [2]
    assert len(ses.jobs()) == 1
    assert ses.objects() == []


@pytest.mark.parametrize("shape", ["json", "csv", "input"])
def test_rows_that_failed_are_rejected_with_what_is_said_of_them(ses, shape):
    ses.ses.change(ses_failed_records=shape)
    ses.ses.plan_jobs([{"bad_rows": [ADA]}])
    rows = [person(1), person(2, city=f"the friend of {ADA}"), person(3), state(1)]
    result = ses.deliver([schema(), *rows])
    assert result.counts() == {"delivered": 2, "rejected": 1}
    assert result.states == [1]
    (reject,) = result.rejects
    assert reject["record"]["email"] == ADA
    assert reject["record"]["_reject_code"] == "refused_by_provider"
    assert reject["record"]["_reject_job"] == ses.jobs()[0]["id"]
    assert len(ses.jobs()) == 1


def test_without_a_file_of_failed_records_the_batch_is_split_until_they_are_alone(ses):
    ses.ses.change(ses_failed_records="missing", ses_path_checked=False)
    ses.ses.refuse(["odd@example.com"])
    result = ses.deliver([schema(), *people(range(6)), person(9, email="odd@example.com"), state(1)])
    assert result.counts() == {"delivered": 6, "rejected": 1}
    assert result.outcomes["reasons"] == {"not_imported": 1}
    assert len(ses.jobs()) > 1


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 403},
        {"status": 404},
        {"status": 400, "body": "text", "content": "<Error><Code>ExpiredToken</Code></Error>"},
        {"status": 503},
    ],
    ids=["expired", "broken", "its credentials expired", "its host fails"],
)
def test_a_file_that_cannot_be_had_counts_as_missing(ses, answer):
    ses.sandbox.faults.add(kind="status", method="GET", path="/s3/*/failed-records/*", times=None, **answer)
    result = ses.deliver([schema(), person(1), person(9, email="x@y"), state(1)])
    assert result.error is None
    assert result.counts() == {"delivered": 1, "rejected": 1}


def test_counters_with_and_without_those_that_failed_add_up(ses):
    ses.ses.change(ses_processed_includes_failed=False)
    result = ses.deliver([schema(), *people(range(3)), person(9, email="x@y"), state(1)])
    assert result.counts() == {"delivered": 3, "rejected": 1}
    assert len(ses.jobs()) == 1


def test_p1_counters_that_do_not_add_up_settle_nothing(ses):
    ses.sandbox.faults.add(
        kind="status", status=200, method="GET", path="/v2/email/import-jobs/*", times=1,
        body="text", content=json.dumps({"JobStatus": "COMPLETED", "ProcessedRecordsCount": 2}),
    )  # fmt: skip
    result = ses.deliver([schema(), *people(range(4)), state(1)])
    assert result.counts() == {"delivered": 4}
    assert len(ses.jobs()) == 3
    assert result.outcomes["resubmitted"] == 4
    assert result.states == [1]


def answered(ses, told):
    """Nothing is imported, and each job that has ended is told so."""
    ses.ses.plan_jobs([{"hold": True}] * 40)
    ses.sandbox.faults.add(
        kind="status", status=200, method="GET", path="/v2/email/import-jobs/*", times=None,
        body="text", content=json.dumps({"JobStatus": "COMPLETED", **told}),
    )  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"FailureInfo": {"FailedRecordsS3Url": "http://127.0.0.1:9/x"}},
        {"ProcessedRecordsCount": 2, "FailureInfo": {"FailedRecordsS3Url": "no-url"}},
        {"ProcessedRecordsCount": 2, "FailedRecordsCount": 0, "FailureInfo": {"ErrorMessage": "no"}},
    ],
    ids=["nothing", "failures", "failures besides a counter", "an error"],
)
def test_p1_a_job_that_does_not_say_that_all_is_well_delivers_nobody(ses, told):
    answered(ses, told)
    result = ses.deliver([schema(), *people(range(2)), state(1)])
    assert result.counts() == {"rejected": 2}
    assert ses.contacts() == {}


@pytest.mark.parametrize("failed", ["1e5", -1, 0.5, "some"])
def test_p1_a_number_of_failed_records_that_is_no_count_settles_nothing(ses, monkeypatch, failed):
    monkeypatch.setattr(ses_account, "PATIENCE", RetryPolicy(fault_tries=1))
    answered(ses, {"ProcessedRecordsCount": 2, "FailedRecordsCount": failed})
    result = ses.deliver([schema(), *people(range(2)), state(1)])
    assert "the response could not be read" in str(result.error)
    assert (result.counts(), result.states) == ({}, [])


@pytest.mark.parametrize(("when", "jobs"), [("late", 1), ("absent", 3)])
def test_counters_that_do_not_come_with_the_end_are_looked_for_again(ses, when, jobs):
    ses.ses.change(ses_ended_counts=when)
    result = ses.deliver([schema(), *people(range(2)), state(1)])
    assert result.counts() == {"delivered": 2}
    assert len(ses.jobs()) == jobs


@pytest.mark.parametrize("end", ["failed", "failed_halfway", "cancelled", "error"])
def test_a_job_that_ends_badly_is_split_and_its_rows_are_delivered(ses, end):
    ses.ses.plan_jobs([{"end": end}])
    result = ses.deliver([schema(), *people(range(4)), state(1)])
    assert result.counts() == {"delivered": 4}
    assert result.states == [1]
    assert len(ses.contacts()) == 4
    assert [job["total"] for job in ses.jobs()][1:] == [2, 2]
    assert ses.objects() == []


def test_rows_of_jobs_that_always_fail_are_looked_for_and_rejected_if_they_are_not_there(ses):
    ses.add({"email": ADA, "attributes": {"city": "Lyon", "name": "Person 1"}}, {"email": BOB})
    ses.ses.plan_jobs([{"end": "failed"}] * 9)
    result = ses.deliver([schema(), *people(range(4)), state(1)])
    assert result.counts() == {"delivered": 1, "rejected": 3}
    assert result.outcomes["reasons"] == {"not_imported": 3}


def test_removals_of_jobs_that_always_fail_are_looked_for(ses):
    ses.add(*({"email": f"person{n}@example.com"} for n in range(3)))
    ses.ses.plan_jobs([{"end": "failed"}] * 9)
    result = ses.deliver([schema(), *people(range(2), **GONE), state(1)])
    assert result.counts() == {"rejected": 2}
    assert len(ses.contacts()) == 3


def test_a_removal_that_fails_because_nobody_is_there_any_more_is_delivered(ses):
    ses.add(*({"email": f"person{n}@example.com"} for n in range(3)))
    hold = ses.sandbox.faults.add(kind="hold", when="before", **SUBMIT)
    results = []
    rows = [schema(), *people(range(2), **GONE), state(1)]
    run = threading.Thread(target=lambda: results.append(ses.deliver(rows)))
    run.start()
    hold.wait_until_held()
    ses.ses.remove_contacts(["person0@example.com"], region=REGION)
    hold.release()
    run.join(60)
    assert results[0].counts() == {"delivered": 2}
    assert ses.contacts().keys() == {BOB}


def test_removals_of_whom_some_are_named_as_failed_are_delivered_if_they_are_gone(ses):
    """The file names one of two that failed: both had left meanwhile."""
    ses.add(*({"email": f"person{n}@example.com"} for n in range(3)))
    hold = ses.sandbox.faults.add(kind="hold", when="before", **SUBMIT)
    ses.sandbox.faults.add(
        kind="status",
        status=200,
        method="GET",
        path="/s3/*/failed-records/*",
        body="text",
        content="person0@example.com",
    )
    results = []
    rows = [schema(), *people(range(3), **GONE), state(1)]
    run = threading.Thread(target=lambda: results.append(ses.deliver(rows)))
    run.start()
    hold.wait_until_held()
    ses.ses.remove_contacts(["person0@example.com", ADA], region=REGION)
    hold.release()
    run.join(60)
    assert results[0].counts() == {"delivered": 3}
    assert ses.contacts() == {}


def test_an_object_that_nobody_may_look_for_is_told_to_be_unreadable_or_gone(ses):
    """Without s3:ListBucket, S3 does not tell the one from the other."""
    ses.sandbox.faults.add(kind="status", status=403, method="HEAD", path=OBJECTS, times=None, body="empty")
    ses.ses.change(ses_bucket_policy="required")
    error = str(ses.deliver([schema(), *people(range(3)), state(1)]).error)
    assert "s3:GetObject" in error
    assert "Or the object was deleted meanwhile" in error
    assert "s3:ListBucket" in error


def test_an_object_that_is_gone_is_uploaded_again(ses):
    hold = ses.sandbox.faults.add(kind="hold", when="before", **SUBMIT)
    results = []
    run = threading.Thread(target=lambda: results.append(ses.deliver([schema(), *people(range(3)), state(1)])))
    run.start()
    hold.wait_until_held()
    ses.sandbox.storage._own("DELETE", f"/{BUCKET}/{ses.objects()[0]}", "", b"")
    hold.release()
    run.join(60)
    assert results[0].counts() == {"delivered": 3}
    assert [job["status"] for job in ses.jobs()] == ["FAILED", "COMPLETED"]
    assert results[0].outcomes["resubmitted"] == 3


def test_p9_a_bucket_that_amazon_ses_may_not_read_is_one_clear_error_and_the_next_run_delivers(ses):
    ses.ses.change(ses_bucket_policy="required")
    result = ses.deliver([schema(), *people(range(3)), state(1)])
    assert "s3:GetObject" in str(result.error)
    assert result.states == []
    assert result.counts() == {}
    assert len(ses.jobs()) == 1
    ses.ses.change(ses_bucket_policy="ignored")
    result = ses.deliver([schema(), *people(range(3)), state(1)])
    assert result.counts() == {"delivered": 3}
    assert result.outcomes["resubmitted"] == 3
    assert result.states == [1]


def test_as_many_jobs_as_there_may_be_mean_waiting(ses):
    ses.ses.change(ses_jobs_at_once=1)
    result = ses.deliver([schema(), *people(range(40)), state(1)], batch_rows=10, jobs_in_flight=4)
    assert result.counts() == {"delivered": 40}
    assert result.states == [1]
    assert len(ses.jobs()) == 4
    assert result.outcomes["resubmitted"] == 0
    assert ses.objects() == []


def test_a_job_whose_start_never_reached_amazon_ses_is_started_later(ses, monkeypatch):
    start, failures = SesWriter.create_job, [ProviderFault("Amazon SES: no answer.")] * 2

    def unreached(*given):
        if failures:
            raise failures.pop()
        return start(*given)

    monkeypatch.setattr(SesWriter, "create_job", unreached)
    result = ses.deliver([schema(), *people(range(3)), state(1)])
    assert result.counts() == {"delivered": 3}
    assert result.outcomes["resubmitted"] == 0
    assert result.states == [1]
    assert len(ses.jobs()) == 1
    assert ses.objects() == []


def test_a_slot_that_never_comes_free_fails_the_run_by_job_timeout_and_nothing_was_sent(ses):
    ses.ses.change(ses_jobs_at_once=1)
    foreign = ses.occupy_a_slot()
    result = ses.deliver([schema(), *people(range(3)), state(1)], job_timeout=0.3)
    assert "did not end within `job_timeout`" in str(result.error)
    assert result.states == []
    ses.ses.finish_job(foreign)
    assert ses.deliver([schema(), *people(range(3)), state(1)]).counts() == {"delivered": 3}


def test_throttled_calls_are_waited_for(either):
    either.sandbox.faults.add(kind="status", status=429, path="/v2/email/*", times=9)
    result = either.deliver([schema(), *people(range(3)), state(1)])
    assert result.counts() == {"delivered": 3}


def test_a_request_a_second_is_kept_to(either):
    either.sandbox.switches.change({"ses_requests_per_second": 1})
    result = either.deliver([schema(), *people(range(2)), state(1)], ses_requests_per_second=None)
    assert result.counts() == {"delivered": 2}
    assert result.states == [1]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_faults_of_s3_are_tried_again(ses, method):
    ses.sandbox.faults.add(kind="status", status=503, method=method, path=OBJECTS, times=3, skip=int(method == "PUT"))
    assert ses.deliver([schema(), *people(range(3)), state(1)]).counts() == {"delivered": 3}
    assert ses.objects() == []


def test_an_s3_that_takes_nothing_fails_the_run_and_the_next_one_delivers(ses):
    ses.sandbox.faults.add(kind="status", status=500, method="PUT", path=OBJECTS, skip=1, times=None)
    result = ses.deliver([schema(), *people(range(3)), state(1)])
    assert "Amazon S3" in str(result.error)
    assert result.states == []
    assert ses.jobs() == []
    ses.sandbox.faults.clear()
    assert ses.deliver([schema(), *people(range(3)), state(1)]).counts() == {"delivered": 3}


def test_an_object_that_cannot_be_deleted_is_told_and_its_rows_are_delivered(ses):
    ses.ses.deny("s3:DeleteObject")
    result = ses.deliver([schema(), *people(range(3)), state(1)])
    assert result.counts() == {"delivered": 3}
    assert "could not be deleted" in result.log
    assert len(ses.objects()) == 1


def test_objects_stay_where_that_is_wanted(ses):
    ses.deliver([schema(), *people(range(3))], ses_s3_keep_objects=True, ses_s3_prefix="mine/")
    (key,) = ses.objects()
    assert re.fullmatch(r"mine/[0-9a-f]{32}\.jsonl", key)


def test_large_objects_go_in_parts(ses, monkeypatch):
    size = 5 * 1024 * 1024
    monkeypatch.setattr("mailing_api.aws.s3.PART_SIZE", size)
    rows = people(range(30), city="x" * 400_000)
    result = ses.deliver([schema(), *rows, state(1)], batch_bytes=50_000_000)
    assert result.counts() == {"delivered": 30}
    assert ses.calls()["put"] == 1 + 3
    assert len(ses.contacts()) == 30


def test_credentials_that_expire_in_the_middle_are_looked_for_again(ses, monkeypatch, tmp_path):
    ses.config |= {"ses_aws_access_key_id": None, "ses_aws_secret_access_key": None}
    credentials = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))

    def write(number):
        ses.ses.add_key(f"ASIA{number}", "canary-secret", f"token-{number}", seconds=3600)
        credentials.write_text(
            f"[default]\naws_access_key_id = ASIA{number}\naws_secret_access_key = canary-secret\n"
            f"aws_session_token = token-{number}\n"
        )

    write(1)
    hold = ses.sandbox.faults.add(kind="hold", when="before", **SUBMIT)
    results = []
    run = threading.Thread(target=lambda: results.append(ses.deliver([schema(), *people(range(3)), state(1)])))
    run.start()
    hold.wait_until_held()
    ses.sandbox.clock.advance(3601)
    write(2)
    hold.release()
    run.join(60)
    assert results[0].counts() == {"delivered": 3}
    assert "canary" not in results[0].log


def test_credentials_that_expire_for_good_fail_the_run_and_the_next_one_follows_the_job(ses):
    ses.ses.add_key("ASIA1", "its-secret", "its-token", seconds=3600)
    ses.ses.plan_jobs([{"hold": True}])
    keys = {"ses_aws_access_key_id": "ASIA1", "ses_aws_secret_access_key": "its-secret"}
    hold = ses.sandbox.faults.add(kind="hold", when="before", method="GET", path="/v2/email/import-jobs/*")
    results = []
    rows = [schema(), *people(range(3)), state(1)]
    run = threading.Thread(target=lambda: results.append(ses.deliver(rows, ses_aws_session_token="its-token", **keys)))
    run.start()
    hold.wait_until_held()
    ses.sandbox.clock.advance(3601)
    hold.release()
    run.join(60)
    assert "session token has expired" in str(results[0].error)
    assert results[0].states == []
    (job,) = ses.jobs()
    ses.ses.finish_job(job["id"])
    result = ses.deliver(rows)
    assert result.counts() == {"unchanged": 3}
    assert len(ses.jobs()) == 1


def test_p7_no_secret_and_no_address_is_ever_printed(either):
    either.sandbox.faults.add(kind="reset", path="/v2/email/*", skip=2, times=1)
    either.sandbox.faults.add(kind="status", status=429, path="/v2/email/*", skip=5, times=1)
    either.add({"email": "canary1@example.com", "unsubscribed": True})
    rows = [person(n, email=f"canary{n}@example.com", name="canary", city="canary") for n in range(1, 4)]
    bad = [person(8, email="canary"), person(9, email="canary@y")]
    result = either.deliver([schema(), *rows, *bad, state(1)])
    assert result.counts() == {"delivered": 3, "rejected": 2}
    assert "canary" not in result.log
    assert either.sandbox.secret_key not in result.log
    assert "Signature=" not in result.log


# Lost replies


def test_p3_a_lost_reply_is_found_again_and_its_job_adopted_by_its_object(ses):
    ses.sandbox.faults.add(kind="reply_lost", **SUBMIT)
    result = ses.deliver([schema(), *people(range(40)), state(1)], batch_rows=10)
    assert result.counts() == {"delivered": 40}
    assert result.outcomes["adopted"] == 1
    assert result.outcomes["resubmitted"] == 0
    assert len(ses.jobs()) == 4


def test_p3_all_replies_lost_each_job_is_found_by_its_object(ses):
    ses.sandbox.faults.add(kind="reply_lost", times=4, **SUBMIT)
    result = ses.deliver([schema(), *people(range(40)), state(1)], batch_rows=10)
    assert result.counts() == {"delivered": 40}
    assert result.outcomes["adopted"] == 4
    assert len(ses.jobs()) == 4
    assert ses.objects() == []


def test_p3_a_call_that_never_arrived_is_made_again_and_its_object_goes(ses):
    ses.sandbox.faults.add(kind="reset", **SUBMIT)
    result = ses.deliver([schema(), *people(range(3)), state(1)])
    assert result.counts() == {"delivered": 3}
    assert result.outcomes["resubmitted"] == 3
    assert len(ses.jobs()) == 1
    assert ses.objects() == []


def test_lost_replies_of_single_calls_come_to_the_same(bare):
    bare.add({"email": ADA, "unsubscribed": True})
    for method in ("POST", "PUT", "GET", "DELETE"):
        bare.sandbox.faults.add(kind="reply_lost", method=method, path="/v2/email/contact-lists/*")
    bare.deliver([schema(), person(7)])
    result = bare.deliver([schema(), *people(range(4)), person(7, **GONE), state(1)])
    assert result.counts() == {"delivered": 5}
    assert bare.seen(ADA)[0] is True
    assert len(bare.contacts()) == 4


@pytest.mark.parametrize("status", [400, 409, 503])
def test_what_passes_by_itself_at_the_bucket_ends_no_run(ses, status):
    fault = ses.sandbox.faults.add(kind="status", status=status, method="PUT", path="/s3/*", times=2)
    result = ses.deliver([schema(), person(1), state(1)])
    assert result.error is None
    assert fault.hits == 2
    assert result.counts() == {"delivered": 1}
