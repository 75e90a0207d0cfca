"""Mailjet's account of the fault table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from tests.faults import people
from tests.faults.account import LIST, Account, Job
from tests.faults.model import Member

__all__ = ["MailjetAccount"]


class MailjetAccount(Account):
    """Mailjet: a list, and two properties."""

    switches: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "usual": {},
        "silent": {"bulk_job_names_list": False, "error_file": "text", "status_words": "short"},
        "strict": {"good_rows_loaded": False, "error_file": "nested", "error_file_path": "absolute"},
        "late": {"job_404_polls": 1, "request_at_zero": True, "remove_creates_contact": False,
                 "error_file_path": "empty", "job_listed_after_seconds": 0.2},
    }  # fmt: skip
    plans: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "failed": {"end": "error"},
        "failed naming a row": {"end": "error", "bad_rows": [1]},
        "aborted": {"end": "abort"},
        "with errors": {"end": "completed_with_errors"},
        "stalled": {"end": "stall"},
    }

    def furnish(self) -> None:
        self.list_id = self.sandbox.mailjet.add_list(LIST)
        for name, datatype in people.PROPERTIES.items():
            self.sandbox.mailjet.add_property(name, datatype)
        self.sandbox.mailjet.refuse(people.REFUSED)

    def settings(self) -> dict[str, Any]:
        return {
            "mailjet_api_key": self.sandbox.api_key,
            "mailjet_secret_key": self.sandbox.secret_key,
            "mailjet_base_url": self.sandbox.url,
            "list": LIST,
        }

    def put(self, members: Mapping[str, Member]) -> None:
        self.sandbox.mailjet.add_contacts(
            {
                "email": email,
                "name": member.name,
                "properties": member.properties,
                "list": self.list_id,
                "unsubscribed": member.status == "unsubscribed",
            }
            for email, member in members.items()
        )

    def opt_out(self, emails: Sequence[str]) -> None:
        known = self.sandbox.mailjet.contacts()
        self.sandbox.mailjet.add_contacts(
            {"email": one, "list": self.list_id, "unsubscribed": True}
            | ({"name": known[one]["name"]} if one in known else {})
            for one in emails
        )

    def held(self) -> dict[str, tuple[str, str, dict[str, str]]]:
        members = self.sandbox.mailjet.members(self.list_id)
        return {
            email.lower(): (member["status"], member["name"], member["properties"]) for email, member in members.items()
        }

    def contacts(self) -> Iterable[str]:
        return self.sandbox.mailjet.contacts()

    def received(self) -> list[dict[str, Any]]:
        rows = self.sandbox.mailjet.received()
        return [row | {"email": {name.lower(): one for name, one in row["contact"].items()}["email"]} for row in rows]

    def jobs(self) -> dict[Any, Job]:
        return {
            job["id"]: Job(
                route=job["route"],
                is_over=job["status"] in {"Completed", "Error", "Abort"},
                is_good=job["status"] == "Completed" and not job["errors"] and not job["error"],
                refused=frozenset(map(str.lower, job["refused"])),
            )
            for job in self.sandbox.mailjet.jobs()
        }

    def plan_jobs(self, plans: Iterable[Mapping[str, Any]]) -> None:
        self.sandbox.mailjet.plan_jobs(plans)

    def forget_plans(self) -> None:
        self.sandbox.mailjet.forget_plans()

    def finish_jobs(self) -> None:
        for job in self.sandbox.mailjet.jobs():
            self.sandbox.mailjet.finish_job(job["id"])
