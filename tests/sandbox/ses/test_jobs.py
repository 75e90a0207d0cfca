"""Import jobs: their objects, their life, their counters."""

from __future__ import annotations

import csv
import io
import json

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.sandbox.ses.conftest import code, start

pytestmark = pytest.mark.slow

LIST = "Newsletter"
ANN = {"emailAddress": "ann@example.com", "unsubscribeAll": False, "attributesData": '{"city":"Oslo"}'}
NEWS = [{"topicName": "News", "subscriptionStatus": "OPT_IN"}]


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def people(count):
    return lines(*({"emailAddress": f"p{n}@example.com"} for n in range(count)))


def failures(job):
    answer = httpx.get(job["FailureInfo"]["FailedRecordsS3Url"], verify=False)
    assert answer.status_code == 200
    return answer.text


def counts(job):
    return job["JobStatus"], job["ProcessedRecordsCount"], job["FailedRecordsCount"]


def test_json_lines_into_a_list(sandbox, imported, newsletter):
    job = imported(
        lines(ANN | {"topicPreferences": NEWS}, {"emailAddress": "bob@Example.com", "unsubscribeAll": True}), name=LIST
    )
    assert counts(job) == ("COMPLETED", 2, 0)
    assert "FailureInfo" not in job
    assert job["CompletedTimestamp"] >= job["CreatedTimestamp"]
    assert job["ImportDataSource"] == {"S3Url": "s3://imports/rows", "DataFormat": "JSON"}
    assert job["ImportDestination"] == {
        "ContactListDestination": {"ContactListName": LIST, "ContactListImportAction": "PUT"}
    }
    found = sandbox.ses.contacts()
    assert found.keys() == {"ann@example.com", "bob@example.com"}
    assert found["ann@example.com"]["topics"] == {"News": "OPT_IN"}
    assert found["ann@example.com"]["attributes"] == '{"city":"Oslo"}'
    assert found["bob@example.com"]["unsubscribed"] is True


def test_csv_into_a_list(sandbox, imported, newsletter):
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["emailAddress", "unsubscribeAll", "attributesData", "topicPreferences.News"])
    table.writerow(["ann@example.com", "false", '{"city":"Oslo","tier":2}', "OPT_IN"])
    table.writerow(["bob@example.com", "true", "", ""])
    assert counts(imported(text.getvalue() + "\n", name=LIST, data_format="CSV")) == ("COMPLETED", 2, 0)
    found = sandbox.ses.contacts()
    assert found["ann@example.com"]["attributes"] == '{"city":"Oslo","tier":2}'
    assert found["ann@example.com"]["topics"] == {"News": "OPT_IN"}
    assert found["bob@example.com"]["topics"] == {}
    assert found["bob@example.com"]["attributes"] is None


def test_quotes_may_mean_nothing_in_csv(sandbox, imported, newsletter):
    sandbox.switches.change({"ses_csv_quoting": "none"})
    job = imported('emailAddress,attributesData\nann@example.com,"{""a"":1,""b"":2}"\n', name=LIST, data_format="CSV")
    assert counts(job) == ("COMPLETED", 1, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no header"),
        (b"email\nann@example.com\n", "emailAddress"),
        (b"emailAddress,emailAddress\na,b\n", "twice"),
        (b"emailAddress,nickname\nann@example.com,A\n", "nickname"),
        (b"emailAddress\n\xff@example.com\n", "UTF-8"),
        (b"\xef\xbb\xbfemailAddress\nann@example.com\n", "emailAddress"),
        (b'emailAddress\n"' + b"x" * 200_000 + b'"\n', "CSV"),
    ],
)
def test_a_bad_header_or_file_fails_the_job(imported, newsletter, content, said):
    job = imported(content, name=LIST, data_format="CSV")
    assert counts(job) == ("FAILED", 0, 0)
    assert said in job["FailureInfo"]["ErrorMessage"]
    assert "FailedRecordsS3Url" not in job["FailureInfo"]


