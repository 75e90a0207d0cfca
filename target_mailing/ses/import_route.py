"""The steps of Amazon SES's import jobs: consent (removals only), plan, upload, submit, follow, clear, outcome.

Each object has a key of its own, and a job shows which object it reads. So the job of a batch is found with certainty.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from mailing_api.errors import (
    ConfigurationError,
    MailingError,
    NotFound,
    PermissionDenied,
    ProviderFault,
    RateLimited,
    RequestRefused,
)
from mailing_api.ses.words import COMPLETED, is_full
from mailing_api.ses.writer import Job
from target_mailing.contacts.contact import EncodedContact
from target_mailing.contacts.effects import Effect, as_positions, as_ranges
from target_mailing.delivery.error_reports import refused_rows
from target_mailing.delivery.freshness import later, reading
from target_mailing.delivery.jobs import FollowJob, is_near
from target_mailing.delivery.named_addresses import NamedAddresses
from target_mailing.interface.destination import Again, Candidate, Done, Finished, Progress, Refusal, Step, Work
from target_mailing.ses.list import ACTIONS, Positions, SesList, with_case
from target_mailing.ses.refusals import unasked
from target_mailing.ses.stage import Stage

__all__ = [
    "SLOT_WAIT",
    "Clear",
    "Consent",
    "Follow",
    "Outcome",
    "Plan",
    "Submit",
    "SubmitChecked",
    "Upload",
]

logger = logging.getLogger("target-mailing.ses")

#: Seconds until the next attempt if too many jobs are under way.
SLOT_WAIT: Final = 20.0
#: Polls of a job that has ended and shows neither processed nor failed records.
_MORE_POLLS: Final = 2
#: The most ranges of rows with the same effect that are noted.
_MOST_RANGES: Final = 5000
#: The error of a job whose object Amazon SES may not read; AWS does not document its text.
_says_unreadable = re.compile(
    r"access.?denied|forbidden|permission|not authori[sz]ed|unable to (read|access)|kms|NoSuchBucket", re.IGNORECASE
).search


@dataclass(frozen=True)
class Consent(Step):
    """Withholds rows whose removal would erase an opt-out, and finds rows without a contact; `ask` only checks."""

    ses_list: SesList
    name = "consent"

    def run(self, work: Work) -> Progress:
        """Check all rows."""
        begun_at, is_removal = time.time(), work.action == ACTIONS.remove
        checked = self.ses_list.prepare_removal(work.rows) if is_removal else self.ses_list.check(work.rows)
        withheld = [] if work.action == ACTIONS.decline else list(checked.withheld)
        done = len(withheld) + len(checked.absent) + len(checked.refused)
        if work.action == ACTIONS.ask or done == len(work.rows):
            return Finished(withheld=withheld, rejected=checked.refused, without_contact=[*checked.absent])
        spelled = [[at, letters] for at, letters in checked.spelled.items()]
        evidence = {"withheld": withheld, "absent": list(checked.absent), "spelled": spelled}
        return Done(evidence | reading(begun_at, time.time()), refused=checked.refused)

    def foresee(self, work: Work) -> Progress:
        """The same, by the writer of a plan, which sends nothing."""
        return self.run(work)

    def more_calls(self, work: Work) -> int:  # noqa: ARG002
        """They are counted one by one."""
        return 0


@dataclass(frozen=True)
class Plan(Step):
    """Names the object before it exists, so that a later run can delete it."""

    stage: Stage
    name = "plan"
    only_reads = True

    def run(self, work: Work) -> Progress:  # noqa: ARG002 - nothing depends on it
        """Name it."""
        return Done({"key": self.stage.new_key(), "bucket": self.stage.bucket.name})


@dataclass(frozen=True)
class Upload(Step):
    """Reads the contacts as they are, and writes the object: the contacts as they should be. May be repeated."""

    ses_list: SesList
    stage: Stage
    name = "upload"

    def run(self, work: Work) -> Progress:
        """Write the object."""
        return self._write(work, self.stage.bucket.put)

    def foresee(self, work: Work) -> Progress:
        """Make the object's lines, which show the effects."""
        return self._write(work, lambda _, lines: deque(lines, 0))

    def _write(self, work: Work, put: Callable[[str, Iterator[bytes]], object]) -> Progress:
        plan, sent = work.evidence["plan"], work.sent
        spelled = dict(work.evidence.get("consent", {}).get("spelled", ()))

        def contacts() -> Iterator[EncodedContact]:
            if not spelled:
                return work.contacts
            of_sent = zip(sent, work.contacts, strict=True)
            return (_with_case(contact, spelled.get(at, ())) for at, contact in of_sent)

        begun_at = time.time()
        there = self.ses_list.read(contacts(), work.action)
        read = {} if there is None else reading(begun_at, time.time())
        refused: dict[int, Refusal] = {}
        if there is not None and there.refused:
            failing = there.refused
            of_sent = zip(sent, contacts(), strict=True)
            refused = {at: unasked(failing[row.address]) for at, row in of_sent if row.address in failing}
        if len(refused) == len(sent):
            return Finished(rejected=refused, withheld=work.withheld)
        effects: Positions = {}
        put(plan["key"], self.ses_list.lines(contacts(), work.action, there, effects))
        ranges = {str(effect): as_ranges(sent[at] for at in positions) for effect, positions in effects.items()}
        noted = {effect: positions for effect, positions in ranges.items() if len(positions) <= _MOST_RANGES}
        return Done(plan | read | ({"effects": noted} if noted else {}), refused=refused)

    def undo(self, work: Work) -> None:
        """Delete the object: no job will read it."""
        if "plan" in work.evidence:
            self.stage.clear(**work.evidence["plan"])


