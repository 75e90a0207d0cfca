"""The sandbox: emulated accounts of all providers on a local port, and its control API."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from interrupts import Interrupts
from processes import CommandFailed, running

START_SECONDS = 60.0


class Sandbox:
    """A running sandbox."""

    api_key = "sandbox-key"
    secret_key = "sandbox-secret"
    postgrid_key = "test_sk_sandbox"

    def __init__(self, url: str, client: httpx.Client) -> None:
        self.url = url
        self._client = client

    def seed(self, contacts: int, *providers: str) -> None:
        """Add so many invented contacts to each of these providers."""
        self._sandbox("POST", "seed", {"contacts": contacts, "providers": providers})

    def add_ses_list(self, region: str, name: str, topics: Mapping[str, str]) -> None:
        """The contact list of a region of Amazon SES, with topics and what holds for who did not choose."""
        self._sandbox("POST", f"ses/lists?region={region}", {"name": name, "topics": topics})

    def add_bucket(self, region: str, name: str) -> None:
        """A bucket of S3."""
        self._sandbox("POST", "s3/buckets", {"name": name, "region": region})

    # What a person at Mailjet would do

    def finish_running_job(self) -> int:
        """Let the import job that is under way end, and return its ID."""
        number: int = next(job["id"] for job in self._control("GET", "jobs") if job["status"] == "Importing")
        self._control("POST", f"jobs/{number}/finish", {"end": "completed"})
        return number

    def unsubscribe(self, list_id: int, emails: list[str]) -> None:
        """Let these members of a list click on "unsubscribe"."""
        self._control("POST", "contacts", [{"email": one, "list": list_id, "unsubscribed": True} for one in emails])

    def sign_up(self, list_id: int, emails: list[str]) -> None:
        """Let these people fill in a list's sign-up form, and confirm."""
        self._control("POST", "signups", [{"email": one, "list": list_id, "confirmed": True} for one in emails])

    def members(self, list_id: int) -> dict[str, dict[str, Any]]:
        """A list's members by address: status, name and properties."""
        found: dict[str, dict[str, Any]] = self._control("GET", f"lists/{list_id}/members")
        return found

    def lists(self) -> dict[str, int]:
        """The lists' IDs by name, asked of the API as any client would."""
        answer = self._client.get("/v3/REST/contactslist?Limit=1000", auth=(self.api_key, self.secret_key))
        answer.raise_for_status()
        return {row["Name"]: row["ID"] for row in answer.json()["Data"]}

    # What the sandbox saw

    def count_from_here(self) -> None:
        """Set the counters of calls to nothing."""
        self._client.delete("/_sandbox/counters").raise_for_status()

    def calls(self) -> Counter[str]:
        """Calls since then, by method and route such as `GET /v3/REST/contact`."""
        return Counter(self._client.get("/_sandbox/counters").raise_for_status().json()["calls"])

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        return self._sandbox(method, f"mailjet/{path}", body)

    def _sandbox(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._client.request(method, f"/_sandbox/{path}", json=body)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def started(interrupts: Interrupts, *, logs: Path, folder: Path) -> Iterator[Sandbox]:
    """An empty sandbox for the time of the block."""
    ready = folder / "sandbox-url"
    options = ["--port=0", "--job-seconds=1.5", f"--ready-file={ready}"]
    command = [sys.executable, "-m", "mailing_sandbox", *options]
    log = logs / "sandbox.log"
    with (
        log.open("w", encoding="utf-8") as output,
        running(interrupts, command, output=output, env=os.environ, cwd=folder) as process,
    ):
        deadline = time.monotonic() + START_SECONDS
        while not (ready.exists() and (url := ready.read_text(encoding="utf-8"))):
            if process.poll() is not None or time.monotonic() > deadline:
                raise CommandFailed("mailing-sandbox", process.poll() or 1, log)
            time.sleep(0.05)
        with httpx.Client(base_url=url, timeout=60.0, trust_env=False) as client:
            yield Sandbox(url, client)


def calls_of(calls: Counter[str], resources: tuple[str, ...], method: str = "GET") -> int:
    """Count the calls by this method whose path names one of these resources."""
    return sum(
        count
        for route, count in calls.items()
        if route.startswith(f"{method} ") and not set(route.split("/")).isdisjoint(resources)
    )
