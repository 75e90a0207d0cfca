"""Where a run was killed when the journals in this folder were recorded: one case for each step of each route.

Recorder and test share this: the account, the settings, the rows, and the call at which the run was killed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailing_sandbox.server import Sandbox

__all__ = ["CASES", "FOLDER", "Case", "before", "expected", "furnish", "second", "settings"]

FOLDER = Path(__file__).parent
LIST = "Readers"
REGION = "eu-west-1"
BUCKET = "journals"
LETTERS = f"mailing_list_{'J' * 22}"
REFUSED = "refused@example.com"
POSTGRID = "/print-mail/v1"
LISTS, IMPORTS = f"{POSTGRID}/mailing_lists", f"{POSTGRID}/mailing_list_imports"
GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
TEXT = {"type": ["string", "null"]}


@dataclass(frozen=True)
class Case:
    """A call, and how many such calls of the run pass before the one at which it is killed.

    Attributes:
        account: `mailjet`, `ses`, `suppressions` or `postgrid`.
        route: value of the setting, and of other settings that choose the way.
        plans: how PostGrid's jobs or imports go, where only a failure leads to the step.
    """

    name: str
    account: str
    method: str
    path: str
    skip: int = 0
    route: Mapping[str, Any] = field(default_factory=dict)
    plans: Sequence[Mapping[str, Any]] = ()

    @property
    def is_by_import(self) -> bool:
        """Whether rows go by PostGrid's route `import`, where nobody changes or leaves."""
        return self.account == "postgrid" and self.route.get("route") == "import"


def _cases() -> Iterator[Case]:
    mailjet = {
        "json": {
            "consent": ("GET", "/v3/REST/contact/*/getcontactslists"),
            "submit": ("POST", "/v3/REST/contactslist/*/managemanycontacts"),
            "follow": ("GET", "/v3/REST/contactslist/*/managemanycontacts/*"),
            "errors": ("GET", "/v3/DATA/batchjob/*/JSONError/*"),
        },
        "csv": {
            "consent": ("GET", "/v3/REST/contact/*/getcontactslists"),
            "upload": ("POST", "/v3/DATA/contactslist/*/CSVData/*"),
            "import": ("POST", "/v3/REST/csvimport"),
            "follow": ("GET", "/v3/REST/csvimport/*"),
            "errors": ("GET", "/v3/DATA/BatchJob/*/CSVError/*"),
        },
        "contact": {
            "consent": ("GET", "/v3/REST/contact/*/getcontactslists"),
            "contacts": ("POST", "/v3/REST/contact/*/managecontactslists"),
        },
    }
    for route, calls in mailjet.items():
        for step, (method, path) in calls.items():
            yield Case(f"mailjet-{route}-{step}", "mailjet", method, path, route={"route": route})
    thing = f"/s3/{BUCKET}/target-mailing/*.jsonl"
    by_job = {
        "upload": ("PUT", thing),
        "submit": ("POST", "/v2/email/import-jobs"),
        "follow": ("GET", "/v2/email/import-jobs/*"),
        "clear": ("DELETE", thing),
        "outcome": ("GET", "/s3/*/failed-records/*"),
    }
    contacts, suppressed = f"/v2/email/contact-lists/{LIST}/contacts", "/v2/email/suppression/addresses"
    ses = {
        ("ses", "import"): {"consent": ("GET", f"{contacts}/*"), **by_job},
        ("ses", "direct"): {
            "consent": ("GET", f"{contacts}/*"),
            "create": ("POST", contacts),
            "update": ("PUT", f"{contacts}/*"),
            "delete": ("DELETE", f"{contacts}/*"),
        },
        ("suppressions", "import"): {"consent": ("GET", f"{suppressed}/*"), **by_job},
        ("suppressions", "direct"): {"removal": ("DELETE", f"{suppressed}/*"), "contacts": ("PUT", suppressed)},
    }
    for (account, route), calls in ses.items():
        for step, (method, path) in calls.items():
            yield Case(f"{account}-{route}-{step}", account, method, path, route={"route": route})
    letters = {
        "find": ("GET", f"{POSTGRID}/contacts", 0),
        "contacts": ("POST", f"{POSTGRID}/contacts", 0),
        "submit": ("POST", f"{LISTS}/*/jobs", 0),
        "submit_old": ("POST", f"{LISTS}/*/jobs", 1),
        "follow": ("GET", f"{LISTS}/*", 3),
        "follow_old": ("GET", f"{LISTS}/*", 5),
        "errors": ("GET", f"{POSTGRID}/contacts/*", 0),
    }
    failing = {"errors": ["operational_error"], "applied": "half"}
    for step, (method, path, skip) in letters.items():
        plans = [failing] * 3 if step == "errors" else ()
        yield Case(f"postgrid-contacts-{step}", "postgrid", method, path, skip, {"route": "contacts"}, plans)
    adding = {
        "plan": ("POST", f"{LISTS}/*", 0),
        "imports": ("POST", IMPORTS, 0),
        "imports_second": ("POST", IMPORTS, 1),
        "validate": ("GET", f"{IMPORTS}/*", 0),
        "check": ("GET", "/postgrid-files/*", 0),
        "submit": ("POST", f"{LISTS}/*/jobs", 0),
        "follow": ("GET", f"{LISTS}/*", 3),
    }
    replacing = {
        "collect": ("GET", IMPORTS, 1),
        "submit_old": ("POST", f"{LISTS}/*/jobs", 1),
        "delete_old": ("DELETE", f"{IMPORTS}/*", 0),
        "submit": ("POST", f"{LISTS}/*/jobs", 0),
    }
    linking = {
        "put": ("PUT", f"/s3/{BUCKET}/*", 1),
        "put_second": ("PUT", f"/s3/{BUCKET}/*", 2),
        "imports": ("POST", IMPORTS, 1),
        "clear": ("DELETE", f"/s3/{BUCKET}/*", 1),
    }
    by_import: dict[str, Any] = {"route": "import"}
    for name, more, calls_of in (
        ("adding", {}, adding),
        ("replacing", {"postgrid_replace": True}, replacing),
        ("linking", {"postgrid_s3_bucket": BUCKET, "postgrid_s3_region": REGION}, linking),
    ):
        for step, (method, path, skip) in calls_of.items():
            plans = [{"invalid": [3]}] if name == "adding" else ()
            yield Case(f"postgrid-{name}-{step}", "postgrid", method, path, skip, by_import | more, plans)


