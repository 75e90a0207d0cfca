"""The steps of Mailjet's JSON bulk route: consent (removals only), submit, follow, errors."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from mailing_api.errors import MailingError, NotFound, RateLimited, RequestRefused
from mailing_api.mailjet.answers import opted_out
from mailing_api.mailjet.client import MailjetClient
from mailing_api.mailjet.jobs import Job
from mailing_api.values import integer, timestamp, to_epoch
from target_mailing.contacts.consent import Actions, may_remove
from target_mailing.delivery.error_reports import refused_rows
from target_mailing.delivery.named_addresses import NamedAddresses
from target_mailing.delivery.one_by_one import take_each
from target_mailing.delivery.row_size import too_large
from target_mailing.destination import Again, Done, Finished, Progress, Refusal, Step, Work
from target_mailing.mailjet.refusals import UnknownProperties, about_one, is_no_address, is_unknown_property

__all__ = [
    "ACTIONS",
    "JOB_APPEARS_WITHIN",
    "Follow",
    "ReadConsent",
    "ReadErrors",
    "Submit",
    "is_near",
    "refused",
]

ACTIONS: Final = Actions(
    known=frozenset({"addnoforce", "addforce", "remove", "unsub", "excludemarketing", "includemarketing"}),
    remove="remove",
    ask="ask",
    unsubscribe="unsub",
    respectful={"addforce": "addnoforce"},
    only_forced=frozenset({"includemarketing"}),
    account_wide=frozenset({"excludemarketing", "includemarketing"}),
    removing_erases_opt_out=True,  # the membership row is deleted, and with it the flag
)

#: Seconds during which an unknown job is taken as not visible yet.
JOB_APPEARS_WITHIN: Final = 60.0
#: Seconds by which Mailjet's clock and ours may differ.
_CLOCK_SKEW: Final = 120.0


@dataclass(frozen=True)
class ReadConsent(Step):
    """Finds who opted out, since removing them would erase that, and whom Mailjet does not know.

    It is all that is done for the action `ask`. Whether a bulk removal of an unknown address creates the contact is
    unverified, so it is not sent.
    """

    client: MailjetClient
    lists: Sequence[int]
    name = "consent"

    def run(self, work: Work) -> Progress:
        """Ask for each contact's memberships."""
        withheld: set[int] = set()
        absent: set[int] = set()
        refused: dict[int, Refusal] = {}

        def look(at: int) -> None:
            row = work.rows[at]
            try:
                memberships = self.client.memberships(row.email)
            except NotFound:
                absent.add(at)
            except MailingError as error:
                if is_no_address(error) and (work.action == ACTIONS.ask or row.followers):
                    absent.add(at)  # nobody to remove, nor to have opted out
                    return
                refusal = about_one(error, probe=lambda: self.client.memberships(1), what="looking for the contact")
                refused[at] = msgspec.structs.replace(refusal, is_unasked=True)
            else:
                if not may_remove(ACTIONS, unsubscribed=self._opted_out(memberships)):
                    withheld.add(at)

        rows = range(len(work.rows))
        refused |= take_each(rows, look, probe=partial(self.client.memberships, 1), only_reads=True)[1]
        if work.action == ACTIONS.ask or len(withheld) + len(absent) + len(refused) == len(work.rows):
            return Finished(withheld=sorted(withheld), rejected=refused)
        return Done({"withheld": sorted(withheld), "absent": sorted(absent)}, refused=refused)

    def _opted_out(self, memberships: Sequence[Mapping[str, Any]]) -> bool:
        return any(opted_out(row) is not False for row in memberships if integer(row.get("ListID")) in self.lists)


@dataclass(frozen=True)
class Submit(Step):
    """Starts the job. Not repeatable: a second call would start a second job."""

    client: MailjetClient
    list_id: int | None
    lists: Sequence[int]
    unknown_properties: UnknownProperties
    name = "submit"
    repeatable = False

    def run(self, work: Work) -> Progress:
        """Post the batch."""
        contacts = b",".join(work.rows[at].contact for at in work.sent)
        head: dict[str, Any] = {"Action": work.action}
        if self.list_id is None:
            head = {"ContactsLists": [{"ListID": one, "Action": work.action} for one in self.lists]}
        body = msgspec.json.encode(head)[:-1] + b',"Contacts":[' + contacts + b"]}"
        try:
            return Done({"job": self.client.submit_contacts(body, list_id=self.list_id)})
        except RequestRefused as error:
            return refused(work, error, self.unknown_properties)

    def recover(self, work: Work) -> Done | None:
        """Adopt the one job that fits list, action and time and is nobody else's.

        Which fields of `batchjob` a JSON bulk job fills is unverified: a job that shows nothing of the list is not
        adopted. Account-wide jobs show no list, so they never are.
        """
        if self.list_id is None:
            return None
        ours = {noted.get("job") for noted in work.known}
        files = {noted["data"] for noted in work.known if "data" in noted}  # of CSV imports
        rows = self.client.page("batchjob", {"RefID": self.list_id, "Sort": "ID DESC", "Limit": 100})
        found = [
            job
            for row in rows
            if integer(row.get("RefId")) == self.list_id
            and str(row.get("Method", "")).lower() == work.action
            and (job := integer(row.get("ID"))) not in ours
            and integer(row.get("DataID")) not in files
            and is_near(row, work.begun_at)
        ]
        return Done({"job": found[0], "adopted": True}) if len(found) == 1 else None


