"""Example Mail's account and route of the fault table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from mailing_sandbox.server import Sandbox
from tests.faults import people
from tests.faults.account import LIST, Account, Job
from tests.faults.model import Member
from tests.faults.routes import Call, Route
from tests.faults.table import Table
from tests.fifth.emulator import ENDED, TOKEN, ExampleMail

__all__ = ["ACCOUNTS", "TABLE"]

ROOT = "/examplemail/v1"
_STATUSES = {"active": "subscribed", "opted_out": "unsubscribed"}
_STANDINGS = {status: standing for standing, status in _STATUSES.items()}


class ExampleMailAccount(Account):
    """An audience."""

    switches: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "usual": {},
        "silent": {"examplemail_shows_labels": False, "examplemail_results": "refused"},
        "strict": {"examplemail_failed_share": 0.5, "examplemail_page_size": 3},
        "late": {"examplemail_hidden_looks": 1, "examplemail_failed_share": 1.0, "examplemail_results": "refused"},
    }
    plans: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "failed": {"state": "failed"},
        "failed naming a row": {"state": "failed", "bad": [1]},
        "aborted": {"state": "cancelled"},
        "with errors": {"unnamed": [1]},
        "stalled": {"stall": True},
    }

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.mail = next(one for one in sandbox.providers if isinstance(one, ExampleMail))

    def furnish(self) -> None:
        self.audience = self.mail.add_audience(LIST)
        self.mail.refused |= {*people.REFUSED}

    def settings(self) -> dict[str, Any]:
        return {
            "examplemail_api_token": TOKEN,
            "examplemail_base_url": self.sandbox.url,
            "max_requests_per_second": 10_000,
            "list": LIST,
        }

    def keep(self) -> None:
        self._kept = {one["email"].lower(): one["id"] for one in self.mail.contacts()}

    def put(self, members: Mapping[str, Member]) -> None:
        for email, member in members.items():
            number = {"id": self._kept[email]} if email in self._kept else {}
            more = {"fields": dict(member.properties), "standing": _STANDINGS[member.status], **number}
            self.mail.add_contact(self.audience, email, member.name, **more)

    def opt_out(self, emails: Sequence[str]) -> None:
        known = {one["email"].lower() for one in self.mail.contacts()}
        for email in emails:
            if email not in known:
                self.mail.add_contact(self.audience, email)
            self.mail.opt_out(email)

    def held(self) -> dict[str, tuple[str, str, dict[str, str]]]:
        return {
            one["email"].lower(): (
                _STATUSES[one["standing"]],
                one["full_name"],
                {name: str(value) for name, value in one["fields"].items()},
            )
            for one in self.mail.contacts()
        }

    def contacts(self) -> Iterable[str]:
        return [one["email"] for one in self.mail.contacts()]

    def received(self) -> list[dict[str, Any]]:
        return [
            {"job": job.number, "action": job.operation, "email": job.addresses[at], "contact": line}
            for job in self.mail.jobs()
            for at, line in enumerate(job.lines)
        ]

    def jobs(self) -> dict[Any, Job]:
        return {
            job.number: Job(
                route="",
                is_over=job.state in ENDED,
                is_good=job.state == "finished" and not job.refused,
                refused=frozenset(job.bad),
            )
            for job in self.mail.jobs()
        }

    def plan_jobs(self, plans: Iterable[Mapping[str, Any]]) -> None:
        self.mail.plan_jobs(plans)

    def forget_plans(self) -> None:
        self.mail.plans.clear()

    def finish_jobs(self) -> None:
        self.mail.finish_jobs()


ACCOUNTS = {"examplemail": ExampleMailAccount}

TABLE = Table(
    {
        "examplemail": Route(
            settings={},
            steps={
                "consent": Call("GET", f"{ROOT}/contacts"),
                "submit": Call("POST", f"{ROOT}/audiences/*/jobs"),
                "follow": Call("GET", f"{ROOT}/jobs/*"),
                "errors": Call("GET", f"{ROOT}/results/*"),
            },
            recover=Call("GET", f"{ROOT}/jobs"),
            names={"consent": "look", "errors": "results"},
            start=Call("GET", f"{ROOT}/audiences"),
            account="examplemail",
        )
    },
    ACCOUNTS,
)