CASES = tuple(_cases())


def furnish(sandbox: Sandbox, case: Case) -> None:
    """Make the list, the bucket and whatever else the account needs; the sandbox is empty."""
    if case.account == "mailjet":
        sandbox.mailjet.add_list(LIST)
        sandbox.mailjet.add_property("city", "str")
        sandbox.mailjet.refuse([REFUSED])
    elif case.account == "postgrid":
        sandbox.postgrid._account.test.store.mailing_list(LIST, number=LETTERS)
    else:
        sandbox.switches.change({"ses_contact_case": "lower"})
        sandbox.ses.add_list(LIST, {"News": "OPT_IN"}, region=REGION)
        sandbox.ses.refuse([REFUSED])
    if case.account != "mailjet":
        sandbox.storage.reset()
        sandbox.storage.add_bucket(BUCKET, REGION)


def plan(sandbox: Sandbox, case: Case) -> None:
    """The jobs of the second run go as the case says."""
    if case.is_by_import:
        sandbox.postgrid.plan_imports(case.plans)
    elif case.account == "postgrid":
        sandbox.postgrid.plan_jobs(case.plans)


def settings(sandbox: Sandbox, case: Case) -> dict[str, Any]:
    """The target's settings, but for the journal."""
    found: dict[str, Any] = {
        "list": LIST,
        "poll_interval": 0.03,
        "poll_max_interval": 0.05,
        "max_rejected": "100%",
        "jobs_in_flight": 1,
        **case.route,
    }
    if case.account == "mailjet":
        return found | {
            "mailjet_api_key": sandbox.api_key,
            "mailjet_secret_key": sandbox.secret_key,
            "mailjet_base_url": sandbox.url,
            "properties": ["city"],
        }
    if case.account == "postgrid":
        link = {"postgrid_s3_endpoint_url": f"{sandbox.url}/s3"} if "postgrid_s3_bucket" in case.route else {}
        return found | link | {
            "postgrid_api_key": sandbox.postgrid.test_key,
            "postgrid_base_url": sandbox.url,
            "max_requests_per_second": 1000,
        }  # fmt: skip
    found |= {
        "ses_regions": [REGION],
        "ses_aws_access_key_id": sandbox.api_key,
        "ses_aws_secret_access_key": sandbox.secret_key,
        "ses_endpoint_url": sandbox.url,
        "ses_s3_endpoint_url": f"{sandbox.url}/s3",
        "ses_s3_bucket": BUCKET,
        "ses_requests_per_second": 1e6,
    }
    if case.account == "ses":
        return found | {"properties": ["city"]}
    del found["list"]
    return found | {"ses_target": "suppression_list", "ses_allow_unsuppress": True}


def before(case: Case) -> list[dict[str, Any]]:
    """The messages of a whole run, after which the journal knows some keys."""
    if case.is_by_import:
        return [_schema(case), _row(case, 1), _state(1)]
    return [_schema(case), *(_row(case, number) for number in (1, 2, 3, 4)), _state(1)]