def test_a_byte_order_mark_is_accepted_by_switch(sandbox, imported, newsletter):
    sandbox.switches.change({"ses_byte_order_mark": "accepted"})
    assert (
        imported(b"\xef\xbb\xbfemailAddress\nann@example.com\n", name=LIST, data_format="CSV")["JobStatus"]
        == "COMPLETED"
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"emailAddress": "nobody"}, "Invalid email address"),
        ({"EmailAddress": "ann@example.com"}, "emailAddress is missing"),
        ({"emailAddress": 5}, "emailAddress is missing"),
        (ANN | {"unsubscribeAll": "false"}, "unsubscribeAll"),
        (ANN | {"attributesData": {"city": "Oslo"}}, "attributesData"),
        (ANN | {"topicPreferences": {"News": "OPT_IN"}}, "topicPreferences"),
        (ANN | {"topicPreferences": [{"TopicName": "News"}]}, "topicPreferences"),
        (ANN | {"topicPreferences": [{"topicName": "Nope", "subscriptionStatus": "OPT_IN"}]}, "Unknown topic"),
        (ANN | {"topicPreferences": [{"topicName": "News", "subscriptionStatus": "YES"}]}, "subscription status"),
        (["ann@example.com"], "not a JSON object"),
        (ANN | {"attributesData": "[" * 50_000}, "attributesData is not a JSON object"),
    ],
)
def test_a_bad_record_fails_alone(sandbox, imported, newsletter, row, said):
    sandbox.switches.change({"ses_attributes_checked": True})
    job = imported(lines(row, {"emailAddress": "bob@example.com"}), name=LIST)
    assert counts(job) == ("COMPLETED", 2, 1)
    assert said in failures(job)
    assert [*sandbox.ses.contacts()] == ["bob@example.com"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("ann@example.com,false", "columns"),
        ("ann@example.com,yes,", "boolean"),
        ("ann@example.com,,MAYBE", "subscription status"),
        ("@example.com,,", "Invalid email"),
    ],
)
def test_a_bad_csv_record_fails_alone(sandbox, imported, newsletter, cells, said):
    head = "emailAddress,unsubscribeAll,topicPreferences.News"
    job = imported(f"{head}\n{cells}\n\nbob@example.com,,\n", name=LIST, data_format="CSV")
    assert counts(job) == ("COMPLETED", 2, 1)
    assert said in failures(job)
    assert [*sandbox.ses.contacts()] == ["bob@example.com"]


def test_pretty_printed_json_fails_on_every_line(sandbox, imported, newsletter):
    text = json.dumps(ANN, indent=2)
    job = imported(text, name=LIST)
    assert counts(job) == ("COMPLETED", len(text.splitlines()), len(text.splitlines()))
    assert sandbox.ses.contacts() == {}


def test_attributes_are_checked_by_switch(sandbox, imported, newsletter):
    row = {"emailAddress": "ann@example.com", "attributesData": "[1]"}
    assert imported(lines(row), name=LIST)["FailedRecordsCount"] == 0
    sandbox.switches.change({"ses_attributes_checked": True})
    assert imported(lines(row), name=LIST)["FailedRecordsCount"] == 1


def test_a_put_replaces_the_whole_contact(sandbox, imported, newsletter):
    sandbox.ses.add_contacts([
        {"email": "ann@example.com", "unsubscribed": True, "topics": {"News": "OPT_OUT"}, "attributes": {"a": 1}}
    ])  # fmt: skip
    before = sandbox.ses.contacts()["ann@example.com"]
    sandbox.clock.advance(60)
    imported(lines({"emailAddress": "ann@example.com"}), name=LIST)
    after = sandbox.ses.contacts()["ann@example.com"]
    assert (after["unsubscribed"], after["topics"], after["attributes"]) == (False, {}, None)
    assert after["created"] == before["created"]
    assert after["updated"] > before["updated"]


def test_a_put_merges_by_switch(sandbox, imported, newsletter):
    sandbox.switches.change({"ses_import_put": "merge"})
    sandbox.ses.add_contacts([
        {"email": "ann@example.com", "unsubscribed": True, "topics": {"Offers": "OPT_OUT"}, "attributes": {"a": 1}}
    ])  # fmt: skip
    imported(lines({"emailAddress": "ann@example.com", "topicPreferences": NEWS}), name=LIST)
    after = sandbox.ses.contacts()["ann@example.com"]
    assert after["unsubscribed"] is True
    assert after["topics"] == {"Offers": "OPT_OUT", "News": "OPT_IN"}
    assert after["attributes"] == '{"a":1}'