def refused(work: Work, error: RequestRefused, unknown_properties: UnknownProperties) -> Finished | Again:
    """How a batch ends whose call was refused as a whole: nothing was done, and no row is named.

    It is tried again for a while where a property, which is defined, is said to be unknown.
    """
    if is_unknown_property(error.said) and unknown_properties.wait(error.said):
        return Again(0.0)
    sent = work.sent
    if error.status == 413 and len(sent) == 1:
        refusal = too_large(len(work.rows[sent[0]].contact), f"refused with HTTP {error.status}")
        return Finished(rejected={sent[0]: refusal}, withheld=work.withheld)
    reason = f"refused ({error.code or error.status})"
    return Finished(unresolved=True, reason=reason, withheld=work.withheld)


def is_near(row: Mapping[str, Any], begun_at: float) -> bool:
    """Whether a row of `batchjob` may be of a call made at this time (Unix seconds)."""
    requested = _seconds(row.get("RequestAt")) or _seconds(row.get("JobStart"))
    if not requested:
        return True  # an unset time fits: the job may be waiting
    return begun_at - _CLOCK_SKEW <= requested <= time.time() + _CLOCK_SKEW


def _seconds(moment: Any) -> int | None:
    """Unix seconds of a moment, which other collections give as a date; None where it is unset or cannot be read."""
    try:
        return integer(moment)
    except ValueError:
        pass
    try:
        found = timestamp(moment)
    except (TypeError, ValueError):
        return None
    return to_epoch(found) if found else None


@dataclass(frozen=True)
class Follow(Step):
    """Looks at the job until it has ended."""

    client: MailjetClient
    list_id: int | None
    name = "follow"
    watches = True

    def run(self, work: Work) -> Progress:
        """Look once."""
        submitted = work.evidence["submit"]
        job_id = int(submitted["job"])
        try:
            job = self.client.job(job_id, list_id=self.list_id)
        except NotFound:
            if time.time() - work.begun_at < JOB_APPEARS_WITHIN:
                return Again()
            return Finished(
                job=str(job_id), unresolved=True, reason="the job is unknown to Mailjet", withheld=work.withheld
            )
        if not job.is_terminal:
            return Again()
        sent = work.sent
        if submitted.get("adopted") and job.count is not None and job.count not in {0, len(sent)}:
            # It was somebody else's after all.
            return Finished(job=str(job_id), resend=sent, withheld=work.withheld)
        ended: dict[str, Any] = {"status": job.status, "error_file": job.error_file, "error": _code(job)}
        if job.status == "completed" and not job.error and not job.error_file:
            if job.count is None or job.count >= len(sent):
                return Finished(job=str(job_id), withheld=work.withheld)
            ended["count"] = job.count
        return Done(ended | ({"unknown_property": True} if is_unknown_property(job.error) else {}))


@dataclass(frozen=True)
class ReadErrors(Step):
    """Reads the job's error file into row outcomes.

    The file's schema is not published, so any shape is understood that names addresses. Rows go again for a while of
    which it says that a property is unknown, since that passes. Whether the good rows of a
    job in `Error` were imported is unverified: they are sent again, which changes nothing if they were.
    """

    client: MailjetClient
    unknown_properties: UnknownProperties
    name = "errors"

    def run(self, work: Work) -> Progress:
        """Read the file."""
        job_id = int(work.evidence["submit"]["job"])
        ended = work.evidence["follow"]
        withheld = work.withheld
        refusals = self._refusals(work, job_id, str(ended.get("error_file", "")))
        # Mappings have seen to it that all properties of the rows are defined.
        passing = {at: refusal for at, refusal in refusals.items() if is_unknown_property(refusal.reason)}
        if passing and self.unknown_properties.wait(passing[min(passing)].reason):
            refusals = {at: refusal for at, refusal in refusals.items() if at not in passing}
        elif not refusals and not (ended.get("unknown_property") and self.unknown_properties.wait("job")):
            reason = f"the job ended in {ended['status']} without naming rows ({ended.get('error')})"
            return Finished(job=str(job_id), unresolved=True, reason=reason, withheld=withheld)
        rest = [at for at in work.sent if at not in refusals]
        return Finished(job=str(job_id), rejected=refusals, resend=rest, withheld=withheld)

    def _refusals(self, work: Work, job_id: int, error_file: str) -> dict[int, Refusal]:
        try:
            content = self.client.job_errors(job_id, error_file)
        except NotFound:
            return {}
        except RateLimited:
            raise  # which says nothing about the file
        except MailingError as error:
            if error.status is not None and error.status < 500:
                return {}
            raise
        sent = work.sent
        addresses = NamedAddresses(work.rows[at].email for at in sent)
        named = refused_rows(content, addresses, properties=_properties_of(work))
        return {
            at: Refusal("refused_by_provider", named[work.rows[at].address])
            for at in sent
            if work.rows[at].address in named
        }


def _properties_of(work: Work) -> set[str]:
    contacts = [msgspec.json.decode(row.contact, type=_Properties) for row in work.rows if row.contact]
    return {name for contact in contacts for name in contact.properties}


class _Properties(msgspec.Struct):
    properties: dict[str, Any] = msgspec.field(name="Properties", default_factory=dict)


def _code(job: Job) -> str:
    """A word for the job's error that holds no data: Mailjet's text may quote addresses."""
    match = re.search(r"\b[A-Z]{2}\d{2}\b", job.error)
    return match[0] if match else ("error given" if job.error else "no error given")
