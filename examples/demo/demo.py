"""Four providers to a warehouse, from there to Mailjet, and from MPDX to Mailjet, on this machine alone: `make demo`.

A sandbox stands in for the providers, and a PostgreSQL server from the package registry is the warehouse. Between them
runs Meltano, with this repository's meltano.yml. Whatever is claimed on the way is checked; the first claim that does
not hold ends the demo with status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import sandbox as sandboxes
import warehouse as warehouses
from interrupts import Interrupts
from processes import CommandFailed
from project import OutcomesMissing, Project, outcomes
from sandbox import Sandbox
from warehouse import QueryFailed, Warehouse

HERE = Path(__file__).parent
LIST = "CRM people"
SUPPORTERS = "Supporters"
PROVIDERS = {"mailjet", "mpdx", "postgrid", "ses"}
CONTACTS_ELSEWHERE = 500
"""Contacts of each provider but Mailjet."""
MARK = "made-by-the-demo"
FAULTS = {"bad_address": 1, "wrong_type": 1, "unknown_property": 1}
OPTED_OUT_IN_THE_CRM = range(201, 221)
OPTED_OUT_AT_MAILJET = range(301, 316)
MOVED_TO_LISBON = range(301, 341)
NEW_READERS = ["ines.moreau@example.com", "kwame.okafor@mail.test", "yuki.tanaka@example.org"]
LEAVING_READERS = 5
INCREMENTAL = {
    "import jobs": ("mailjet_import_jobs", ("batchjob", "csvimport")),
    "sign-ups": ("mailjet_list_signups", ("contactslistsignup",)),
    "unsubscribes": ("mailjet_list_unsubscribes", ("listrecipientstatistics",)),
}
"""The streams that are read incrementally: table, and Mailjet's resources that are asked for it."""
CHANGED = {"import jobs": 1, "sign-ups": len(NEW_READERS), "unsubscribes": LEAVING_READERS}
"""What happens at Mailjet between the two extractions."""


class ClaimFailed(Exception):
    """Something that the demo says is not so."""


class FolderTaken(Exception):
    """The folder for the files is not the demo's."""


class Extraction(NamedTuple):
    """One run of tap-mailing into the warehouse."""

    requests: Mapping[str, int]
    rows: Mapping[str, int]
    seconds: float