def test_a_put_that_changes_nothing_may_leave_the_date(sandbox, imported, newsletter):
    imported(lines(ANN), name=LIST)
    first = sandbox.ses.contacts()["ann@example.com"]["updated"]
    sandbox.clock.advance(60)
    sandbox.switches.change({"ses_noop_import_touches": False})
    imported(lines(ANN), name=LIST)
    assert sandbox.ses.contacts()["ann@example.com"]["updated"] == first


@pytest.mark.parametrize("data_format", ["JSON", "CSV"])
def test_a_delete_needs_the_address_alone(sandbox, imported, newsletter, data_format):
    sandbox.ses.add_contacts([{"email": "ann@example.com"}, {"email": "bob@example.com"}])
    rows = ["ann@example.com", "missing@example.com"]
    content = (
        lines(*({"emailAddress": row} for row in rows)) if data_format == "JSON" else "\n".join(["emailAddress", *rows])
    )
    job = imported(content, name=LIST, action="DELETE", data_format=data_format)
    assert counts(job) == ("COMPLETED", 2, 1)
    assert "missing@example.com" in failures(job)
    assert [*sandbox.ses.contacts()] == ["bob@example.com"]


def test_suppressions_from_json_and_csv(sandbox, imported):
    assert counts(imported(lines({"emailAddress": "a@Example.com", "reason": "BOUNCE"}))) == ("COMPLETED", 1, 0)
    assert counts(imported("b@example.com,COMPLAINT\n", data_format="CSV")) == ("COMPLETED", 1, 0)
    assert sandbox.ses.suppressions() == {"a@example.com": "BOUNCE", "b@example.com": "COMPLAINT"}
    job = imported("a@example.com\nmissing@example.com\n", action="DELETE", data_format="CSV")
    assert counts(job) == ("COMPLETED", 2, 1)
    assert sandbox.ses.suppressions() == {"b@example.com": "COMPLAINT"}


def test_a_header_in_a_suppression_file_is_a_failed_record(sandbox, imported):
    job = imported("emailAddress,reason\na@example.com,BOUNCE\nb@example.com\nc@example.com,SPAM\n", data_format="CSV")
    assert counts(job) == ("COMPLETED", 4, 3)
    assert sandbox.ses.suppressions() == {"a@example.com": "BOUNCE"}


@pytest.mark.parametrize("url", ["s3://imports/missing", "s3://no-such-bucket/rows"])
def test_an_object_that_is_not_there_fails_the_job_later(ses, s3, newsletter, url):
    found = ses.get_import_job(JobId=start(ses, name=LIST, url=url))
    assert counts(found) == ("FAILED", 0, 0)
    assert "NoSuch" in found["FailureInfo"]["ErrorMessage"]