@dataclass(frozen=True)
class Submit(Step):
    """Starts the job. Not repeatable: a second call would start a second job."""

    ses_list: SesList
    stage: Stage
    name = "submit"
    repeatable = False
    again_from = "plan"

    def run(self, work: Work) -> Progress:
        """Start the job; if that is not possible yet, wait, and then read the contacts again if they are outdated."""
        key = work.evidence["upload"]["key"]
        destination = self.ses_list.destination(work.action)
        try:
            return Done({"job": self.ses_list.writer.create_job(destination, self.stage.url(key))})
        except MailingError as error:
            if not _is_temporary(error):
                if not error.maybe_done:
                    self.stage.clear(key)  # no job will read it
                raise
            seconds = max(error.retry_after or 0.0, SLOT_WAIT * random.uniform(0.8, 1.2))  # noqa: S311
            again = later(work, error, seconds, is_crowded=is_full(error))
            if again.rewind:
                self.stage.clear(key)
            return again

    def recover(self, work: Work) -> Sequence[Candidate]:
        """The job that reads this batch's object, which is deleted before the rows are sent again."""
        uploaded = work.evidence.get("upload")
        if uploaded is None:
            return ()
        ours = {noted.get("job") for noted in work.known}
        client, region = self.ses_list.writer.client, self.ses_list.writer.region
        for page in client.import_jobs(region, destination=self.ses_list.kind):
            for row in page:
                job = str(row.get("JobId"))
                if job in ours or not is_near(work, row.get("CreatedTimestamp")):
                    continue
                with suppress(NotFound):
                    if self.ses_list.writer.job(job).source == self.stage.url(**_object(uploaded)):
                        return [Candidate(job=job, evidence={"job": job}, is_certain=True)]
        return ()


class SubmitChecked(Submit):
    """The same after `Consent`, which is repeated too: contacts may have opted out or been added meanwhile."""

    again_from = "consent"


