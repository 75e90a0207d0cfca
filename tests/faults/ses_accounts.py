"""Amazon SES's accounts of the fault table: delivered to is the contact list, or the suppression list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from tests.faults import people
from tests.faults.account import LIST, Account, Job
from tests.faults.model import Member, Model, SuppressionModel
from tests.faults.people import Record
from tests.faults.process import until

__all__ = ["SesAccount", "SuppressionAccount"]

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
                 "ses_topic_update": "replace", "ses_contact_case": "lower"},
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
        self.wait_for_jobs()
        known = self.sandbox.ses.contacts(region=REGION)
        self.sandbox.ses.add_contacts(
            ({"email": one, **known.get(one, {}), "unsubscribed": True} for one in emails), region=REGION
        )

    def wait_for_jobs(self) -> None:
        """An import under way would overwrite an opt-out, which nobody can help; one that stands still does not."""
        imports = self.sandbox.ses._account.region(REGION).imports
        moving = [one for one in self.jobs() if imports.get(one).plan.end != "stall"]
        until(lambda: all(self.jobs()[one].is_over for one in moving), "the end of all jobs")

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

    def files(self) -> Sequence[str]:
        answer = self.sandbox.storage._own("GET", f"/{BUCKET}", "list-type=2&prefix=target-mailing/", b"")
        return [part.partition("</Key>")[0] for part in answer.body.decode().split("<Key>")[1:]]

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


class SuppressionAccount(SesAccount):
    """The same account, of which the suppression list is delivered to. Each row says why, in turns."""

    model: ClassVar[type[Model]] = SuppressionModel
    columns: ClassVar[Mapping[str, Mapping[str, Any]]] = {"reason": {"type": ["string", "null"]}}

    def settings(self) -> dict[str, Any]:
        found = super().settings() | {"ses_target": "suppression_list", "ses_allow_unsuppress": True}
        del found["list"]
        return found

    def record(self, row: Record) -> Record:
        # To the suppression list two spellings of an address are two.
        spelled = {"email": row["email"].lower()} if "email" in row else {}
        return row | spelled | {"reason": SuppressionModel.reason(row)}

    def put(self, members: Mapping[str, Member]) -> None:
        self.sandbox.ses.add_suppressions(
            ({"email": email, "reason": member.name} for email, member in members.items()), region=REGION
        )

    def opt_out(self, emails: Sequence[str]) -> None:
        self.wait_for_jobs()
        known = self.sandbox.ses.suppressions(region=REGION)
        self.put({one: SuppressionModel.bounced() for one in emails if one not in known})

    def held(self) -> dict[str, tuple[str, str, dict[str, str]]]:
        known = self.sandbox.ses.suppressions(region=REGION)
        return {email.lower(): ("unsubscribed", reason, {}) for email, reason in known.items()}

    def contacts(self) -> Iterable[str]:
        return self.sandbox.ses.suppressions(region=REGION)