def test_a_bucket_of_another_region_fails_the_job(sandbox, client, ses, s3, newsletter):
    client("s3", "eu-west-1").create_bucket(
        Bucket="european", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    client("s3", "eu-west-1").put_object(Bucket="european", Key="rows", Body=lines(ANN))
    found = ses.get_import_job(JobId=start(ses, name=LIST, url="s3://european/rows"))
    assert "is in eu-west-1, not in us-east-1" in found["FailureInfo"]["ErrorMessage"]
    sandbox.switches.change({"ses_bucket_region": "any"})
    assert ses.get_import_job(JobId=start(ses, name=LIST, url="s3://european/rows"))["JobStatus"] == "COMPLETED"


def policy(**changes):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ses.amazonaws.com"},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::imports/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | changes]})


def test_a_bucket_policy_is_needed_by_switch(sandbox, ses, s3, newsletter):
    sandbox.switches.change({"ses_bucket_policy": "required"})
    account = sandbox.storage.keyring.account
    s3.put_object(Bucket="imports", Key="rows", Body=lines(ANN))

    def status():
        return ses.get_import_job(JobId=start(ses, name=LIST))["JobStatus"]

    assert status() == "FAILED"
    for changes, expected in (
        ({}, "COMPLETED"),
        ({"Condition": {"StringEquals": {"aws:Referer": account}}}, "COMPLETED"),
        ({"Condition": {"StringEquals": {"aws:Referer": "000000000000"}}}, "FAILED"),
        ({"Principal": {"AWS": f"arn:aws:iam::{account}:root"}}, "FAILED"),
        ({"Action": ["s3:PutObject"]}, "FAILED"),
        ({"Resource": "arn:aws:s3:::imports/other/*"}, "FAILED"),
    ):
        s3.put_bucket_policy(Bucket="imports", Policy=policy(**changes))
        assert status() == expected, changes


@pytest.mark.parametrize(
    ("switch", "name", "action", "row"),
    [
        ("ses_max_contacts_put", LIST, "PUT", {"emailAddress": "a@example.com"}),
        ("ses_max_contacts_delete", LIST, "DELETE", {"emailAddress": "a@example.com"}),
        ("ses_max_suppressions_put", None, "PUT", {"emailAddress": "a@example.com", "reason": "BOUNCE"}),
        ("ses_max_suppressions_delete", None, "DELETE", {"emailAddress": "a@example.com"}),
    ],
)
def test_too_many_records_fail_the_job(sandbox, imported, newsletter, switch, name, action, row):  # noqa: PLR0917
    sandbox.switches.change({switch: 3})
    assert imported(lines(*[row] * 3), name=name, action=action)["JobStatus"] == "COMPLETED"
    job = imported(lines(*[row] * 4), name=name, action=action)
    assert counts(job) == ("FAILED", 0, 0)
    assert "limit is 3" in job["FailureInfo"]["ErrorMessage"]


def test_too_many_bytes_fail_the_job(sandbox, imported, newsletter):
    sandbox.switches.change({"ses_max_file_bytes": 10})
    assert "limit is 10" in imported(lines(ANN), name=LIST)["FailureInfo"]["ErrorMessage"]


def test_a_job_continues_by_the_emulated_time(sandbox, ses, s3, newsletter):
    sandbox.switches.change({"ses_job_seconds": 100, "ses_running_counts": "progress"})
    sandbox.clock.freeze()
    s3.put_object(Bucket="imports", Key="rows", Body=people(10))
    job = start(ses, name=LIST)
    seen = []
    for seconds in (0, 19, 1, 40, 39, 1):
        sandbox.clock.advance(seconds)
        found = ses.get_import_job(JobId=job)
        seen.append((found["JobStatus"], found["ProcessedRecordsCount"], len(sandbox.ses.contacts())))
        assert ("CompletedTimestamp" in found) is (found["JobStatus"] == "COMPLETED")
    assert seen == [
        ("CREATED", 0, 0), ("CREATED", 0, 0), ("PROCESSING", 0, 0), ("PROCESSING", 5, 5), ("PROCESSING", 9, 9),
        ("COMPLETED", 10, 10),
    ]  # fmt: skip
    assert (found["CompletedTimestamp"] - found["CreatedTimestamp"]).total_seconds() == 100


@pytest.mark.parametrize("look", ["get", "list"])
def test_a_job_continues_by_polls(sandbox, ses, s3, newsletter, look):
    sandbox.switches.change({"ses_job_polls": 3})
    s3.put_object(Bucket="imports", Key="rows", Body=people(3))
    job = start(ses, name=LIST)
    seen = []
    for _ in range(4):
        found = ses.get_import_job(JobId=job) if look == "get" else ses.list_import_jobs()["ImportJobs"][0]
        seen.append(found["JobStatus"])
    assert seen == ["PROCESSING", "PROCESSING", "COMPLETED", "COMPLETED"]


@pytest.mark.parametrize(("switch", "expected"), [("absent", {}), ("zero", {0}), ("progress", {0, 5})])
def test_the_counters_of_a_running_job_are_a_switch(sandbox, ses, s3, newsletter, switch, expected):  # noqa: PLR0917
    sandbox.switches.change({"ses_job_seconds": 100, "ses_running_counts": switch})
    sandbox.clock.freeze()
    s3.put_object(Bucket="imports", Key="rows", Body=people(10))
    job = start(ses, name=LIST)
    sandbox.clock.advance(60)
    found = ses.get_import_job(JobId=job)
    assert {found[name] for name in ("ProcessedRecordsCount", "FailedRecordsCount") if name in found} == {*expected}


@pytest.mark.parametrize(
    ("switch", "expected"), [("given", [True, True]), ("late", [False, True]), ("absent", [False, False])]
)
def test_the_counters_of_a_job_that_has_ended_are_a_switch(sandbox, ses, s3, newsletter, switch, expected):  # noqa: PLR0917
    sandbox.switches.change({"ses_job_seconds": 0, "ses_ended_counts": switch})
    s3.put_object(Bucket="imports", Key="rows", Body=people(2))
    job = start(ses, name=LIST)
    found = [ses.get_import_job(JobId=job) for _ in range(2)]
    assert {one["JobStatus"] for one in found} == {"COMPLETED"}
    for name in ("ProcessedRecordsCount", "FailedRecordsCount"):
        assert [name in one for one in found] == expected


@pytest.mark.parametrize(("included", "processed"), [(True, 3), (False, 2)])
def test_whether_failed_records_are_processed_ones_is_a_switch(sandbox, imported, newsletter, included, processed):
    sandbox.switches.change({"ses_processed_includes_failed": included})
    assert counts(imported(people(2) + "bad\n", name=LIST)) == ("COMPLETED", processed, 1)


@pytest.mark.parametrize(
    ("end", "status", "written", "said"),
    [
        ("completed", "COMPLETED", 4, None),
        ("failed", "FAILED", 0, "out of luck"),
        ("failed_halfway", "FAILED", 2, "out of luck"),
        ("cancelled", "CANCELLED", 2, None),
        ("error", "ERROR", 2, "out of luck"),
    ],
)
def test_a_planned_end(sandbox, imported, newsletter, end, status, written, said):  # noqa: PLR0917
    sandbox.ses.plan_jobs([{"end": end, "message": "out of luck"}])
    job = imported(people(4), name=LIST)
    assert counts(job) == (status, written, 0)
    assert len(sandbox.ses.contacts()) == written
    assert job.get("FailureInfo", {}).get("ErrorMessage") == said


def test_a_job_that_is_held_or_stalls_until_it_is_finished(sandbox, ses, s3, newsletter):
    sandbox.ses.plan_jobs([{"hold": True}, {"end": "stall"}])
    s3.put_object(Bucket="imports", Key="rows", Body=people(10))
    held, stalled = start(ses, name=LIST), start(ses, name=LIST)
    assert ses.get_import_job(JobId=held)["JobStatus"] == "CREATED"
    assert ses.get_import_job(JobId=stalled)["JobStatus"] == "PROCESSING"
    assert len(sandbox.ses.contacts()) == 5
    sandbox.ses.finish_job(held)
    sandbox.ses.finish_job(stalled, "cancelled")
    assert ses.get_import_job(JobId=held)["JobStatus"] == "COMPLETED"
    assert ses.get_import_job(JobId=stalled)["JobStatus"] == "CANCELLED"
    with pytest.raises(ValueError, match="no import job"):
        sandbox.ses.finish_job("none")


def test_planned_bad_rows_by_address_and_position(sandbox, imported, newsletter):
    sandbox.ses.plan_jobs([{"bad_rows": ["P1@example.com", 3]}])
    assert counts(imported(people(5), name=LIST)) == ("COMPLETED", 5, 2)
    assert [*sandbox.ses.contacts()] == [f"p{n}@example.com" for n in (0, 2, 4)]


def test_a_list_that_goes_away_fails_its_job(sandbox, ses, s3, newsletter):
    sandbox.switches.change({"ses_job_seconds": 10})
    s3.put_object(Bucket="imports", Key="rows", Body=people(5))
    job = start(ses, name=LIST)
    ses.delete_contact_list(ContactListName=LIST)
    sandbox.clock.advance(10)
    found = ses.get_import_job(JobId=job)
    assert found["JobStatus"] == "FAILED"
    assert LIST in found["FailureInfo"]["ErrorMessage"]


def test_twenty_jobs_may_be_under_way(sandbox, ses, client, newsletter):
    sandbox.switches.change({"ses_job_seconds": 60})
    for _ in range(20):
        start(ses, name=newsletter)
    with pytest.raises(ClientError) as refused:
        start(ses, name=newsletter)
    assert code(refused) == "LimitExceededException"
    start(client(region="eu-west-1"))
    sandbox.clock.advance(60)
    start(ses, name=newsletter)


def test_exactly_one_destination(wire, newsletter):
    source = {"S3Url": "s3://imports/rows", "DataFormat": "JSON"}
    both = {
        "SuppressionListDestination": {"SuppressionListImportAction": "PUT"},
        "ContactListDestination": {"ContactListName": LIST, "ContactListImportAction": "PUT"},
    }
    for destination in ({}, both):
        answer = wire(
            "POST", "/v2/email/import-jobs", json={"ImportDestination": destination, "ImportDataSource": source}
        )
        assert answer.headers["x-amzn-errortype"] == "BadRequestException"


def test_jobs_are_listed_by_destination(ses, s3, newsletter):
    contacts, suppressions = start(ses, name=LIST), start(ses)

    def listed(**given):
        return [job["JobId"] for job in ses.list_import_jobs(**given)["ImportJobs"]]

    assert listed() == [suppressions, contacts]
    assert listed(ImportDestinationType="CONTACT_LIST") == [contacts]
    assert listed(ImportDestinationType="SUPPRESSION_LIST") == [suppressions]


def test_a_job_of_another_region_is_unknown(client, ses, s3):
    job = start(ses)
    with pytest.raises(ClientError) as refused:
        client(region="eu-west-1").get_import_job(JobId=job)
    assert code(refused) == "NotFoundException"


def test_old_jobs_are_forgotten_by_switch(sandbox, ses, s3):
    start(ses)
    sandbox.switches.change({"ses_job_retention_days": 1})
    assert len(ses.list_import_jobs()["ImportJobs"]) == 1
    sandbox.clock.advance(86_401)
    assert ses.list_import_jobs()["ImportJobs"] == []


BAD = '{"emailAddress": "bad"}'
SHAPES = {
    "json": json.dumps({"emailAddress": "bad", "failureReason": "Invalid email address: bad", "record": BAD}),
    "csv": 'record,emailAddress,failureReason\n"{""emailAddress"": ""bad""}",bad,Invalid email address: bad',
    "input": BAD,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shape_of_failed_records_is_a_switch(sandbox, imported, newsletter, shape):
    sandbox.switches.change({"ses_failed_records": shape})
    found = failures(imported(f"{BAD}\n", name=LIST))
    assert found == f"{SHAPES[shape]}\n" if shape != "json" else json.loads(found) == json.loads(SHAPES[shape])


def test_failed_records_may_have_no_file(sandbox, imported, newsletter):
    sandbox.switches.change({"ses_failed_records": "missing"})
    job = imported("bad\n", name=LIST)
    assert counts(job) == ("COMPLETED", 1, 1)
    assert "FailureInfo" not in job


def test_the_url_of_failed_records_expires_and_takes_no_second_signature(sandbox, imported, newsletter):
    job = imported("bad\n", name=LIST)
    url = job["FailureInfo"]["FailedRecordsS3Url"]
    assert httpx.get(url + "0", verify=False).status_code == 403
    assert httpx.get(url, headers={"authorization": "AWS4-HMAC-SHA256 nonsense"}, verify=False).status_code == 400
    sandbox.switches.change({"ses_failed_url_seconds": 0})
    expired = httpx.get(imported("bad\n", name=LIST)["FailureInfo"]["FailedRecordsS3Url"], verify=False)
    assert expired.status_code == 403
    assert "Request has expired" in expired.text


def test_received_rows_are_remembered(sandbox, imported, newsletter):
    job = imported(lines(ANN) + "no json\n", name=LIST)["JobId"]
    second = imported("emailAddress\nbob@example.com\n", name=LIST, action="DELETE", data_format="CSV")["JobId"]
    third = imported("gone@example.com,BOUNCE\n", data_format="CSV")["JobId"]
    base = {"operation": "CreateImportJob", "region": "us-east-1"}
    assert sandbox.ses.received() == [
        base | {"job": job, "list": LIST, "action": "PUT", "contact": ANN},
        base | {"job": job, "list": LIST, "action": "PUT", "contact": "no json"},
        base | {"job": second, "list": LIST, "action": "DELETE", "contact": {"emailAddress": "bob@example.com"}},
        base
        | {
            "job": third,
            "list": None,
            "action": "PUT",
            "contact": {"emailAddress": "gone@example.com", "reason": "BOUNCE"},
        },
    ]  # fmt: skip
    assert sandbox.counters.rows_received == {"POST /v2/email/import-jobs": 4}


def test_rows_in_any_order_leave_the_same_contacts(sandbox, imported, newsletter):
    sandbox.switches.change({"ses_row_order": "shuffled"})
    imported(people(50), name=LIST)
    order = [*sandbox.ses.contacts()]
    assert sorted(order) == sorted(f"p{n}@example.com" for n in range(50))
    assert order != [f"p{n}@example.com" for n in range(50)]


@pytest.mark.parametrize("data_format", ["CSV", "JSON"])
def test_an_export_goes_its_way_and_can_be_downloaded(sandbox, ses, data_format):
    sandbox.switches.change({"ses_job_seconds": 10})
    metrics = {
        "MetricsDataSource": {
            "Dimensions": {"ISP": ["*"]},
            "Namespace": "VDM",
            "Metrics": [{"Name": "SEND", "Aggregation": "VOLUME"}],
            "StartDate": 1735689600,
            "EndDate": 1735776000,
        }
    }
    job = ses.create_export_job(ExportDataSource=metrics, ExportDestination={"DataFormat": data_format})["JobId"]
    found = ses.get_export_job(JobId=job)
    assert found["JobStatus"] == "CREATED"
    assert "S3Url" not in found["ExportDestination"]
    sandbox.clock.advance(5)
    assert ses.get_export_job(JobId=job)["JobStatus"] == "PROCESSING"
    sandbox.clock.advance(5)
    found = ses.get_export_job(JobId=job)
    assert found["JobStatus"] == "COMPLETED"
    assert found["ExportSourceType"] == "METRICS_DATA"
    assert found["Statistics"] == {"ProcessedRecordsCount": 2, "ExportedRecordsCount": 2}
    assert "X-Amz-Expires=300" in found["ExportDestination"]["S3Url"]
    assert "SEND" in httpx.get(found["ExportDestination"]["S3Url"], verify=False).text
    with pytest.raises(ClientError, match="already COMPLETED"):
        ses.cancel_export_job(JobId=job)


def test_exports_need_the_deliverability_manager(sandbox, ses):
    sandbox.switches.change({"ses_vdm": False})
    span = {"MessageInsightsDataSource": {"StartDate": 1735689600, "EndDate": 1735776000}}
    with pytest.raises(ClientError, match="Virtual Deliverability Manager"):
        ses.create_export_job(ExportDataSource=span, ExportDestination={"DataFormat": "CSV"})


def test_addresses_that_are_refused_fail_alone_in_jobs_and_calls(sandbox, ses, imported, newsletter):
    sandbox.ses.refuse(["Ann@example.com"])
    rows = lines({"emailAddress": "ann@example.com"}, {"emailAddress": "bob@example.com"})
    assert counts(imported(rows, name=LIST)) == ("COMPLETED", 2, 1)
    assert [*sandbox.ses.contacts()] == ["bob@example.com"]
    with pytest.raises(ClientError) as refused:
        ses.create_contact(ContactListName=LIST, EmailAddress="ann@example.com")
    assert refused.value.response["Error"]["Code"] == "BadRequestException"


def test_no_job_has_the_id_of_one_before_a_reset(sandbox, ses, newsletter):
    first = start(ses, name=LIST)
    sandbox.ses.reset()
    sandbox.ses.add_list(LIST)
    assert start(ses, name=LIST) != first


def test_plans_are_forgotten(sandbox, ses, s3, newsletter):
    sandbox.ses.plan_jobs([{"end": "failed"}])
    sandbox.ses.forget_plans()
    s3.put_object(Bucket="imports", Key="rows", Body=lines(ANN))
    assert ses.get_import_job(JobId=start(ses, name=LIST))["JobStatus"] == "COMPLETED"
