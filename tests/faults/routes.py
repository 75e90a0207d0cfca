"""The routes of all providers, as a table: each one's settings, and the call by which each of its steps is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ROUTES", "Call", "Route"]


@dataclass(frozen=True)
class Call:
    """A step's call, as the sandbox sees it: method, and a glob of paths."""

    method: str
    path: str


@dataclass(frozen=True)
class Route:
    """One way of a batch.

    Attributes:
        settings: that choose it.
        steps: the calls of its steps, in order. They are called alike on all routes: `consent` (of removals),
            `upload`, `submit` (not repeatable if it starts a job), `follow`, `clear`, `errors`.
        start: the lookup of the list.
        recover: the call that finds out whether `submit` was done; None where it is only done again.
        names: what the journal calls those steps that it calls otherwise.
        without: columns that its rows do not have.
        provider: whose it is.
        forgiving: a step whose failure is told, and fails no run.
    """

    settings: Mapping[str, Any]
    steps: Mapping[str, Call]
    recover: Call | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    start: Call = Call("GET", "/v3/REST/contactslist")
    provider: str = "mailjet"
    forgiving: str | None = None

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

#: One contact, and the list: globs of paths cross slashes.
OBJECT = "/s3/fault-table/target-mailing/*.jsonl"
CONTACTS = "/v2/email/contact-lists/Readers/contacts"
READERS = Call("GET", "/v2/email/contact-lists/Readers")

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
            "upload": Call("PUT", OBJECT),
            "submit": Call("POST", "/v2/email/import-jobs"),
            "follow": Call("GET", "/v2/email/import-jobs/*"),
            "clear": Call("DELETE", OBJECT),
            "errors": Call("GET", "/s3/*/failed-records/*"),
        },
        recover=Call("POST", "/v2/email/import-jobs/list"),
        names={"errors": "outcome"},
        forgiving="clear",
        start=READERS,
        provider="ses",
    ),
    "direct": Route(
        settings={"route": "direct"},
        steps={"consent": Call("GET", f"{CONTACTS}/*"), "submit": Call("POST", CONTACTS)},
        names={"submit": "contacts"},
        start=READERS,
        provider="ses",
    ),
}
