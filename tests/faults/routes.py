"""The routes of all providers, as a table: each one's settings, and the call by which each of its steps is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ROUTES", "Call", "Route"]


@dataclass(frozen=True)
class Call:
    """A step's call, as the sandbox sees it: method, a glob of paths, and how many of a run's first are others'."""

    method: str
    path: str
    after: int = 0


@dataclass(frozen=True)
class Route:
    """One way of a batch.

    Attributes:
        settings: that choose it.
        others: other calls by which it does what it does, struck by a kill before and after them, and the rows of a
            batch there; more of these where only larger batches make the call.
        steps: the calls of its steps, in order. They are called alike on all routes: `consent` (what is asked before
            removals), `upload`, `submit` (not repeatable if it starts a job), `follow`, `clear`, `errors`.
        start: the lookup of the list.
        recover: the call that finds out whether `submit` was done; None where it is only done again.
        names: what the journal calls those steps that it calls otherwise.
        without: columns that its rows do not have.
        account: whose it is.
        forgiving: steps whose failure is told, and fails no run.
        way: what its jobs say they came by.
        provoked: steps that are taken only where a job ended so, by the name of the plan.
        has_error_files: its jobs name the rows that failed in files.
        is_single_file: its list takes one job at a time.
    """

    settings: Mapping[str, Any]
    steps: Mapping[str, Call]
    recover: Call | None = None
    others: Mapping[str, tuple[Call, int]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    start: Call = Call("GET", "/v3/REST/contactslist")
    account: str = "mailjet"
    forgiving: tuple[str, ...] = ()
    way: str = ""
    provoked: Mapping[str, str] = field(default_factory=dict)
    has_error_files: bool = True
    is_single_file: bool = False

    @property
    def boundaries(self) -> list[str]:
        """Where a run may be struck: at the start, when the list is looked up, and at each step."""
        return ["start", *self.steps]

    @property
    def has_jobs(self) -> bool:
        """Whether jobs follow the submission, which may go wrong."""
        return "follow" in self.steps

    def skips(self, step: str) -> int:
        """How many calls of a step pass before one that comes later; of error files there are few."""
        return 1 if step == "errors" else 5

    def call(self, step: str) -> Call:
        """The call of a step, of the start or of the recovery."""
        if step == "start":
            return self.start
        if step == "recover":
            assert self.recover is not None
            return self.recover
        return self.steps[step]


CONSENT = Call("GET", "/v3/REST/contact/*/getcontactslists")
JOBS = Call("GET", "/v3/REST/batchjob")

OBJECT = "/s3/fault-table/target-mailing/*.jsonl"
CONTACTS = "/v2/email/contact-lists/Readers/contacts"
READERS = Call("GET", "/v2/email/contact-lists/Readers")
SUPPRESSIONS = "/v2/email/suppression/addresses"
ACCOUNT = Call("GET", "/v2/email/account")
#: The steps of an import job, but for consent.
IMPORT = {
    "upload": Call("PUT", OBJECT),
    "submit": Call("POST", "/v2/email/import-jobs"),
    "follow": Call("GET", "/v2/email/import-jobs/*"),
    "clear": Call("DELETE", OBJECT),
    "errors": Call("GET", "/s3/*/failed-records/*"),
}
IMPORT_JOBS = Call("POST", "/v2/email/import-jobs/list")

POSTGRID = "/print-mail/v1"

ROUTES = {
    "json": Route(
        settings={"route": "json"},
        steps={
            "consent": CONSENT,
            "submit": Call("POST", "/v3/REST/contactslist/*/managemanycontacts"),
            "follow": Call("GET", "/v3/REST/contactslist/*/managemanycontacts/*"),
            "errors": Call("GET", "/v3/DATA/batchjob/*/JSONError/*"),
        },
        recover=JOBS,
    ),
    "csv": Route(
        settings={"route": "csv"},
        steps={
            "consent": CONSENT,
            "upload": Call("POST", "/v3/DATA/contactslist/*/CSVData/*"),
            "submit": Call("POST", "/v3/REST/csvimport"),
            "follow": Call("GET", "/v3/REST/csvimport/*"),
            "errors": Call("GET", "/v3/DATA/BatchJob/*/CSVError/*"),
        },
        recover=JOBS,
        names={"submit": "import"},
        without=("name",),  # which a file cannot hold, so that the row would go by JSON
    ),
    "contact": Route(
        settings={"route": "contact"},
        steps={
            "consent": CONSENT,
            "submit": Call("POST", "/v3/REST/contact/*/managecontactslists"),
        },
        names={"submit": "contacts"},
    ),
    "import": Route(
        settings={"route": "import"},
        steps={
            "consent": Call("GET", f"{CONTACTS}/*"),
            **IMPORT,
        },
        recover=IMPORT_JOBS,
        # Up to 20 people are asked about one by one.
        others={"listing": (Call("POST", f"{CONTACTS}/list"), 40)},
        names={"errors": "outcome"},
        forgiving=("clear", "errors"),
        start=READERS,
        account="ses",
    ),
    "direct": Route(
        settings={"route": "direct"},
        steps={"consent": Call("GET", f"{CONTACTS}/*"), "submit": Call("POST", CONTACTS)},
        others={"update": (Call("PUT", f"{CONTACTS}/*"), 8), "delete": (Call("DELETE", f"{CONTACTS}/*"), 8)},
        names={"submit": "contacts"},
        start=READERS,
        account="ses",
    ),
    "import-suppressions": Route(
        settings={"route": "import"},
        steps={"consent": Call("GET", f"{SUPPRESSIONS}/*"), **IMPORT},
        recover=IMPORT_JOBS,
        names={"errors": "outcome"},
        forgiving=("clear", "errors"),
        start=ACCOUNT,
        account="suppressions",
    ),
    "direct-suppressions": Route(
        settings={"route": "direct"},
        steps={"consent": Call("DELETE", f"{SUPPRESSIONS}/*"), "submit": Call("PUT", SUPPRESSIONS)},
        names={"consent": "removal", "submit": "contacts"},
        start=ACCOUNT,
        account="suppressions",
    ),
    "letters": Route(
        settings={},
        steps={
            "consent": Call("GET", f"{POSTGRID}/contacts"),
            "upload": Call("POST", f"{POSTGRID}/contacts"),
            "submit": Call("POST", f"{POSTGRID}/mailing_lists/*/jobs"),
            # The list is looked at when the run starts, when a batch begins, and before each job.
            "follow": Call("GET", f"{POSTGRID}/mailing_lists/*", after=3),
            "errors": Call("GET", f"{POSTGRID}/contacts/*"),
        },
        names={"consent": "find", "upload": "contacts"},
        start=Call("GET", f"{POSTGRID}/mailing_lists"),
        account="postgrid",
        way="contacts",
        provoked={"errors": "with errors"},
        has_error_files=False,
        is_single_file=True,
    ),
}
