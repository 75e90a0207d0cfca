"""An account of Amazon SES in the sandbox, with its bucket, and the target's settings for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from mailing_api.http.retry import RetryPolicy
from mailing_sandbox.server import Sandbox
from mailing_sandbox.ses.jobs import submit
from target_mailing.delivery import freshness, jobs
from target_mailing.ses import account as ses_account
from target_mailing.ses import import_route as ses_import_route
from tests.target.conftest import Mailjet

LIST = "Readers"
TOPICS = {"News": "OPT_IN", "Offers": "OPT_OUT"}
BUCKET = "imports"
REGION = "eu-west-1"
GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}

CALLS = {
    "create": "POST /v2/email/contact-lists/{ContactListName}/contacts",
    "get": "GET /v2/email/contact-lists/{ContactListName}/contacts/{EmailAddress}",
    "update": "PUT /v2/email/contact-lists/{ContactListName}/contacts/{EmailAddress}",
    "delete": "DELETE /v2/email/contact-lists/{ContactListName}/contacts/{EmailAddress}",
    "list": "POST /v2/email/contact-lists/{ContactListName}/contacts/list",
    "submit": "POST /v2/email/import-jobs",
    "put": "PUT /s3/{bucket}/{key}",
}


LOCK = (
    b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
    b"<Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
)
VERSIONS = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def retain_objects(sandbox, bucket) -> None:
    """Turn a bucket of the sandbox into one with Object Lock, whose objects are retained for a day."""
    assert sandbox.storage._own("PUT", f"/{bucket}", "versioning=", VERSIONS).status == 200
    assert sandbox.storage._own("PUT", f"/{bucket}", "object-lock=", LOCK).status == 200
    assert sandbox.storage.objects.retains(bucket)


def demand_encryption(sandbox, bucket, algorithm) -> None:
    """Give a bucket of the sandbox a policy that denies uploads without that header."""
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": algorithm}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()
    assert sandbox.storage._own("PUT", f"/{bucket}", "policy=", policy).status < 300


@dataclass
class Ses(Mailjet):
    """The account, and the target's settings for it."""

    @property
    def ses(self):
        return self.sandbox.ses

    def contacts(self) -> dict[str, dict[str, Any]]:
        return self.ses.contacts(region=REGION)

    def seen(self, email: str) -> tuple[bool, dict[str, str], Any]:
        """Whether somebody unsubscribed, their topics and attributes."""
        contact = self.contacts()[email]
        return contact["unsubscribed"], contact["topics"], json.loads(contact["attributes"] or "null")

    def add(self, *contacts: dict[str, Any]) -> None:
        self.ses.add_contacts(contacts, region=REGION)

    def suppressed(self) -> dict[str, str]:
        return self.ses.suppressions(region=REGION)

    def suppress(self, *emails: str) -> None:
        self.ses.add_suppressions([{"email": one} for one in emails], region=REGION)

    def occupy_a_slot(self) -> str:
        """A job of somebody else's, that is under way until it is finished."""
        self.ses.plan_jobs([{"hold": True}])
        region = self.ses._account.region(REGION)
        return submit(region, name=None, action="PUT", bucket="theirs", key="rows", data_format="JSON").id

    def jobs(self) -> list[dict[str, Any]]:
        return self.ses.jobs()

    def objects(self) -> list[str]:
        """The keys in the bucket."""
        answer = self.sandbox.storage._own("GET", f"/{BUCKET}", "list-type=2", b"")
        return [part.partition("</Key>")[0] for part in answer.body.decode().split("<Key>")[1:]]

    def calls(self) -> dict[str, int]:
        return {name: count for name, call in CALLS.items() if (count := self.sandbox.counters.calls.get(call))}


@pytest.fixture(autouse=True)
def _no_aws_of_this_machine(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch):
    monkeypatch.setattr(
        ses_account,
        "PATIENCE",
        RetryPolicy(throttle_base=0.02, throttle_cap=0.1, throttle_tries=30, fault_base=0.02, fault_cap=0.1),
    )
    monkeypatch.setattr(ses_import_route, "SLOT_WAIT", 0.1)
    monkeypatch.setattr(freshness, "FRESH", 0.0)  # so each wait is a long one
    monkeypatch.setattr(jobs, "_APPEARS_WITHIN", 0.3)


@pytest.fixture
def bare(tmp_path):
    """An account without a bucket."""
    with Sandbox(job_seconds=0.02) as sandbox:
        sandbox.ses.add_list(LIST, TOPICS, region=REGION)
        config = {
            "ses_regions": [REGION],
            "ses_aws_access_key_id": sandbox.api_key,
            "ses_aws_secret_access_key": sandbox.secret_key,
            "ses_endpoint_url": sandbox.url,
            "ses_requests_per_second": 1e6,
            "list": LIST,
            "properties": ["city", "visits"],
            "journal": str(tmp_path / "journal.sqlite"),
            "poll_interval": 0.015,
            "poll_max_interval": 0.03,
            "max_rejected": "100%",
        }
        yield Ses(sandbox, tmp_path, config)


@pytest.fixture
def ses(bare):
    """An account with a bucket; rows go by import jobs."""
    bare.sandbox.storage.add_bucket(BUCKET, REGION)
    bare.config |= {"ses_s3_bucket": BUCKET, "ses_s3_endpoint_url": f"{bare.sandbox.url}/s3", "route": "import"}
    return bare


@pytest.fixture(params=["import", "direct"])
def either(ses, request):
    """The same account, by either route."""
    ses.config["route"] = request.param
    return ses
