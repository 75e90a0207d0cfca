"""The steps of Mailjet's JSON bulk route: consent (removals only), submit, follow, errors."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import msgspec

from mailing_api.errors import MailingError, NotFound, RateLimited, RequestRefused
from mailing_api.mailjet.answers import opted_out
from mailing_api.mailjet.client import MailjetClient
from mailing_api.mailjet.jobs import Job
from mailing_api.values import integer
from target_mailing.contacts.consent import may_remove
from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.error_reports import refused_rows
from target_mailing.delivery.freshness import reading
from target_mailing.delivery.jobs import FollowJob
from target_mailing.delivery.named_addresses import NamedAddresses
from target_mailing.delivery.one_by_one import take_each
from target_mailing.interface.destination import Candidate, Done, Finished, Progress, Refusal, Step, Work
from target_mailing.mailjet.actions import ACTIONS
from target_mailing.mailjet.bulk_jobs import ReadErrors, completed, matching_jobs, postponed, refused
from target_mailing.mailjet.contact import decoded
from target_mailing.mailjet.foreseen import ForeseenOptOuts
from target_mailing.mailjet.refusals import UnknownProperties, about_one, is_no_address, is_unknown_property

__all__ = ["Follow", "ReadConsent", "ReadJobErrors", "Submit"]


@dataclass(frozen=True)
class ReadConsent(Step):
    """Finds who opted out, since a removal would erase the opt-out, and whom Mailjet does not know.

    It is the only step of the action `ask`. Whether a bulk removal of an unknown address creates the contact is
    unverified, so none is sent.
    """

    client: MailjetClient
    lists: Sequence[int]
    foreseen: ForeseenOptOuts
    name = "consent"
    only_reads = True

    def run(self, work: Work) -> Progress:
        """Read each contact's memberships."""
        begun_at = time.time()
        probe = partial(self.client.memberships, 1)
        results, failed = take_each(
            range(len(work.rows)),
            lambda position: self._look(work.rows[position], work.action),
            probe=probe,
            only_reads=True,
        )
        withheld = [position for position, result in sorted(results.items()) if result == "withheld"]
        absent = [position for position, result in sorted(results.items()) if result == "absent"]
        refused = {position: result for position, result in results.items() if isinstance(result, Refusal)} | failed
        if work.action == ACTIONS.ask or len(withheld) + len(absent) + len(refused) == len(work.rows):
            return Finished(withheld=withheld, rejected=refused, without_contact=absent)
        evidence = {"withheld": withheld, "absent": absent}
        return Done(evidence | reading(begun_at, time.time()), refused=refused)

    def _look(self, row: EncodedContact, action: str) -> Refusal | Literal["withheld", "absent", "sent"]:
        if (unsubscribed := self.foreseen.of(row.email)) is not None:
            return "withheld" if unsubscribed else "sent"
        try:
            memberships = self.client.memberships(row.email)
        except NotFound:
            return "absent"
        except MailingError as error:
            if is_no_address(error) and (action == ACTIONS.ask or row.follower):
                return "absent"  # no contact to remove, and no opt-out
            probe = partial(self.client.memberships, 1)
            refusal = about_one(error, probe=probe, what="looking up the contact was refused")
            return msgspec.structs.replace(refusal, is_unasked=True)
        unsubscribed = any(
            opted_out(membership) is not False
            for membership in memberships
            if integer(membership.get("ListID")) in self.lists
        )
        return "sent" if may_remove(ACTIONS, unsubscribed=unsubscribed) else "withheld"


