"""The steps of Mailjet's JSON bulk route: consent (removals only), submit, follow, errors."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mailing_api.addresses import fold_address
from mailing_api.errors import MailingError, NotFound, RateLimited, RequestRefused
from mailing_api.mailjet import Job, MailjetClient
from mailing_api.values import boolean, integer
from target_mailing.consent import Actions, may_remove
from target_mailing.steps import Again, Done, Finished, Progress, Refusal, Step, Work

__all__ = [
    "ACTIONS",
    "JOB_APPEARS_WITHIN",
    "Follow",
    "ReadConsent",
    "ReadErrors",
    "Submit",
    "is_near",
    "look_again",
    "refused",
    "sent_rows",
    "withheld_rows",
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
        withheld, absent = [], []
        for at, row in enumerate(work.rows):
            try:
                memberships = self.client.memberships(row.email)
            except NotFound:
                absent.append(at)
                continue
            if not may_remove(ACTIONS, unsubscribed=self._opted_out(memberships)):
                withheld.append(at)
        if work.action == ACTIONS.ask or len(withheld) + len(absent) == len(work.rows):
            return Finished(withheld=withheld)
        return Done({"withheld": withheld, "absent": absent})

    def _opted_out(self, memberships: Sequence[Mapping[str, Any]]) -> bool:
        return any(
            boolean(row.get("IsUnsub", row.get("IsUnsubscribed"))) is not False  # without the flag nobody can tell
            for row in memberships
            if integer(row.get("ListID")) in self.lists
        )


@dataclass(frozen=True)
class Submit(Step):
    """Starts the job. Not repeatable: a second call would start a second job."""

    client: MailjetClient
    list_id: int | None
    lists: Sequence[int]
    name = "submit"
    repeatable = False

    def run(self, work: Work) -> Progress:
        """Post the batch."""
        contacts = b",".join(work.rows[at].contact for at in sent_rows(work))
        head: dict[str, Any] = {"Action": work.action}
        if self.list_id is None:
            head = {"ContactsLists": [{"ListID": one, "Action": work.action} for one in self.lists]}
        body = msgspec.json.encode(head)[:-1] + b',"Contacts":[' + contacts + b"]}"
        try:
            return Done({"job": self.client.submit_contacts(body, list_id=self.list_id)})
        except RequestRefused as error:
            return refused(work, error)

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


def refused(work: Work, error: RequestRefused) -> Finished:
    """How a batch ends whose call was refused as a whole: nothing was done, and no row is named."""
    reason = f"refused ({error.code or error.status})"
    return Finished(unresolved=True, reason=reason, withheld=withheld_rows(work))


def is_near(row: Mapping[str, Any], begun_at: float) -> bool:
    """Whether a row of `batchjob` may be of a call made at this time (Unix seconds)."""
    requested = integer(row.get("RequestAt")) or integer(row.get("JobStart"))
    if not requested:
        return True  # an unset time fits: the job may be waiting
    return begun_at - _CLOCK_SKEW <= requested <= time.time() + _CLOCK_SKEW


@dataclass(frozen=True)
class Follow(Step):
    """Looks at the job until it has ended."""

    client: MailjetClient
    list_id: int | None
    poll_interval: float
    poll_max_interval: float
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
                return look_again(work, self.poll_interval, self.poll_max_interval)
            return Finished(
                job=str(job_id), unresolved=True, reason="the job is unknown to Mailjet", withheld=withheld_rows(work)
            )
        if not job.is_terminal:
            return look_again(work, self.poll_interval, self.poll_max_interval)
        sent = sent_rows(work)
        if submitted.get("adopted") and job.count is not None and job.count not in {0, len(sent)}:
            # It was somebody else's after all.
            return Finished(job=str(job_id), resend=sent, withheld=withheld_rows(work))
        if job.status == "completed" and not job.error and not job.error_file:
            return Finished(job=str(job_id), withheld=withheld_rows(work))
        return Done({"status": job.status, "error_file": job.error_file, "error": _code(job)})


def look_again(work: Work, interval: float, longest: float) -> Again:
    """When to look at a job again: later each time, up to the longest (seconds), and never all at once."""
    wait = min(longest, interval * 1.5 ** min(work.polls, 40))
    return Again(wait * random.uniform(0.8, 1.2))  # noqa: S311


@dataclass(frozen=True)
class ReadErrors(Step):
    """Reads the job's error file into row outcomes.

    The file's schema is not published, so any shape is understood that names addresses. Whether the good rows of a
    job in `Error` were imported is unverified: they are sent again, which changes nothing if they were.
    """

    client: MailjetClient
    name = "errors"

    def run(self, work: Work) -> Progress:
        """Read the file."""
        job_id = int(work.evidence["submit"]["job"])
        ended = work.evidence["follow"]
        withheld = withheld_rows(work)
        refusals = self._refusals(work, job_id, str(ended.get("error_file", "")))
        reason = f"the job ended in {ended['status']} without naming rows ({ended.get('error')})"
        if not refusals:
            return Finished(job=str(job_id), unresolved=True, reason=reason, withheld=withheld)
        rest = [at for at in sent_rows(work) if at not in refusals]
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
        named = _named_addresses(content)
        return {
            at: Refusal("refused_by_provider", named[row.address])
            for at, row in enumerate(work.rows)
            if row.address in named
        }


_ADDRESS_IN_TEXT = re.compile(r"[^\s@\"'<>,;:()\[\]{}\\]+@[^\s@\"'<>,;:()\[\]{}\\]+")


def _named_addresses(content: bytes) -> dict[str, str]:
    """Address -> what is said of it, from an error file of any shape: the smallest parts that name one address."""
    try:
        parts = _parts(msgspec.json.decode(content))
    except ValueError:
        parts = _parts(content.decode("utf-8", "replace").splitlines())
    found: dict[str, str] = {}
    for address, said in parts:
        found.setdefault(address, said[:500])
    return found


def _parts(value: Any) -> list[tuple[str, str]]:
    """Each address in a JSON value, with the largest part that names no other; without those said to be good."""
    said = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    addresses = {fold_address(address) for address in _ADDRESS_IN_TEXT.findall(said)}
    if len(addresses) > 1 and isinstance(value, (dict, list)):
        children = value if isinstance(value, list) else list(value.values())
        return [part for child in children for part in _parts(child)]
    if isinstance(value, dict):
        errors = [told for name, told in value.items() if "error" in name.lower()]
        if errors and not any(errors):
            return []
    return [(address, said) for address in addresses]


def withheld_rows(work: Work) -> list[int]:
    """The positions of the rows that are not sent, for the sake of consent."""
    return list(work.evidence.get("consent", {}).get("withheld", ()))


def sent_rows(work: Work) -> list[int]:
    """The positions of the rows that the job holds."""
    noted = work.evidence.get("consent", {})
    left_out = {*noted.get("withheld", ()), *noted.get("absent", ())}
    return [at for at in range(len(work.rows)) if at not in left_out]


def _code(job: Job) -> str:
    """A word for the job's error that holds no data: Mailjet's text may quote addresses."""
    match = re.search(r"\b[A-Z]{2}\d{2}\b", job.error)
    return match[0] if match else ("error given" if job.error else "no error given")
