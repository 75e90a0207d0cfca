"""How many calls the target makes for 100,000 rows, by each route of each provider, which, and how long they take.

python benchmarks/bench_calls.py              100,000 rows by the routes that take many, 2,000 by the others, scaled
python benchmarks/bench_calls.py --only SES   some of them

The real target against the sandbox, with the batches that it makes by default: into an empty list, then the same rows
changed, then the same with one in a hundred removed. The sandbox counts the calls. Looks at jobs depend on how long
these take; there is one for each at least.

The time is that of all calls one after the other at the provider's pace: what AWS documents for Amazon SES (for each
operation or for all together is unverified, so all count; calls of S3 do not), and the usual pace of calls to PostGrid.
Mailjet publishes none, so that one is assumed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from measure import run, table

from mailing_sandbox.server import Sandbox

REGION, LIST, BUCKET = "eu-west-1", "Readers", "calls"
SWITCHES = {"keep_received": False, "postgrid_keep_received": False, "ses_keep_received": False}
FEW = 2_000
MANY = 100_000
VISITS = ("new", "changed", "1 % removed")
#: By provider, calls a second; see above.
PACES: Mapping[str, float] = {"Mailjet": 10.0, "SES": 1.0, "PostGrid": 4.0}
GONE = "2026-01-01T00:00:00Z"

#: By what a call's route holds: what it is for.
KINDS: Mapping[str, str] = {
    "managemanycontacts/{job}": "looks at jobs",
    "GET /v3/REST/csvimport": "looks at jobs",
    "import-jobs/{JobId}": "looks at jobs",
    "GET /print-mail/v1/mailing_lists/{id}": "looks at jobs",
    "POST /print-mail/v1/mailing_list_imports": "files",
    "DELETE /print-mail/v1/mailing_list_imports": "files deleted",
    "mailing_list_imports/{id}": "looks at jobs",
    "/contacts/list": "pages of the listing",
    "GET /v2/email/suppression/addresses": "pages of the listing",
    "managemanycontacts": "jobs",
    "POST /v3/REST/csvimport": "jobs",
    "POST /v2/email/import-jobs": "jobs",
    "/jobs": "jobs",
    "CSVData": "files",
    "PUT /s3": "files",
    "DELETE /s3": "files deleted",
    "}/contacts": "contacts one by one",
    "v1/contacts": "contacts one by one",
    "contactdata": "contacts one by one",
    "/REST/contact/": "contacts one by one",
    "POST /v3/REST/contact": "contacts one by one",
    "suppression/addresses": "contacts one by one",
}


class Case(msgspec.Struct, frozen=True):
    """One route.

    Attributes:
        rows: that are sent.
        settings: of the target.
        is_replaced: each run has the whole list, so that who is removed is absent.
    """

    destination: str
    route: str
    rows: int
    settings: dict[str, Any]
    is_replaced: bool = False

    @property
    def pace(self) -> float:
        """Calls a second."""
        return PACES[self.destination.partition(" ")[0]]


def cases(sandbox: Sandbox) -> Iterator[Case]:
    """All routes."""
    mailjet = {
        "mailjet_api_key": sandbox.api_key,
        "mailjet_secret_key": sandbox.secret_key,
        "mailjet_base_url": sandbox.url,
        "list": LIST,
        "properties": ["city"],
    }
    ses = {
        "ses_regions": [REGION],
        "ses_aws_access_key_id": sandbox.api_key,
        "ses_aws_secret_access_key": sandbox.secret_key,
        "ses_endpoint_url": sandbox.url,
        "ses_s3_endpoint_url": f"{sandbox.url}/s3",
        "ses_s3_bucket": BUCKET,
        "ses_requests_per_second": 1e6,
    }
    contacts = {"list": LIST, "properties": ["city"]}
    suppressions = {"ses_target": "suppression_list", "ses_allow_unsuppress": True}
    postgrid = {
        "postgrid_api_key": sandbox.postgrid.test_key,
        "postgrid_base_url": sandbox.url,
        "max_requests_per_second": 1e6,
        "list": LIST,
    }
    yield Case("Mailjet", "json", MANY, mailjet | {"route": "json"})
    yield Case("Mailjet", "csv", MANY, mailjet | {"route": "csv"})
    yield Case("Mailjet", "contact", FEW, mailjet | {"route": "contact"})
    yield Case("SES contact list", "import", MANY, ses | contacts | {"route": "import"})
    small = {"batch_rows": 5000}
    yield Case("SES contact list", "import, batches of 5,000", MANY, ses | contacts | {"route": "import", **small})
    yield Case("SES contact list", "direct", FEW, ses | contacts | {"route": "direct"})
    yield Case("SES suppression list", "import", MANY, ses | suppressions | {"route": "import"})
    yield Case("SES suppression list", "direct", FEW, ses | suppressions | {"route": "direct"})
    yield Case("PostGrid", "contacts", FEW, postgrid)
    # Nobody can change there, so all are replaced.
    yield Case("PostGrid", "import", MANY, postgrid | {"route": "import", "postgrid_replace": True}, is_replaced=True)


def prepare(sandbox: Sandbox) -> None:
    """Empty accounts, each with a list."""
    sandbox.reset()
    sandbox.storage.reset()
    sandbox.storage.add_bucket(BUCKET, REGION)
    sandbox.ses.add_list(LIST, region=REGION)
    sandbox.mailjet.add_list(LIST)
    sandbox.mailjet.add_property("city")
    sandbox.postgrid.add_list(LIST)


def write_input(path: Path, rows: int, visit: int, *, is_replaced: bool = False) -> None:
    """People without names, which no CSV file would take, in streets of their own."""
    text = {"type": ["string", "null"]}
    content = min(visit, 1)
    texts = ("email", "city", "reason", "company", "address_line1", "address_country")
    columns = {"id": {"type": "integer"}, **dict.fromkeys((*texts, "_sdc_deleted_at"), text)}
    schema = {"type": "object", "properties": columns}
    with path.open("w") as file:
        first = {"type": "SCHEMA", "stream": "people", "schema": schema, "key_properties": ["id"]}
        file.write(json.dumps(first) + "\n")
        for number in range(rows):
            is_gone = visit > 1 and number % 100 == 0
            if is_gone and is_replaced:
                continue
            record: dict[str, Any] = {
                "id": number,
                "email": f"person.{number}@example.com",
                "city": f"City {content}",
                "reason": ("BOUNCE", "COMPLAINT")[content],
                "company": f"Household {content}",
                "address_line1": f"{number} High Street",
                "address_country": "GB",
                "_sdc_deleted_at": GONE if is_gone else None,
            }
            file.write(json.dumps({"type": "RECORD", "stream": "people", "record": record}) + "\n")
        file.write(json.dumps({"type": "STATE", "value": {"at": rows}}) + "\n")


def kind_of(call: str) -> str:
    """What a call is for."""
    return next((kind for part, kind in KINDS.items() if part in call), "others")


def count(sandbox: Sandbox, folder: Path, case: Case, visit: int) -> tuple[Counter[str], int]:
    """Run the target; its calls, by kind, and how many of them wait for the provider's pace."""
    source, config = folder / "people.singer", folder / "config.json"
    write_input(source, case.rows, visit, is_replaced=case.is_replaced)
    quick = {"poll_interval": 0.3, "poll_max_interval": 0.3, "journal": str(folder / "journal.sqlite")}
    config.write_text(json.dumps(case.settings | quick))
    sandbox.counters.reset()
    with source.open("rb") as stdin:
        run([sys.executable, "-m", "target_mailing", f"--config={config}"], stdin=stdin)
    found: Counter[str] = Counter()
    paced = 0
    for call, times in sandbox.counters.calls.items():
        found[kind_of(call)] += times
        paced += 0 if " /s3" in call else times
    return found, paced


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.0f} s"


def main() -> None:
    """Run all and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default="", help="destinations and routes that begin so")
    chosen = options.parse_args()
    lines: list[list[str]] = []
    with Sandbox(job_seconds=0.2, switches=SWITCHES) as sandbox:
        for case in cases(sandbox):
            if not f"{case.destination} {case.route}".startswith(chosen.only):
                continue
            prepare(sandbox)
            with tempfile.TemporaryDirectory() as name:
                for visit, rows in enumerate(VISITS):
                    found, paced = count(sandbox, Path(name), case, visit)
                    told = ", ".join(f"{times:,} {kind}" for kind, times in found.most_common())
                    scale = MANY / case.rows
                    took = f"{duration(paced * scale / case.pace)} at {case.pace:g}/s"
                    calls = f"{found.total() * scale:,.0f}"
                    lines.append([case.destination, case.route, rows, f"{case.rows:,}", calls, took, told])
                    print(lines[-1], file=sys.stderr)
    table(["destination", "route", "rows are", "rows", "calls per 100,000", "time", "calls"], lines)


if __name__ == "__main__":
    main()
