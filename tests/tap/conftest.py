from __future__ import annotations

import contextlib
import io
import json
from datetime import datetime
from types import SimpleNamespace

import httpx
import pytest

from mailing_api.errors import MailingError
from mailing_api.http.retry import RetryPolicy
from mailing_sandbox.server import Sandbox
from tap_mailing.tap import TapMailing
from tests.postgresql import postgresql

#: As patient as ever, but without the waiting.
HASTY = RetryPolicy(throttle_base=0, fault_base=0)

MOMENTS = {"MinRequestAt": "RequestAt", "MinJobStart": "JobStart", "MinJobEnd": "JobEnd"}
SECONDS = {"MinSignupAt": "SignupAt", "MinConfirmAt": "ConfirmAt"}


class Run:
    """What one run of the tap wrote, and how it ended."""

    def __init__(self, output, error=None):
        self.messages = [json.loads(line) for line in output.splitlines()]
        self.error = error

    def records(self, stream):
        return [m["record"] for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream]

    def ids(self, stream):
        return [record["id"] for record in self.records(stream)]

    def schema(self, stream):
        return next(m["schema"] for m in self.messages if m["type"] == "SCHEMA" and m["stream"] == stream)

    @property
    def streams(self):
        return {m["stream"] for m in self.messages if m["type"] == "SCHEMA"}

    @property
    def state(self):
        return [m["value"] for m in self.messages if m["type"] == "STATE"][-1]

    def bookmark(self, stream):
        return self.state["bookmarks"][stream].get("replication_key_value")


def catalog(*streams, without=(), config=None):
    """A catalog that selects some of the streams that settings offer, without some of their columns."""
    known = {name: one for name, one in (config or {}).items() if name in TapMailing.config_jsonschema["properties"]}
    found = TapMailing(config=known, validate_config=False, setup_mapper=False).catalog_dict
    for stream in found["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = not streams or stream["stream"] in streams
            elif entry["breadcrumb"][-1] in without:
                entry["metadata"]["selected"] = False
    return found


def run_tap(config, *streams, state=None, transport=None, without=(), retry=HASTY, test=False, **options):
    """One run in this process; a failure is kept, not raised."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    error = None
    with contextlib.redirect_stdout(output):
        tap = TapMailing(
            config=config,
            catalog=options.get("catalog") or catalog(*streams, without=without, config=config),
            state=state,
            transport=transport,
            retry=retry,
        )
        try:
            tap.run_sync_dry_run(1) if test else tap.sync_all()
        except MailingError as exc:
            error = exc
    output.seek(0)
    return Run(output.read(), error)


class FakeMailjet:
    """Collections as lists of rows, served as Mailjet serves them; a transport, so nothing leaves the process."""

    def __init__(self, **collections):
        self.collections = {name: list(rows) for name, rows in collections.items()}
        self.requests = []
        self.broken = {}

    @property
    def transport(self):
        return httpx.MockTransport(self.answer)

    def answer(self, request):
        path = request.url.path.removeprefix("/v3/REST/")
        self.requests.append((path, dict(request.url.params)))
        if path in self.broken:
            return self.broken[path](request)
        resource, _, key = path.partition("/")
        rows = self.collections.get(resource, [])
        if key:
            rows = [row for row in rows if str(row["ID"]) == key]
            if not rows:
                missing = {"ErrorInfo": "", "ErrorMessage": "Object not found", "StatusCode": 404}
                return httpx.Response(404, json=missing)
            return self.page(rows)
        params = dict(request.url.params)
        for name, field in MOMENTS.items():
            if name in params:
                least = datetime.fromisoformat(params[name]).timestamp()
                rows = [row for row in rows if int(row.get(field) or 0) >= least]
        for name, field in SECONDS.items():
            if name in params:
                rows = [row for row in rows if int(row.get(field) or 0) >= int(params[name])]
        if resource == "contactslist":
            deleted = params.get("IsDeleted") == "true"
            rows = [row for row in rows if bool(row.get("IsDeleted")) == deleted]
        if params.get("Sort") == "ID":
            rows = sorted(rows, key=lambda row: int(row["ID"] or 0)) if rows and "ID" in rows[0] else rows
        offset, limit = int(params.get("Offset", 0)), int(params.get("Limit", 10))
        return self.page(rows[offset : offset + limit])

    def page(self, rows):
        return httpx.Response(200, json={"Count": len(rows), "Data": rows, "Total": len(rows)})

    def asked(self, path):
        return [params for asked, params in self.requests if asked == path]

    def read(self, *streams, config=(), **options):
        settings = {"mailjet_api_key": "canary-key", "mailjet_secret_key": "canary-secret", **dict(config)}
        return run_tap(settings, *streams, transport=self.transport, **options)


@pytest.fixture
def fake():
    return FakeMailjet


@pytest.fixture(scope="session")
def filled():
    """A sandbox with data that no test changes."""
    with Sandbox(contacts=1500, seed=1) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox():
    """A sandbox of one's own."""
    with Sandbox(contacts=40, seed=1) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def postgresql_url():
    with postgresql() as url:
        yield url


def settings_of(sandbox, **more):
    return {
        "mailjet_base_url": sandbox.url,
        "mailjet_api_key": sandbox.api_key,
        "mailjet_secret_key": sandbox.secret_key,
        **more,
    }


def settings_of_all(sandbox, **more):
    """Settings of all providers; the sandbox must not limit MPDX's requests."""
    return {
        **settings_of(sandbox),
        "mpdx_base_url": sandbox.url,
        "mpdx_access_token": sandbox.secret_key,
        "ses_endpoint_url": sandbox.url,
        "ses_regions": ["us-east-1"],
        "ses_aws_access_key_id": sandbox.api_key,
        "ses_aws_secret_access_key": sandbox.secret_key,
        "ses_requests_per_second": 1e6,
        "postgrid_base_url": sandbox.url,
        "postgrid_api_key": sandbox.postgrid.test_key,
        "max_requests_per_second": 1e6,
        **more,
    }


@pytest.fixture
def config(filled):
    return settings_of(filled)


@pytest.fixture(scope="session")
def tap_functions():
    """As `tap`, for fixtures that outlive a test."""
    return SimpleNamespace(run=run_tap, catalog=catalog, settings=settings_of, settings_of_all=settings_of_all, Run=Run)


@pytest.fixture
def tap(tap_functions):
    """The functions of this file, for tests that make their own runs."""
    return tap_functions
