"""The control API of SES, faults on its routes, invented data, and junk."""

from __future__ import annotations

import random

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from mailing_sandbox import Sandbox
from mailing_sandbox.ses.routes import ROUTES
from tests.sandbox.ses.conftest import code, start

JOBS = "/v2/email/import-jobs"


def test_lists_contacts_and_suppressions(control):
    assert (
        control.post("/ses/lists?region=eu-west-1", json={"name": "News", "topics": {"a": "OPT_IN"}}).status_code == 201
    )
    row = {"email": "ann@example.com", "topics": {"a": "OPT_OUT"}, "attributes": {"x": 1}, "updated": 5.5}
    assert control.post("/ses/contacts?region=eu-west-1", json=[row, {"email": "bob@example.com"}]).status_code == 201
    control.request(
        "DELETE", "/ses/contacts?region=eu-west-1", json={"emails": ["bob@example.com", "none@example.com"]}
    )
    found = control.get("/ses/contacts?region=eu-west-1").json()
    assert found.keys() == {"ann@example.com"}
    assert found["ann@example.com"] | {"created": 0} == {
        "unsubscribed": False, "topics": {"a": "OPT_OUT"}, "attributes": '{"x":1}', "created": 0, "updated": 5.5,
    }  # fmt: skip
    rows = [{"email": "x@example.com"}, {"email": "y@example.com", "reason": "COMPLAINT"}]
    control.post("/ses/suppressions?tenant=acme", json=rows)
    control.request("DELETE", "/ses/suppressions?tenant=acme", json={"emails": ["x@example.com"]})
    assert control.get("/ses/suppressions?tenant=acme").json() == {"y@example.com": "COMPLAINT"}
    assert control.get("/ses/suppressions").json() == {}


@pytest.mark.slow
def test_jobs_are_planned_shown_and_finished(sandbox, ses, control, newsletter):
    control.post("/s3/buckets", json={"name": "imports", "region": "us-east-1"})
    assert control.post("/ses/jobs/plan", json={"next": [{"hold": True}]}).json() == {"planned": 1}
    job = start(ses, name=newsletter)
    [shown] = control.get("/ses/jobs").json()
    assert (shown["id"], shown["status"], shown["s3_url"]) == (job, "CREATED", "s3://imports/rows")
    assert control.post(f"/ses/jobs/{job}/finish", json={"end": "cancelled"}).json()["status"] == "FAILED"
    assert control.post("/ses/jobs/none/finish").status_code == 404
    assert control.get("/ses/received").json() == []


def test_account_permissions_and_keys(client, control):
    assert (
        control.patch("/ses/account?region=eu-west-1", json={"production_access": False}).json()["region"]
        == "eu-west-1"
    )
    assert control.get("/ses/account").json()["production_access"] is True
    assert control.get("/ses/account?region=eu-west-1").json()["production_access"] is False
    control.put("/ses/denied", json={"actions": ["ses:GetAccount"]})
    with pytest.raises(ClientError) as refused:
        client().get_account()
    assert code(refused) == "AccessDeniedException"
    control.put("/ses/denied", json={"actions": []})
    control.post("/ses/keys", json={"access_key": "ASIA", "secret_key": "s", "session_token": "t", "seconds": 60})
    assert client(aws_access_key_id="ASIA", aws_secret_access_key="s", aws_session_token="t").get_account()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/ses/jobs/plan", {"next": [{"end": "explode"}]}),
        ("POST", "/ses/jobs/plan", {"next": 5}),
        ("POST", "/ses/jobs/none/finish", {"end": "stall"}),
        ("POST", "/ses/lists", {"name": 5}),
        ("POST", "/ses/lists", {"name": "News", "topics": {"a": "YES"}}),
        ("POST", "/ses/lists", {"name": "Second"}),
        ("GET", "/ses/contacts?region=eu-west-1", None),
        ("POST", "/ses/contacts", [{"name": "x"}]),
        ("POST", "/ses/contacts", [{"email": "nobody"}]),
        ("POST", "/ses/contacts", [{"email": "a@example.com", "topics": {"Nope": "OPT_IN"}}]),
        ("POST", "/ses/suppressions", [{"email": 5}]),
        ("DELETE", "/ses/contacts", {"emails": "a@example.com"}),
        ("PATCH", "/ses/account", {"mood": "good"}),
        ("PUT", "/ses/denied", {"actions": [5]}),
        ("POST", "/ses/keys", {"access_key": "only"}),
        ("POST", "/s3/buckets", {"name": 5}),
        ("PATCH", "/switches", {"ses_list_order": "sideways"}),
    ],
)
def test_what_does_not_fit_is_refused(control, newsletter, method, path, body):
    answer = control.request(method, path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("rule", "seen", "status"),
    [
        ({"status": 429}, "TooManyRequestsException", 429),
        ({"status": 500}, "InternalServiceErrorException", 500),
        ({"status": 503}, "ServiceUnavailableException", 503),
        ({"status": 400, "message": "LimitExceededException: too many"}, "LimitExceededException", 400),
        ({"status": 500, "message": "ConcurrentModificationException: x"}, "ConcurrentModificationException", 500),
        ({"status": 403, "message": "no"}, "AccessDeniedException", 403),
        ({"status": 404, "body": "html"}, "404", 404),
    ],
)  # fmt: skip
def test_injected_errors_look_like_the_provider(sandbox, ses, rule, seen, status):
    sandbox.faults.add(kind="status", path=f"{JOBS}/list", **rule)
    with pytest.raises(ClientError) as refused:
        ses.list_import_jobs()
    assert code(refused) == seen
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert ses.list_import_jobs()["ImportJobs"] == []


