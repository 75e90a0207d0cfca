"""From all providers to the warehouse, twice, with changes at Mailjet in between."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from project import Project
from report import Report, print_wrapped
from sandbox import Sandbox, calls_of
from warehouse import Warehouse

PROVIDERS = {"mailjet", "mpdx", "postgrid", "ses"}
NEW_READERS = ["ines.moreau@example.com", "kwame.okafor@mail.test", "yuki.tanaka@example.org"]
LEAVING_READERS = 5
INCREMENTAL = {
    "import jobs": ("mailjet_import_jobs", ("batchjob", "csvimport")),
    "sign-ups": ("mailjet_list_signups", ("contactslistsignup",)),
    "unsubscribes": ("mailjet_list_unsubscribes", ("listrecipientstatistics",)),
}
"""Streams that are read incrementally: the table, and the resources of Mailjet that the tap requests for it."""
CHANGED = {"import jobs": 1, "sign-ups": len(NEW_READERS), "unsubscribes": LEAVING_READERS}
"""Changes at Mailjet between the two extractions."""


class Extraction(NamedTuple):
    """One run of tap-mailing into the warehouse."""

    requests: Mapping[str, int]
    rows: Mapping[str, int]
    seconds: float


class Extractions:
    """The first part of the story."""

    def __init__(self, sandbox: Sandbox, warehouse: Warehouse, project: Project, report: Report) -> None:
        self._sandbox = sandbox
        self._warehouse = warehouse
        self._project = project
        self._say = report.say
        self._check = report.check

    def __call__(self) -> dict[str, Any]:
        """Run the tap twice; returns the numbers of both runs and the rows of each table."""
        self._say("Mailjet, MPDX, PostGrid, Amazon SES -> PostgreSQL: meltano run tap-mailing target-postgres")
        first = self._extract("extract")
        expected = self._expected()
        job = self._sandbox.finish_running_job()
        readers = self._sandbox.lists()["Spring readers"]
        self._sandbox.sign_up(readers, NEW_READERS)
        self._readers_leave(readers)
        self._say(
            f"at Mailjet the import job under way ends, {len(NEW_READERS)} people sign up, "
            f"{LEAVING_READERS} unsubscribe; the same command again"
        )
        second = self._extract("extract-again")
        compare(first, second)
        ended = self._warehouse.rows(f"SELECT status, is_terminal FROM mailing.mailjet_import_jobs WHERE id = '{job}'")
        signed_up = self._warehouse.value(
            "SELECT count(*) FROM mailing.mailjet_list_signups WHERE confirm_at IS NOT NULL AND email IN "
            + "({})".format(", ".join(f"'{email}'" for email in NEW_READERS))
        )
        self._check(
            ended == [{"status": "Completed", "is_terminal": True}] and signed_up == len(NEW_READERS),
            "the warehouse knows that the job ended, and who signed up",
        )
        self._check(
            {label: second.rows[label] for label in INCREMENTAL} == expected,
            "of these three, the second run read what changed and the look-back, nothing else",
        )
        providers = {row.partition("_")[0] for row, count in self._tables().items() if count}
        self._check(providers == PROVIDERS, "the warehouse has rows of all four providers")
        return {"extractions": [first._asdict(), second._asdict()], "warehouse": self._tables()}

    def _expected(self) -> dict[str, int]:
        """Return how many rows an incremental run should read: the changes to come, and the look-back's rows."""
        open_since = "(SELECT min(created_at) FROM mailing.mailjet_import_jobs WHERE NOT is_terminal)"
        latest = "(SELECT max(updated_at) FROM mailing.mailjet_list_signups)"
        jobs = self._warehouse.value(
            "SELECT count(*) FROM mailing.mailjet_import_jobs "
            f"WHERE greatest(created_at, started_at, completed_at) >= {open_since} - interval '1 day'"
        )
        signups = self._warehouse.value(
            f"SELECT count(*) FROM mailing.mailjet_list_signups WHERE updated_at >= {latest} - interval '1 day'"
        )
        return {"import jobs": jobs, "sign-ups": signups + len(NEW_READERS), "unsubscribes": LEAVING_READERS}

    def _extract(self, name: str) -> Extraction:
        since = datetime.now(UTC).isoformat()
        self._sandbox.count_from_here()
        began = time.monotonic()
        self._project.run(name, "tap-mailing", "target-postgres")
        seconds = time.monotonic() - began
        calls = self._sandbox.calls()
        requests = {label: calls_of(calls, resources) for label, (_, resources) in INCREMENTAL.items()}
        rows = {label: self._written(table, since) for label, (table, _) in INCREMENTAL.items()}
        rest = sum(self._written(table, since) for table in self._tables()) - sum(rows.values())
        return Extraction(
            {**requests, "all others": calls.total() - sum(requests.values())},
            {**rows, "all others": rest},
            seconds,
        )

    def _written(self, table: str, since: str) -> int:
        found: int = self._warehouse.value(
            f"SELECT count(*) FROM mailing.{table} WHERE _sdc_extracted_at >= timestamptz '{since}' AT TIME ZONE 'UTC'"
        )
        return found

    def _tables(self) -> dict[str, int]:
        names = self._warehouse.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'mailing' ORDER BY table_name"
        )
        return {
            row["table_name"]: self._warehouse.value(f"SELECT count(*) FROM mailing.{row['table_name']}")
            for row in names
        }

    def _readers_leave(self, list_id: int) -> None:
        members = self._sandbox.members(list_id)
        subscribed = [email for email, member in members.items() if member["status"] == "subscribed"]
        self._sandbox.unsubscribe(list_id, subscribed[:LEAVING_READERS])


def compare(first: Extraction, second: Extraction) -> None:
    """Print the requests and rows of both runs."""
    print(f"\n{'':14}{'first run':>20}{'changed':>12}{'second run':>20}")
    print(f"{'':14}{'requests':>11}{'rows':>9}{'':12}{'requests':>11}{'rows':>9}")
    for label in first.rows:
        print(
            f"{label:14}{first.requests[label]:11,}{first.rows[label]:9,}{CHANGED.get(label, ''):>12}"
            f"{second.requests[label]:11,}{second.rows[label]:9,}"
        )
    print_wrapped(
        "The first three are incremental streams of Mailjet: the second run requests the changes since the first run "
        "and one day before it, in case a change arrived late. Most other streams have no such filter.",
        "",
    )
    print()