class Demo:
    """The story: extract, extract again, deliver, deliver changes, deliver everything again, deliver from MPDX."""

    def __init__(self, sandbox: Sandbox, warehouse: Warehouse, project: Project, people: int) -> None:
        self._sandbox = sandbox
        self._warehouse = warehouse
        self._project = project
        self._people = people
        self._began = time.monotonic()
        self.summary: dict[str, Any] = {}

    def __call__(self) -> None:
        """Tell it."""
        self._say("installing tap-postgres and target-postgres (once)")
        self._project.install()
        self._extract_twice()
        self._make_people()
        self._deliver_everything()
        self._deliver_changes()
        self._deliver_everything_again()
        self._deliver_from_mpdx()
        self.summary["seconds"] = round(time.monotonic() - self._began, 1)

    # From the providers to the warehouse

    def _extract_twice(self) -> None:
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
        self._compare(first, second)
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
        self.summary["warehouse"] = self._tables()

    def _expected(self) -> dict[str, int]:
        """What an incremental run has to read: the changes to come, and what the look-back covers."""
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

    def _compare(self, first: Extraction, second: Extraction) -> None:
        print(f"\n{'':14}{'first run':>22}{'changed':>12}{'second run':>22}")
        print(f"{'':14}{'requests':>12}{'rows':>10}{'':12}{'requests':>12}{'rows':>10}")
        for label in first.rows:
            print(
                f"{label:14}{first.requests[label]:12,}{first.rows[label]:10,}{CHANGED.get(label, ''):>12}"
                f"{second.requests[label]:12,}{second.rows[label]:10,}"
            )
        print("The first three are incremental streams of Mailjet: the second run asks for changes since the first and")
        print("looks back one day more, in case something came late. Most others have no such filter.\n")
        self.summary["extractions"] = [first._asdict(), second._asdict()]

    # From the warehouse to a Mailjet list

    def _make_people(self) -> None:
        self._say(f"a CRM's table of {self._people + 1:,} people in PostgreSQL, some of them faulty")
        self._warehouse.run((HERE / "people.sql").read_text(encoding="utf-8").format(people=self._people))

    def _deliver_everything(self) -> None:
        self._say(f"PostgreSQL -> Mailjet list {LIST!r}: meltano run tap-postgres target-mailing")
        found = self._deliver("deliver")
        self._check(
            found["reasons"] == FAULTS and found["superseded"] == 1,
            "a bad address, a wrong type and an unknown property are rejected; the duplicate is superseded",
        )
        self._check(found["delivered"] == self._people - 3, "everybody else is delivered")
        members = self._members()
        self._check(len(members) == self._people - 3, f"read back: {len(members):,} members, as many as delivered")
        self._check(
            unsubscribed(members) == self._addresses(OPTED_OUT_IN_THE_CRM),
            f"read back: the {len(OPTED_OUT_IN_THE_CRM)} who opted out in the CRM are unsubscribed, nobody else is",
        )
        twice = self._warehouse.value(f"SELECT lower(email) FROM crm.people WHERE id = {self._people}")
        self._check(cities(members, {twice}) == {"Porto"}, "read back: of the duplicate, the later city")

    def _deliver_changes(self) -> None:
        leaving = self._addresses(OPTED_OUT_AT_MAILJET)
        self._say(f"{len(leaving)} people unsubscribe at Mailjet; in the CRM they and others move to Lisbon; once more")
        self._sandbox.unsubscribe(self._sandbox.lists()[LIST], sorted(leaving))
        moved = f"id BETWEEN {MOVED_TO_LISBON[0]} AND {MOVED_TO_LISBON[-1]}"
        self._warehouse.run(
            f"UPDATE crm.people SET city = 'Lisbon', updated_at = timestamp '2026-06-01' + id * interval '1 s' "
            f"WHERE {moved}"
        )
        found = self._deliver("deliver-changes")
        self._check(found["delivered"] == len(MOVED_TO_LISBON), f"only the {len(MOVED_TO_LISBON)} who moved are sent")
        members = self._members()
        self._check(
            cities(members, self._addresses(MOVED_TO_LISBON)) == {"Lisbon"},
            "read back: they live in Lisbon at Mailjet too",
        )
        self._check(
            unsubscribed(members) == leaving | self._addresses(OPTED_OUT_IN_THE_CRM),
            f"read back: the {len(leaving)} who opted out at Mailjet stay unsubscribed",
        )

    def _deliver_everything_again(self) -> None:
        self._say("everything once more: meltano run --full-refresh tap-postgres target-mailing")
        before = self._members()
        found = self._deliver("deliver-everything-again", "--full-refresh")
        self._check(
            found["unchanged"] == self._people - 3 and found["delivered"] == 0, "everybody is found to be unchanged"
        )
        self._check(
            found["reasons"] == FAULTS and found["superseded"] == 1,
            "but for the faulty rows, rejected again, and the duplicate, superseded again",
        )
        self._check(found["bulk_calls"] == 0, "no bulk call was made")
        self._check(self._members() == before, "read back: the list is as it was")

    # From MPDX to a Mailjet list

    def _deliver_from_mpdx(self) -> None:
        pipeline = ("tap-mailing--mpdx-people", "target-mailing--supporters")
        self._say(f"MPDX -> Mailjet list {SUPPORTERS!r}, with no mapping: meltano run {' '.join(pipeline)}")
        found = self._deliver("deliver-from-mpdx", pipeline=pipeline)
        members = self._members(SUPPORTERS)
        self._check(found["rejected"] == 0, "nobody is rejected; people without an address are skipped")
        told = self._warehouse.rows(
            "SELECT lower(email) AS email, subscription_status FROM mailing.mpdx_people WHERE email IS NOT NULL"
        )
        opted_out = {row["email"] for row in told if row["subscription_status"] == "unsubscribed"}
        wanted = {row["email"] for row in told if row["subscription_status"] != "excluded"}
        self._check(members.keys() == wanted, f"read back: {len(members):,} members, all but those who are excluded")
        self._check(
            unsubscribed(members) == opted_out,
            f"read back: the {len(opted_out)} who opted out at MPDX are unsubscribed, nobody else is",
        )

    def _deliver(
        self, name: str, *options: str, pipeline: tuple[str, str] = ("tap-postgres", "target-mailing")
    ) -> dict[str, Any]:
        self._sandbox.count_from_here()
        found = outcomes(self._project.run(name, *options, *pipeline))
        found["bulk_calls"] = calls_of(self._sandbox.calls(), ("managemanycontacts",), method="POST")
        self.summary.setdefault("deliveries", {})[name] = found
        settled = sum(
            found[each] for each in ("delivered", "unchanged", "withheld", "superseded", "skipped", "rejected")
        )
        self._check(settled == found["rows"], f"{found['rows']:,} rows, each with one outcome")
        return found

    def _members(self, name: str = LIST) -> dict[str, dict[str, Any]]:
        members = self._sandbox.members(self._sandbox.lists()[name])
        return {email.lower(): member for email, member in members.items()}

    def _addresses(self, people: range) -> set[str]:
        rows = self._warehouse.rows(
            f"SELECT lower(email) AS email FROM crm.people WHERE id BETWEEN {people[0]} AND {people[-1]}"
        )
        return {row["email"] for row in rows}

    # Telling

    def _say(self, text: str) -> None:
        print(f"[{time.monotonic() - self._began:5.1f} s] {text}", flush=True)

    def _check(self, holds: bool, claim: str) -> None:
        if not holds:
            raise ClaimFailed(f"this does not hold: {claim}")
        print(f"          ok: {claim}", flush=True)