def _is_temporary(error: MailingError) -> bool:
    """Whether the job was certainly not started, and can be later: too many jobs or calls, or a fault."""
    if isinstance(error, RequestRefused):
        return is_full(error)
    return isinstance(error, RateLimited) or (isinstance(error, ProviderFault) and not error.maybe_done)


@dataclass(frozen=True)
class Follow(FollowJob[Job]):
    """Polls the job until it has ended."""

    ses_list: SesList
    stage: Stage

    def read(self, job_id: str) -> Job:
        """The job."""
        return self.ses_list.writer.job(job_id)

    def lost(self, job_id: str, work: Work) -> Progress:  # noqa: ARG002 - the outcome follows from the status
        """Note that Amazon SES does not show the job."""
        return Done({"status": "unknown", "cause": None})

    def ended(self, job_id: str, job: Job, work: Work) -> Progress:  # noqa: ARG002 - the job says all
        """Note how the job ended."""
        cause = None if job.status == COMPLETED else self._cause(work, job)
        return Done({"status": job.status, "cause": cause, **_counters(job)})

    def _cause(self, work: Work, job: Job) -> Literal["gone", "unreadable"] | None:
        """The cause, if the job failed because it could not read its object."""
        if job.processed:
            return None
        try:
            if not self.stage.has(**_object(work.evidence["upload"])):
                return "gone"
        except PermissionDenied:
            pass  # whether it exists is unknown then
        return "unreadable" if _says_unreadable(job.error) else None


@dataclass(frozen=True)
class Clear(Step):
    """Deletes the object: it holds contact data, and is no longer needed."""

    stage: Stage
    name = "clear"

    def run(self, work: Work) -> Progress:
        """Delete it."""
        self.stage.clear(**_object(work.evidence["upload"]))
        return Done({})