def test_a_job_whose_reply_was_lost_runs(sandbox, ses, s3, newsletter):
    s3.put_object(Bucket="imports", Key="rows", Body=b'{"emailAddress":"ann@example.com"}\n')
    sandbox.faults.add(kind="reply_lost", method="POST", path=JOBS)
    with pytest.raises(ConnectionClosedError):
        start(ses, name=newsletter)
    [job] = ses.list_import_jobs()["ImportJobs"]
    assert job["JobStatus"] == "COMPLETED"
    assert [*sandbox.ses.contacts()] == ["ann@example.com"]


def test_calls_and_rows_are_counted_by_route(sandbox, ses, newsletter):
    sandbox.ses.add_contacts([{"email": f"p{n}@example.com"} for n in range(3)])
    ses.list_contacts(ContactListName=newsletter)
    ses.get_contact(ContactListName=newsletter, EmailAddress="p1@example.com")
    assert sandbox.counters.calls == {
        "POST /v2/email/contact-lists/{ContactListName}/contacts/list": 1,
        "GET /v2/email/contact-lists/{ContactListName}/contacts/{EmailAddress}": 1,
    }
    assert sandbox.counters.rows_served == {"ses contacts": 3}


def everything(seed, client_of):
    with Sandbox(contacts=200, seed=seed) as sandbox:
        found = {}
        for region in ("us-east-1", "eu-west-1"):
            ses = client_of(sandbox, region)
            answers = {
                "contacts": ses.list_contacts(ContactListName="Readers", PageSize=1000)["Contacts"],
                "list": ses.get_contact_list(ContactListName="Readers"),
                "suppressions": ses.list_suppressed_destinations()["SuppressedDestinationSummaries"],
                "imports": ses.list_import_jobs()["ImportJobs"],
                "exports": ses.list_export_jobs()["ExportJobs"],
            }
            answers["list"].pop("ResponseMetadata")
            found[region] = answers
            ses.close()
        return found


@pytest.fixture
def client_of():
    import boto3

    def make(sandbox, region):
        keys = {"aws_access_key_id": sandbox.api_key, "aws_secret_access_key": sandbox.secret_key}
        return boto3.client("sesv2", endpoint_url=sandbox.url, region_name=region, **keys)

    return make


@pytest.mark.slow
def test_the_same_number_gives_the_same_data(client_of):
    first = everything(7, client_of)
    assert first == everything(7, client_of)
    assert first["us-east-1"]["contacts"] != everything(8, client_of)["us-east-1"]["contacts"]


def test_invented_data_is_varied(client_of):
    found = everything(1, client_of)["us-east-1"]
    people = found["contacts"]
    assert len(people) == 200
    assert {row["UnsubscribeAll"] for row in people} == {True, False}
    assert {len(row["TopicPreferences"]) for row in people} >= {0, 1, 4}
    assert any("+" in row["EmailAddress"] for row in people)
    assert {row["Reason"] for row in found["suppressions"]} == {"BOUNCE", "COMPLAINT"}
    assert {job["JobStatus"] for job in found["imports"]} == {"COMPLETED", "FAILED"}
    assert {next(iter(job["ImportDestination"])) for job in found["imports"]} == {
        "ContactListDestination", "SuppressionListDestination",
    }  # fmt: skip
    assert {job["JobStatus"] for job in found["exports"]} == {"COMPLETED", "FAILED", "CANCELLED"}


def test_reset_forgets_data_and_keeps_switches_and_keys(sandbox, ses, newsletter):
    sandbox.seed(50)
    sandbox.switches.change({"ses_last_token": "absent"})
    assert ses.list_import_jobs()["ImportJobs"]
    sandbox.reset()
    assert ses.list_contact_lists()["ContactLists"] == []
    assert ses.list_import_jobs()["ImportJobs"] == []
    assert sandbox.switches.as_dict()["ses_last_token"] == "absent"


def test_seeding_twice_adds(sandbox, ses):
    sandbox.seed(30, 1)
    sandbox.seed(30, 2)
    assert len(ses.list_contacts(ContactListName="Readers", PageSize=1000)["Contacts"]) == 60


JUNK = ("", "x", "ann@example.com", "%00", "a%2Fb", "..", "é", "list", "'\"<>", "9" * 400)
VALUES = (None, "", "x", 0, -1, 2**70, True, [], [None], {}, {"x": 1}, "é\u0000", 1e308)


@pytest.mark.slow
def test_junk_never_breaks_the_emulator(sandbox, wire, newsletter):
    drawn = random.Random(4)
    members = [
        "ContactListName", "EmailAddress", "PageSize", "NextToken", "Filter", "ImportDestination", "ImportDataSource",
        "Topics", "TopicPreferences", "ExportDataSource", "Reason", "TenantName",
    ]  # fmt: skip
    for place in range(300):
        route = ROUTES[place % len(ROUTES)]
        parts = [drawn.choice(JUNK) if part.startswith("{") else part for part in route.path.split("/")]
        body = {drawn.choice(members): drawn.choice(VALUES) for _ in range(3)}
        query = f"?{drawn.choice(members)}={drawn.choice(JUNK)}" if place % 2 else ""
        path = "/".join(parts).replace("é", "%C3%A9").replace("'\"<>", "%27%22%3C%3E")
        answer = wire(route.method, path + query.replace("'\"<>", "%22").replace("é", "%C3%A9"), json=body)
        assert answer.status_code in (200, 400, 403, 404), (route.operation, answer.text)
        assert isinstance(answer.json(), dict)
