"""PostGrid's account of the fault table: a mailing list, whose contacts are letters to people's addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from tests.faults import people
from tests.faults.account import LIST, Account, Job
from tests.faults.model import Member, Model, PostalModel
from tests.faults.people import Record

__all__ = ["PostgridAccount"]

NUMBER = f"mailing_list_{'R' * 22}"
TEXT = {"type": ["string", "null"]}


class PostgridAccount(Account):
    """PostGrid: a list. Streets are the addresses of e-mail; a contact that it refuses has none that it takes.

    Who opts out there leaves no trace, so nobody does.
    """

    switches: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        name: {"postgrid_email_check": True} | more
        for name, more in {
            "usual": {},
            "silent": {"postgrid_contact_lists": "objects", "postgrid_job_response_status": "completed",
                       "postgrid_unset_fields": "null", "postgrid_list_update_body": "partial"},
            "strict": {"postgrid_busy_status": 409, "postgrid_unknown_contact": "reject",
                       "postgrid_dedupe_compares": "sent", "postgrid_dedupe_includes_metadata": True},
            "late": {"postgrid_errors_cleared": False, "postgrid_partial_jobs": "nothing", "postgrid_busy_status": 400,
                     "postgrid_counting_share": 0.6},
        }.items()
    }  # fmt: skip
    plans: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "failed": {"errors": ["internal_service_error"]},
        "with errors": {"errors": ["operational_error"], "applied": "half"},
        "stalled": {"stall": True},
    }
    model: ClassVar[type[Model]] = PostalModel
    columns: ClassVar[Mapping[str, Mapping[str, Any]]] = {"street": TEXT, "mail": TEXT, "country": TEXT}

    def furnish(self) -> None:
        account = self.sandbox.postgrid._account
        account.test.store.mailing_list(LIST, number=NUMBER)
        account.job_plans.clear()
        self.sandbox.switches.change({"postgrid_job_seconds": 0.05})

    def settings(self) -> dict[str, Any]:
        return {
            "postgrid_api_key": self.sandbox.postgrid.test_key,
            "postgrid_base_url": self.sandbox.url,
            "max_requests_per_second": 10_000,
            "mapping": {
                "address_line1": "street", "address_country": "country", "address_city": "city", "email": "mail"
            },
            "list": LIST,
        }  # fmt: skip

    def record(self, row: Record) -> Record:
        email = row.get("email")
        mail = "canary.without.at" if email in people.REFUSED else email
        return row | {"street": email if email and "@" in email else None, "mail": mail, "country": "GB"}

    def keep(self) -> None:
        account = self.sandbox.postgrid._account.test
        self._kept = list(account.store.contacts)
        self._mark = account.store.lists.get(NUMBER).metadata

    def put(self, members: Mapping[str, Member]) -> None:
        with self.sandbox.postgrid.lock:
            store = self.sandbox.postgrid._account.test.store
            mailing_list = store.lists.get(NUMBER)
            mailing_list.metadata = self._mark
            for one in self._kept:
                store.contact(one.sent, number=one.id)
            for letter in members:
                name, street, city = letter.split("|")
                known = (one.id for one in self._kept if _letter(one.sent) == letter)
                number = next(known, None)
                if number is None:
                    sent = {"firstName": name, "addressLine1": street, "countryCode": "GB"}
                    assert not city
                    number = store.contact(sent)[0].id
                store.join(mailing_list, [number], 0.0)

    def opt_out(self, emails: Sequence[str]) -> None:
        """Nothing."""

    def held(self) -> dict[str, tuple[str, str, dict[str, str]]]:
        members = self.sandbox.postgrid.members(NUMBER)["contacts"]
        return {_letter(sent): ("subscribed", "", {}) for sent in members.values()}

    def contacts(self) -> Iterable[str]:
        return [str(one.sent) for one in self.sandbox.postgrid._account.test.store.contacts]

    def received(self) -> list[dict[str, Any]]:
        account = self.sandbox.postgrid._account.test
        with self.sandbox.postgrid.lock:
            known = {one.id: _letter(one.sent) for one in account.store.contacts}
            return [
                {"job": job.number, "action": job.action, "email": known[one], "contact": known[one]}
                for job in account.jobs.all
                for one in job.ids
                if one in known
            ]

    def jobs(self) -> dict[Any, Job]:
        return {
            job["number"]: Job(
                route="contacts", is_over=job["ended"], is_good=job["ended"] and not job["errors"], refused=frozenset()
            )
            for job in self.sandbox.postgrid.jobs()
        }

    def plan_jobs(self, plans: Iterable[Mapping[str, Any]]) -> None:
        self.sandbox.postgrid.plan_jobs(plans)

    def forget_plans(self) -> None:
        self.sandbox.postgrid._account.job_plans.clear()

    def finish_jobs(self) -> None:
        if self.sandbox.postgrid.lists()[NUMBER]["status"] != "completed":
            self.sandbox.postgrid.finish_job(NUMBER)


def _letter(sent: Mapping[str, Any]) -> str:
    return PostalModel.letter(sent["firstName"], sent["addressLine1"], sent.get("city", ""))