def unsubscribed(members: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The addresses of those members who are unsubscribed."""
    return {email for email, member in members.items() if member["status"] == "unsubscribed"}


def cities(members: Mapping[str, Mapping[str, Any]], addresses: set[str]) -> set[str | None]:
    """Where these people live as Mailjet has it; None stands for somebody who is no member or has no city."""
    return {members.get(address, {}).get("properties", {}).get("city") for address in addresses}


def calls_of(calls: Counter[str], resources: tuple[str, ...], method: str = "GET") -> int:
    """Calls by this method whose path names one of these resources."""
    return sum(
        count
        for route, count in calls.items()
        if route.startswith(f"{method} ") and not set(route.split("/")).isdisjoint(resources)
    )


def print_summary(summary: Mapping[str, Any], output: Path) -> None:
    """Print what came of it all, and where to look."""
    print("\nIn the warehouse")
    for table, rows in summary["warehouse"].items():
        print(f"  {table:32}{rows:10,} rows")
    names = ("delivered", "unchanged", "withheld", "superseded", "skipped", "rejected")
    print(f"\n{'Outcomes':28}" + "".join(f"{name:>12}" for name in (*names, "jobs")))
    for run, found in summary["deliveries"].items():
        print(f"  {run:26}" + "".join(f"{found[name]:12,}" for name in (*names, "batches")))
    reasons = ", ".join(f"{count} {code}" for code, count in FAULTS.items())
    print(f"  The rejected: {reasons}. All jobs were followed to their end.")
    print(f"\nIn {output}")
    for name, what in CONTENTS.items():
        print(f"  {name:14}{what}")
    print(f"\nDone in {summary['seconds']} s; nothing is left running.")


CONTENTS = {
    "journal/": "what target-mailing remembers: jobs, outcomes, fingerprints of rows",
    "rejects/": "rejected rows with their reasons, as Singer streams",
    "logs/": "what Meltano and the sandbox logged",
    "project/": "the Meltano project, with its plugins",
    "summary.json": "the numbers above",
}


def prepare(output: Path) -> Path:
    """Make the folder for the files, without those of an earlier demo; plugins stay installed.

    Raises:
        FolderTaken: the folder holds something else.
    """
    if output.exists() and any(output.iterdir()) and not (output / MARK).exists():
        raise FolderTaken(f"{output} holds files that no demo made; name another folder with --output")
    output.mkdir(parents=True, exist_ok=True)
    (output / MARK).touch()
    for name in ("journal", "rejects", "logs"):
        shutil.rmtree(output / name, ignore_errors=True)
        (output / name).mkdir()
    (output / "summary.json").unlink(missing_ok=True)
    return output


def run(interrupts: Interrupts, contacts: int, output: Path) -> dict[str, Any]:
    """Start everything, tell the story, stop everything."""
    logs = prepare(output) / "logs"
    with ExitStack() as stack:
        temporary = warehouses.temporary_folder()
        print(f"Starting a sandbox with {contacts:,} contacts and a PostgreSQL server", flush=True)
        sandbox = stack.enter_context(sandboxes.started(interrupts, logs=logs, folder=temporary))
        sandbox.seed(contacts, "mailjet")
        sandbox.seed(CONTACTS_ELSEWHERE, "mpdx", "postgrid", "ses")
        warehouse = stack.enter_context(warehouses.started(interrupts, temporary))
        variables = {
            "SANDBOX_URL": sandbox.url,
            "SANDBOX_API_KEY": sandbox.api_key,
            "SANDBOX_SECRET_KEY": sandbox.secret_key,
            "WAREHOUSE_URL": warehouse.url,
            "DEMO_OUTPUT": str(output),
            "PGTZ": "UTC",
        }
        demo = Demo(
            sandbox, warehouse, Project(interrupts, output / "project", logs, variables), min(3000, contacts // 2)
        )
        demo()
    (output / "summary.json").write_text(json.dumps(demo.summary, indent=2), encoding="utf-8")
    return demo.summary


def main() -> int:
    """Run the demo; the status is 0 when everything it claims holds."""
    parser = argparse.ArgumentParser(
        description="Four providers to PostgreSQL, and on to Mailjet, by Meltano and on a local sandbox."
    )
    parser.add_argument("--contacts", type=int, default=20_000, metavar="N", help="default: %(default)s; at least 1000")
    parser.add_argument("--output", type=Path, default=Path("output", "demo"), metavar="FOLDER", help="%(default)s")
    options = parser.parse_args()
    if options.contacts < 1000:
        parser.error("--contacts: at least 1000 are needed")
    try:
        summary = run(Interrupts(), options.contacts, options.output.resolve())
    except CommandFailed as error:
        tail = error.log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:]
        print("\n".join(tail), f"\nFAILED: {error}; all of its log: {error.log}", sep="\n", file=sys.stderr)
        return 1
    except (ClaimFailed, FolderTaken, OutcomesMissing, QueryFailed) as error:
        print(f"\nFAILED: {error}", file=sys.stderr)
        return 1
    except SystemExit as stopped:
        print("\nStopped; nothing is left running.", file=sys.stderr)
        return int(stopped.code or 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    print_summary(summary, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
