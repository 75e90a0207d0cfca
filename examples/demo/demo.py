"""All providers to a warehouse, from there to Mailjet, and from MPDX to Mailjet, on this machine alone: `make demo`.

A sandbox stands in for the providers, and a PostgreSQL server from the package registry is the warehouse. Meltano runs
between them, with this repository's meltano.yml. Each claim is checked; the first claim that does not hold ends the
demo with status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sandbox as sandboxes
import warehouse as warehouses
from delivery import Deliveries
from extraction import Extractions
from interrupts import Interrupts
from mirror import Mirror
from processes import CommandFailed
from project import OutcomesMissing, Project
from report import ClaimFailed, Report, print_summary
from warehouse import QueryFailed

CONTACTS_ELSEWHERE = 500
"""Contacts of each provider except Mailjet."""
MARK = "made-by-the-demo"


class FolderTaken(Exception):
    """The folder for the files does not belong to the demo."""


def prepare(output: Path) -> Path:
    """Make the folder for the files, without those of an earlier demo; plugins stay installed.

    Raises:
        FolderTaken: the folder holds something else.
    """
    if output.exists() and any(output.iterdir()) and not (output / MARK).exists():
        raise FolderTaken(f"{output} holds files that no demo made; name another folder with --output")
    output.mkdir(parents=True, exist_ok=True)
    (output / MARK).touch()
    for name in ("journal", "rejects", "reports", "logs"):
        shutil.rmtree(output / name, ignore_errors=True)
        (output / name).mkdir()
    for name in ("summary.json", "plan.json", "plan.md"):
        (output / name).unlink(missing_ok=True)
    return output


def run(interrupts: Interrupts, contacts: int, output: Path) -> dict[str, Any]:
    """Start everything, run the story, stop everything."""
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
        project = Project(interrupts, output / "project", logs, variables)
        report = Report()
        report.say("installing tap-postgres and target-postgres (once)")
        project.install()
        summary = Extractions(sandbox, warehouse, project, report)()
        people = min(3000, contacts // 2)
        summary |= Deliveries(sandbox, warehouse, project, report, people=people, output=output)()
        summary["deliveries"] |= Mirror(sandbox, warehouse, project, report)()
        summary["seconds"] = report.seconds
    (output / "summary.json").write_text(json.dumps(summary, indent=2), encoding="utf-8")
    return summary


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
