"""The accounts of the fault table, one for each provider: what a case does in the sandbox, and sees there."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mailing_sandbox.server import Sandbox
from tests.faults import people
from tests.faults.model import Member
from tests.faults.process import until

__all__ = ["ACCOUNTS", "Account", "Job"]

LIST = "Readers"


@dataclass(frozen=True)
class Job:
    """A job, as the provider knows it."""

    route: str
    is_over: bool
    is_good: bool
    refused: frozenset[str]


class Account(ABC):
    """An account of one provider.

    Attributes:
        switches: what the provider may do otherwise; nobody outside knows which.
        plans: how a job may end, as the sandbox calls it.
    """

    switches: ClassVar[Mapping[str, Mapping[str, Any]]]
    plans: ClassVar[Mapping[str, Mapping[str, Any]]]

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    @abstractmethod
    def furnish(self) -> None:
        """Make the list and whatever it needs, in an empty account."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The target's settings for it."""

    @abstractmethod
    def put(self, members: Mapping[str, Member]) -> None:
        """Somebody else puts these people on the list."""

    @abstractmethod
    def opt_out(self, emails: Sequence[str]) -> None:
        """These people opt out."""

    @abstractmethod
    def held(self) -> dict[str, tuple[str, str, dict[str, str]]]:
        """What is held: status, name and properties by folded address."""

    @abstractmethod
    def contacts(self) -> Iterable[str]:
        """The addresses known, on the list or not."""

    @abstractmethod
    def received(self) -> list[dict[str, Any]]:
        """The rows of all jobs: `job`, `action`, `email`, `contact`."""

    @abstractmethod
    def jobs(self) -> dict[Any, Job]:
        """All jobs, by name."""

    @abstractmethod
    def plan_jobs(self, plans: Iterable[Mapping[str, Any]]) -> None:
        """How the next jobs go."""

    @abstractmethod
    def forget_plans(self) -> None:
        """The next jobs go well."""

    @abstractmethod
    def finish_jobs(self) -> None:
        """Jobs that stood still come to their end."""


class MailjetAccount(Account):
    """Mailjet: a list, and two properties."""

    switches: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "usual": {},
        "silent": {"bulk_job_names_list": False, "error_file": "text", "status_words": "short"},
        "strict": {"good_rows_loaded": False, "error_file": "nested", "error_file_path": "absolute"},
        "late": {"job_404_polls": 1, "request_at_zero": True, "remove_creates_contact": False,
                 "error_file_path": "empty"},
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


REGION = "eu-west-1"
#: In one process a bucket of this name is there only once.
BUCKET = "fault-table"
#: The rows spell an address in two ways. Where these are two contacts at SES, one of them is not found by the other.
FOLDED = {"ses_contact_case": "lower"}


class SesAccount(Account):
    """Amazon SES: a contact list, and a bucket."""

    switches: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "usual": FOLDED,
        "silent": FOLDED | {"ses_failed_records": "csv", "ses_running_counts": "zero", "ses_last_token": "absent"},
        "strict": FOLDED
        | {"ses_processed_includes_failed": False, "ses_failed_records": "input", "ses_row_order": "shuffled"},
        "late": {"ses_timestamps": "iso", "ses_list_order": "shuffled", "ses_import_put": "merge",
                 "ses_topic_update": "merge", "ses_contact_case": "lower"},
    }  # fmt: skip
    plans: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "failed": {"end": "failed"},
        "failed naming a row": {"end": "failed_halfway", "bad_rows": [1]},
        "aborted": {"end": "cancelled"},
        "with errors": {"bad_rows": [1]},
        "stalled": {"end": "stall"},
    }

    def furnish(self) -> None:
        self.sandbox.ses.add_list(LIST, {"News": "OPT_IN"}, region=REGION)
        self.sandbox.ses.refuse(people.REFUSED)
        self.sandbox.storage.reset()
        self.sandbox.storage.add_bucket(BUCKET, REGION)

    def settings(self) -> dict[str, Any]:
        return {
            "ses_regions": [REGION],
            "ses_aws_access_key_id": self.sandbox.api_key,
            "ses_aws_secret_access_key": self.sandbox.secret_key,
            "ses_endpoint_url": self.sandbox.url,
            "ses_s3_endpoint_url": f"{self.sandbox.url}/s3",
            "ses_s3_bucket": BUCKET,
            "ses_requests_per_second": 1e6,
            "list": LIST,
        }

    def put(self, members: Mapping[str, Member]) -> None:
        self.sandbox.ses.add_contacts(
            (
                {
                    "email": email,
                    "unsubscribed": member.status == "unsubscribed",
                    "attributes": {"name": member.name} | member.properties if member.name else None,
                }
                for email, member in members.items()
            ),
            region=REGION,
        )

    def opt_out(self, emails: Sequence[str]) -> None:
        # An import under way would overwrite it: that is a gap which nobody can close. One that stands still does not.
        imports = self.sandbox.ses._account.region(REGION).imports
        moving = [one for one in self.jobs() if imports.get(one).plan.end != "stall"]
        until(lambda: all(self.jobs()[one].is_over for one in moving), "the end of all jobs")
        known = self.sandbox.ses.contacts(region=REGION)
        self.sandbox.ses.add_contacts(
            ({"email": one, **known.get(one, {}), "unsubscribed": True} for one in emails), region=REGION
        )

    def held(self) -> dict[str, tuple[str, str, dict[str, str]]]:
        found = {}
        for email, contact in self.sandbox.ses.contacts(region=REGION).items():
            attributes = json.loads(contact["attributes"] or "{}")
            name = attributes.pop("name", "")
            status = "unsubscribed" if contact["unsubscribed"] else "subscribed"
            found[email.lower()] = (status, name, {one: str(value) for one, value in attributes.items()})
        return found

    def contacts(self) -> Iterable[str]:
        return self.sandbox.ses.contacts(region=REGION)

    def received(self) -> list[dict[str, Any]]:
        rows = [row for row in self.sandbox.ses.received() if row["job"] is not None]
        return [row | {"email": row["contact"]["emailAddress"]} for row in rows]

    def jobs(self) -> dict[Any, Job]:
        imports = self.sandbox.ses._account.region(REGION).imports
        return {
            job["id"]: Job(
                route="import",
                is_over=job["status"] in {"COMPLETED", "FAILED", "CANCELLED", "ERROR"},
                is_good=job["status"] == "COMPLETED" and not job["failed"],
                refused=frozenset(failure.email.lower() for failure in imports.get(job["id"]).failures),
            )
            for job in self.sandbox.ses.jobs()
        }

    def plan_jobs(self, plans: Iterable[Mapping[str, Any]]) -> None:
        self.sandbox.ses.plan_jobs(plans)

    def forget_plans(self) -> None:
        self.sandbox.ses.forget_plans()

    def finish_jobs(self) -> None:
        for job in self.sandbox.ses.jobs():
            self.sandbox.ses.finish_job(job["id"])


ACCOUNTS = {"mailjet": MailjetAccount, "ses": SesAccount}
