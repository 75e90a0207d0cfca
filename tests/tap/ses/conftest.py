from __future__ import annotations

import json
import logging

import httpx
import pytest

from mailing_sandbox import Sandbox

ACCOUNT = "ses_account"
JOBS, JOB_DETAILS = "ses_import_jobs", "ses_import_job_details"
LISTS, TOPICS = "ses_mailing_lists", "ses_topics"
CONTACTS, CONTACT_DETAILS = "ses_contacts", "ses_contact_details"
SUPPRESSIONS, SUPPRESSION_DETAILS = "ses_suppressions", "ses_suppression_details"

HOME, AWAY = "us-east-1", "eu-west-1"


class Wire(httpx.BaseTransport):
    """The network, with a record of all requests; `before` may do something ahead of one of them.

    `change` may rewrite an answer: it is called with the request and the decoded body.
    """

    def __init__(self):
        self.requests = []
        self.before = {}
        self.change = None
        self._network = httpx.HTTPTransport(verify=False)

    def handle_request(self, request):
        path = request.url.path.removeprefix("/v2/email/")
        number = sum(one.url.path.removeprefix("/v2/email/") == path for one in self.requests) + 1
        self.requests.append(request)
        act = self.before.pop((path, number), None)
        if act is not None:
            act()
        answer = self._network.handle_request(request)
        if self.change is None:
            return answer
        answer.read()
        body = self.change(request, answer.json())
        return httpx.Response(answer.status_code, json=body)

    def close(self):
        self._network.close()
        self._network = httpx.HTTPTransport(verify=False)

    def asked(self, path):
        """The members of the requests to a path, from query and body, and the region that each was signed for."""
        found = [one for one in self.requests if one.url.path == f"/v2/email/{path}"]
        return [dict(one.url.params) | (json.loads(one.content) if one.content else {}) for one in found]

    def regions(self):
        return [request.headers["authorization"].split("/")[2] for request in self.requests]


@pytest.fixture(autouse=True)
def _no_aws_of_this_machine(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def sandbox():
    """An empty sandbox; its clock is an hour behind, so that tests can move it without passing the tap's."""
    with Sandbox(job_seconds=100) as running:
        running.clock._offset -= 3600
        yield running


@pytest.fixture
def ses(sandbox):
    """The emulated SES, with a contact list of two topics in `HOME`."""
    sandbox.ses.add_list("Readers", {"News": "OPT_IN", "Offers": "OPT_OUT"}, region=HOME)
    return sandbox.ses


@pytest.fixture
def submit(sandbox, ses):
    """Starts an import job, which is held until it is finished; returns its ID."""

    def start(*, region=HOME, contact_list="Readers", action="PUT"):
        from mailing_sandbox.ses.jobs import submit as put_in

        ses.plan_jobs([{"hold": True}])
        with ses.lock:
            place = ses._account.region(region)
            return put_in(
                place, name=contact_list, action=action, bucket="imports", key="rows.json", data_format="JSON"
            ).id

    return start


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def settings(sandbox):
    """Settings of one region, as fast as the sandbox goes."""

    def of(**more):
        return {
            "ses_regions": [HOME],
            "ses_endpoint_url": sandbox.url,
            "ses_aws_access_key_id": sandbox.api_key,
            "ses_aws_secret_access_key": sandbox.secret_key,
            "ses_requests_per_second": 1e6,
            **more,
        }

    return of


@pytest.fixture
def read(settings, wire, tap, caplog):
    """Run the tap with these settings; what is logged must hold no secret and no address."""
    caplog.set_level(logging.DEBUG)

    def run(*streams, state=None, test=False, without=(), **more):
        found = tap.run(settings(**more), *streams, state=state, transport=wire, test=test, without=without)
        assert "@example.com" not in caplog.text
        assert "%40example.com" not in caplog.text
        assert "sandbox-secret" not in caplog.text
        assert "AWS4-HMAC" not in caplog.text
        return found

    return run


@pytest.fixture
def people(ses):
    """Adds contacts of names; a name may come with the seconds since 2023-11-14T22:13:20Z at which it was changed."""

    def add(*names, region=HOME, **more):
        rows = [(one, None) if isinstance(one, str) else one for one in names]
        moments = [{} if at is None else {"created": 1.7e9, "updated": 1.7e9 + at} for _, at in rows]
        emails = [f"{name}@example.com" for name, _ in rows]
        ses.add_contacts(
            [{"email": email, **moment, **more} for email, moment in zip(emails, moments, strict=True)], region=region
        )

    return add


@pytest.fixture
def names():
    """The local parts of the addresses that a stream has, in their order."""

    def of(run, stream=CONTACTS):
        return [record["email"].partition("@")[0] for record in run.records(stream)]

    return of