def second(case: Case) -> list[dict[str, Any]]:
    """The messages of the run that is killed: a change, a move, a delete, an opt-out, new rows and rejects."""
    bad = _row(case, 6) | {"record": {"id": 6, "name": "Somebody", "email": "nobody.example.com"}}
    if case.is_by_import:
        return [_schema(case), *(_row(case, number) for number in (2, 4, 5)), bad, _state(2)]
    gone = {"type": "RECORD", "stream": "people", "record": {"id": 3} | GONE}
    rows = [
        _row(case, 1, city="Lille"),
        _row(case, 2, email="moved2@example.com", address_line1="2 New Lane"),
        gone,
        bad,
        _row(case, 5),
    ]
    if case.account == "postgrid":
        stranger = _row(case, 8)
        rows += [stranger | {"record": stranger["record"] | GONE}]
    if case.account in ("mailjet", "ses"):
        rows += [_row(case, 4, subscription_status="unsubscribed")]
    if case.account != "postgrid":
        rows += [_row(case, 7, email=REFUSED)]
    return [_schema(case), *rows, _state(2)]


def expected(case: Case) -> dict[str, str]:
    """Who is on the list after both runs, and how: by address, or by the number of their house."""
    if case.is_by_import:
        numbers = (2, 4, 5) if case.route.get("postgrid_replace") else (1, 2, 4, 5)
        return {f"{number} Mill Lane": "there" for number in numbers}
    if case.account == "postgrid":
        return dict.fromkeys(("1 Mill Lane", "2 New Lane", "4 Mill Lane", "5 Mill Lane"), "there")
    if case.account == "suppressions":
        return dict.fromkeys([f"{who}@example.com" for who in ("person1", "moved2", "person4", "person5")], "there")
    there = dict.fromkeys([f"{who}@example.com" for who in ("person1", "moved2", "person5")], "subscribed")
    return there | {"person4@example.com": "unsubscribed"}


def held(sandbox: Sandbox, case: Case) -> dict[str, str]:
    """Who is on the list, as in `expected`."""
    if case.account == "mailjet":
        number = next(row.id for row in sandbox.mailjet._account.store.lists.rows if row.name == LIST)
        return {email: member["status"] for email, member in sandbox.mailjet.members(number).items()}
    if case.account == "suppressions":
        return dict.fromkeys(sandbox.ses.suppressions(region=REGION), "there")
    if case.account == "ses":
        contacts = sandbox.ses.contacts(region=REGION)
        return {email: "unsubscribed" if one["unsubscribed"] else "subscribed" for email, one in contacts.items()}
    found = sandbox.postgrid.members(LETTERS)
    if case.is_by_import:
        return {one["addressLine1"]: "there" for each in found["imports"].values() for one in each}
    return {one["addressLine1"]: "there" for one in found["contacts"].values()}


def _schema(case: Case) -> dict[str, Any]:
    texts = ["email", "subscription_status"]
    if case.account == "postgrid":
        texts += ["name", "address_line1", "address_city", "address_country"]
    elif case.account == "suppressions":
        texts += ["reason"]
    else:
        texts += ["city"]
    columns = {"id": {"type": "integer"}, **dict.fromkeys(texts, TEXT)}
    columns |= {"name": TEXT, "_sdc_deleted_at": {"type": ["string", "null"], "format": "date-time"}}
    return {
        "type": "SCHEMA",
        "stream": "people",
        "schema": {"type": "object", "properties": columns},
        "key_properties": ["id"],
    }


def _row(case: Case, number: int, **columns: Any) -> dict[str, Any]:
    record: dict[str, Any] = {"id": number, "email": f"person{number}@example.com"}
    if case.account == "postgrid":
        record |= {
            "name": f"Family {number}",
            "address_line1": f"{number} Mill Lane",
            "address_city": "Leeds",
            "address_country": "US" if case.is_by_import and number == 5 else "GB",
        }
        if "city" in columns:
            columns["address_city"] = columns.pop("city")
    elif case.account == "suppressions":
        record |= {"reason": "BOUNCE"}
        columns = {"reason" if name == "city" else name: value for name, value in columns.items()}
        columns |= {"reason": "COMPLAINT"} if "reason" in columns else {}
        columns.pop("address_line1", None)
    else:
        record |= {"city": "Lyon"}
        columns.pop("address_line1", None)
    return {"type": "RECORD", "stream": "people", "record": record | columns}


def _state(value: int) -> dict[str, Any]:
    return {"type": "STATE", "value": {"number": value}}
