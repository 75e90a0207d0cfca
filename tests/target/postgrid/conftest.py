"""A PostGrid account in the sandbox, with a list, and a way to pipe a Singer stream into the target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mailing_sandbox.server import Sandbox
from tests.target.conftest import Mailjet, Result, schema

LIST = "Christmas letter"

TEXT = {"type": ["string", "null"]}
COLUMNS = {
    "id": {"type": ["integer", "string", "null"]},
    **dict.fromkeys(
        (
            "email", "name", "first_name", "last_name", "company", "job_title", "phone", "address_line1",
            "address_line2", "address_city", "address_region", "address_postal_code", "address_country",
            "subscription_status", "description",
        ),
        TEXT,
    ),
    "properties": {"type": ["object", "null"]},
    "skip_verification": {"type": ["boolean", "null"]},
    "_sdc_deleted_at": {"type": ["string", "null"], "format": "date-time"},
}  # fmt: skip
GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}


def households(keys=("id",)):
    return schema("households", COLUMNS, keys)


def household(number: int, *, stream: str = "households", **columns: Any):
    record = {
        "id": number,
        "name": f"Family {number}",
        "address_line1": f"{number} Mill Lane",
        "address_city": "Leeds",
        "address_country": "GB",
    }
    return {"type": "RECORD", "stream": stream, "record": record | columns}


def delete(number: int, **columns: Any):
    return {"type": "RECORD", "stream": "households", "record": {"id": number} | GONE | columns}


@dataclass
class Postgrid(Mailjet):
    """The account, and the target's settings for it."""

    @property
    def number(self) -> str:
        return next(one["id"] for one in self.sandbox.postgrid.lists().values() if one["description"] == LIST)

    def on_list(self) -> dict[str, dict[str, Any]]:
        """Who is on the list, as it was sent, by ID."""
        return self.sandbox.postgrid.members(self.number)["contacts"]

    def streets(self) -> list[str]:
        """The first lines of the addresses on the list."""
        return sorted(one["addressLine1"] for one in self.on_list().values())

    def jobs(self) -> list[tuple[str, int]]:
        """What was done to lists, and with how many."""
        return [(job["action"], job["ids"]) for job in self.sandbox.postgrid.jobs()]


def start(postgrid: Postgrid, messages: list[Any], **config: Any) -> tuple[Thread, list[Result]]:
    """Deliver in a thread; the list holds the result when it is over."""
    results: list[Result] = []
    thread = Thread(target=lambda: results.append(postgrid.deliver(messages, **config)))
    thread.start()
    return thread, results


@contextmanager
def account(folder: Path, **switches: Any) -> Iterator[Postgrid]:
    """The account in a sandbox of its own."""
    with Sandbox(job_seconds=0.02, switches=switches) as sandbox:
        sandbox.postgrid.add_list(LIST)
        config = {
            "postgrid_api_key": sandbox.postgrid.test_key,
            "postgrid_base_url": sandbox.url,
            "list": LIST,
            "journal": str(folder / "journal.sqlite"),
            "poll_interval": 0.015,
            "poll_max_interval": 0.03,
            "max_requests_per_second": 1000,
            "max_rejected": "100%",
        }
        yield Postgrid(sandbox, folder, config)


@pytest.fixture
def postgrid(tmp_path):
    with account(tmp_path) as found:
        yield found


FILES, FILES_REGION = "mail-files", "us-east-1"


def link_files(postgrid: Postgrid, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Files of imports go into a bucket of the sandbox, by credentials of the environment."""
    sandbox = postgrid.sandbox
    sandbox.storage.add_bucket(FILES, FILES_REGION)
    postgrid.config |= {
        "postgrid_s3_bucket": FILES,
        "postgrid_s3_region": FILES_REGION,
        "postgrid_s3_endpoint_url": f"{sandbox.url}/s3",
    }
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", sandbox.api_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sandbox.secret_key)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))


def objects(sandbox: Sandbox) -> list[str]:
    """The keys in that bucket."""
    answer = sandbox.storage._own("GET", f"/{FILES}", "list-type=2", b"")
    return [part.partition("</Key>")[0] for part in answer.body.decode().split("<Key>")[1:]]