@dataclass(frozen=True)
class Submit(Step):
    """Starts the job. Not repeatable: a second call would start a second job.

    The call of a removal is made once after each reading of consent that is not outdated.
    """

    client: MailjetClient
    list_id: int | None
    lists: Sequence[int]
    unknown_properties: UnknownProperties
    foreseen: ForeseenOptOuts
    again_from: str | None
    name = "submit"
    repeatable = False
    is_known_by_count = True

    def run(self, work: Work) -> Progress:
        """Post the batch."""
        head: dict[str, Any] = {"Action": work.action}
        if self.list_id is None:
            head = {"ContactsLists": [{"ListID": list_id, "Action": work.action} for list_id in self.lists]}
        body = _body(head, work.contacts)
        is_removal = work.action == ACTIONS.remove
        try:
            return Done({"job": self.client.submit_contacts(body, list_id=self.list_id, once=is_removal)})
        except RequestRefused as error:
            return refused(work, error, self.unknown_properties)
        except MailingError as error:
            if not is_removal:
                raise
            return postponed(self.client, work, error)

    def foresee(self, work: Work) -> Progress:
        """Note whose opt-outs would be recorded, lifted or erased."""
        self.foreseen.note(work)
        return Done({})

    def recover(self, work: Work) -> Sequence[Candidate] | None:
        """The jobs on the list that import no file of ours; account-wide jobs show no list.

        Which fields of `batchjob` a JSON bulk job fills is unverified: a job that does not show its list is none.
        """
        if self.list_id is None:
            return None
        files = {noted["data"] for noted in work.known if "data" in noted}  # of CSV imports
        return [job for job, file in matching_jobs(self.client, work, self.list_id) if file not in files]


def _body(head: Mapping[str, Any], contacts: Iterable[EncodedContact]) -> bytes:
    """A request's body; while it is under way, nothing else of the contacts is in memory."""
    parts = msgspec.json.encode(head)[:-1], b',"Contacts":[', b",".join([one.content for one in contacts]), b"]}"
    return b"".join(parts)


@dataclass(frozen=True)
class Follow(FollowJob[Job]):
    """Polls the job until it has ended."""

    client: MailjetClient
    list_id: int | None

    def read(self, job_id: str) -> Job:
        """The job, as the route that started it shows it."""
        return self.client.job(int(job_id), list_id=self.list_id)

    def foresee(self, work: Work) -> Progress:
        """The job completes without errors."""
        return Finished(withheld=work.withheld)

    def ended(self, job_id: str, job: Job, work: Work) -> Progress:
        """Finish if nothing went wrong; else note how the job ended."""
        sent = work.sent
        if work.evidence["submit"].get("adopted") and job.count not in {None, 0, len(sent)}:
            # The adopted job belongs to another program.
            return Finished(job=job_id, resend=sent, withheld=work.withheld)
        noted: dict[str, Any] = {"status": job.status, "error_file": job.error_file, "error": _code(job)}
        if job.status == "completed" and not job.error and not job.error_file:
            return completed(work, job_id, noted, job.count)
        if is_unknown_property(job.error):
            noted["unknown_property"] = True
        return Done(noted)


@dataclass(frozen=True)
class ReadJobErrors(ReadErrors):
    """Reads an error file whose schema is not published: any shape that names addresses is understood."""

    def read(self, job_id: int, work: Work) -> tuple[Mapping[str, str], bool]:
        """The rows that the file names; it may not name all."""
        try:
            content = self.client.job_errors(job_id, str(work.evidence["follow"].get("error_file", "")))
        except MailingError as error:
            is_about_file = isinstance(error, NotFound) or (error.status is not None and error.status < 500)
            if isinstance(error, RateLimited) or not is_about_file:
                raise
            return {}, False
        addresses = NamedAddresses(work.rows[position].email for position in work.sent)
        properties = {name for row in work.rows if row.content for name in decoded(row.content).Properties}
        return refused_rows(content, addresses, properties=properties), False

    def cause(self, ended: Mapping[str, Any]) -> str:
        """Names no rows."""
        return f"the job ended in {ended['status']} without naming rows ({ended.get('error')})"


def _code(job: Job) -> str:
    """The code of the job's error, or a word that holds no data: Mailjet's text may quote addresses."""
    match = re.search(r"\b[A-Z]{2}\d{2}\b", job.error)
    return match[0] if match else ("error given" if job.error else "no error given")