@dataclass(frozen=True)
class Outcome(Step):
    """Compares the job's counters with the rows sent, and reads outcomes of rows from the file of failed records."""

    ses_list: SesList
    stage: Stage
    name = "outcome"

    def run(self, work: Work) -> Progress:
        """Find the outcomes of the rows."""
        return self._with_effects(work, self._judge(work))

    def foresee(self, work: Work) -> Progress:
        """All rows that were sent are delivered."""
        return self._with_effects(work, Finished(withheld=work.withheld))

    def more_calls(self, work: Work) -> int:  # noqa: ARG002
        """A job that counts all rows needs none."""
        return 0

    @staticmethod
    def _with_effects(work: Work, progress: Progress) -> Progress:
        noted = work.evidence["upload"].get("effects")
        if not noted or not isinstance(progress, Finished):
            return progress
        effects = {at: Effect(name) for name, ranges in noted.items() for at in as_positions(ranges)}
        return msgspec.structs.replace(progress, effects=effects)

    def _judge(self, work: Work) -> Progress:
        ended, job_id = work.evidence["follow"], str(work.evidence["submit"]["job"])
        if ended["status"] != COMPLETED:
            return self._failed(work, job_id, ended)
        if _is_uncounted(ended):
            ended = self._poll_again(job_id)
            if _is_uncounted(ended) and work.polls < _MORE_POLLS - 1:
                return Again()
        sent, withheld = work.sent, work.withheld
        processed, failed = ended["processed"], ended["failed"]
        # Whether failed records are among the processed ones is unverified.
        adds_up = not _is_uncounted(ended) and processed in {None, len(sent), len(sent) - (failed or 0)}
        has_failures = bool(failed or ended.get("failures"))
        if adds_up and not has_failures:
            return Finished(job=job_id, withheld=withheld)
        refusals = self._refusals(work, job_id) if has_failures else {}
        if failed is not None and len(refusals) > failed:
            refusals = {}  # the file was misread
        rejected = self._still_refused(work, refusals)
        if adds_up and failed and len(refusals) == failed:
            return Finished(job=job_id, rejected=rejected, withheld=withheld)
        # Further rows failed or were not processed, and it is unknown which: all others are sent again, which does not
        # change contacts that arrived.
        if refusals:
            rest = [at for at in sent if at not in refusals]
            return Finished(job=job_id, rejected=rejected, resend=rest, withheld=withheld)
        reason = f"the import ended with {processed} records processed and {failed} failed, of {len(sent)}"
        return Finished(job=job_id, unresolved=True, reason=reason, withheld=withheld)

    def _poll_again(self, job_id: str) -> dict[str, Any]:
        """The counters of a job that has ended; none if Amazon SES no longer shows it."""
        try:
            return _counters(self.ses_list.writer.job(job_id))
        except NotFound:
            return {"processed": None, "failed": None}

    def _failed(self, work: Work, job_id: str, ended: dict[str, Any]) -> Finished:
        """The end of a job that failed as a whole: some of its rows may have arrived."""
        if ended["cause"] == "unreadable" and not work.resumed:
            raise ConfigurationError(
                f"Setting `ses_s3_bucket`: Amazon SES could not read the object of import job {job_id} in the bucket "
                f"{self.stage.bucket.name!r}. Check that the bucket's policy allows s3:GetObject to ses.amazonaws.com, "
                "that a key of AWS KMS allows it kms:Decrypt, and that the bucket is in the region of `ses_regions`. "
                "Or the object was deleted meanwhile, which S3 only shows to credentials with s3:ListBucket."
            )
        if ended["cause"] is not None:
            return Finished(job=job_id, resend=work.sent, withheld=work.withheld)
        reason = f"the import ended in {ended['status']} without naming rows"
        return Finished(job=job_id, unresolved=True, reason=reason, withheld=work.withheld)

    def _refusals(self, work: Work, job_id: str) -> dict[int, Refusal]:
        """The refusals in the file of failed records, by position; none if there is no file or it cannot be read."""
        by_address = {work.rows[at].address: at for at in work.sent}
        try:
            url = self.ses_list.writer.job(job_id).failures
        except (NotFound, RequestRefused, PermissionDenied):
            return {}
        try:
            content = self.stage.bucket.read_signed(url) if url else b""
        except MailingError as error:  # the URL has credentials of its own, and its host must not stop all runs
            cause = str(error).removesuffix(error.advice)
            logger.warning(
                "Import job %s: could not read its failed-records file; treating it as missing: %s", job_id, cause
            )
            return {}
        addresses = NamedAddresses(work.rows[at].email for at in by_address.values())
        reasons = refused_rows(content, addresses, is_counted=True)
        return {by_address[address]: Refusal("refused_by_provider", reason) for address, reason in reasons.items()}

    def _still_refused(self, work: Work, refusals: dict[int, Refusal]) -> dict[int, Refusal]:
        """The refusals without those of removals whose contact no longer exists, as the rows request."""
        if work.action != ACTIONS.remove:
            return refusals
        rows = [work.rows[at] for at in refusals]
        is_removed = dict(zip(refusals, self.ses_list.arrived(rows, work.action), strict=True))
        return {at: refusal for at, refusal in refusals.items() if not is_removed[at]}


def _object(noted: Mapping[str, Any]) -> dict[str, str]:
    """The object of some evidence; an earlier version may have noted no bucket."""
    return {name: str(noted[name]) for name in ("key", "bucket") if name in noted}


def _counters(job: Job) -> dict[str, Any]:
    """A job's counters, for evidence, without the URL of the failed records, which is a secret."""
    return {"processed": job.processed, "failed": job.failed, "failures": bool(job.failures or job.error)}


def _is_uncounted(ended: Mapping[str, Any]) -> bool:
    """Whether a job that has ended shows no counters."""
    return ended["processed"] is None and ended["failed"] is None


def _with_case(row: EncodedContact, letters: Sequence[int]) -> EncodedContact:
    """A row with its address in Amazon SES's letter case."""
    return msgspec.structs.replace(row, email=with_case(row.email, letters)) if letters else row
