"""The steps of Amazon SES's import jobs: consent (removals only), plan, upload, submit, follow, clear, outcome.

An object has a name that no other has, and a job tells which object it reads. So a job is found again for certain.
"""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Mapping, Sequence
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
from target_mailing.contacts.effects import Effect, as_positions, as_ranges
from target_mailing.delivery.error_reports import refused_rows
from target_mailing.delivery.jobs import FollowJob, is_near
from target_mailing.delivery.named_addresses import NamedAddresses
from target_mailing.destination import Again, Done, Finished, Progress, Refusal, Step, Work
from target_mailing.row import Row
from target_mailing.ses.list import ACTIONS, SesList, respelled
from target_mailing.ses.stage import Stage

__all__ = [
    "SLOT_WAIT",
    "Clear",
    "Consent",
    "Follow",
    "Outcome",
    "Plan",
    "Submit",
    "SubmitKnown",
    "Upload",
]

logger = logging.getLogger("target-mailing.ses")

#: Seconds after which it is tried again where as many jobs are under way as there may be.
SLOT_WAIT: Final = 20.0
#: Looks at a job that has ended, and does not tell how many records it processed, nor how many failed.
_MORE_LOOKS: Final = 2
#: Runs of rows with the same effect that are noted at most.
_MOST_RANGES: Final = 5000
#: What a failed job says if Amazon SES may not read the object; AWS publishes no wording.
_says_unreadable = re.compile(
    r"access.?denied|forbidden|permission|not authori[sz]ed|unable to (read|access)|kms|NoSuchBucket", re.IGNORECASE
).search


@dataclass(frozen=True)
class Consent(Step):
    """Holds back who opted out, if removing them would erase that, and who is not there; `ask` only looks."""

    place: SesList
    name = "consent"

    def run(self, work: Work) -> Progress:
        """Look for all of them."""
        is_removal = work.action == ACTIONS.remove
        found = self.place.hold_back(work.rows) if is_removal else self.place.look(work.rows)
        withheld, absent = list(found.withheld), list(found.absent)
        if work.action == ACTIONS.decline:
            withheld = []
        if work.action == ACTIONS.ask or len(withheld) + len(absent) + len(found.refused) == len(work.rows):
            return Finished(withheld=withheld, rejected=found.refused)
        noted = {"withheld": withheld, "absent": absent, "spelled": [[at, one] for at, one in found.spelled.items()]}
        return Done(noted, refused=found.refused)


@dataclass(frozen=True)
class Plan(Step):
    """Names the object before it is there, so that whoever goes on with the batch can delete it."""

    stage: Stage
    name = "plan"

    def run(self, work: Work) -> Progress:  # noqa: ARG002 - nothing depends on it
        """Name it."""
        return Done({"key": self.stage.new_key(), "bucket": self.stage.bucket.name})


@dataclass(frozen=True)
class Upload(Step):
    """Reads what is there, and writes the object: what each contact is to be then. One more object does no harm."""

    place: SesList
    stage: Stage
    name = "upload"

    def run(self, work: Work) -> Progress:
        """Write one object."""
        spelled = dict(work.evidence.get("consent", {}).get("spelled", ()))
        sent, effects, failing = work.sent, dict[int, Effect](), dict[int, Refusal]()
        rows = [_as_spelled(work.rows[at], spelled.get(at, ())) for at in sent]
        self.stage.bucket.put(work.evidence["plan"]["key"], self.place.lines(rows, work.action, effects, failing))
        refused = {sent[at]: refusal for at, refusal in failing.items()}
        if len(refused) == len(sent):
            self.undo(work)
            return Finished(rejected=refused, withheld=work.withheld)
        noted = {
            str(effect): ranges
            for effect in {*effects.values()}
            if len(ranges := as_ranges(sent[at] for at, one in sorted(effects.items()) if one is effect))
            <= _MOST_RANGES
        }
        return Done(work.evidence["plan"] | ({"effects": noted} if noted else {}), refused=refused)

    def undo(self, work: Work) -> None:
        """Delete it: no job is to read it any more."""
        if "plan" in work.evidence:
            self.stage.clear(**work.evidence["plan"])


@dataclass(frozen=True)
class Submit(Step):
    """Starts the job. Not repeatable: a second call would start a second job."""

    place: SesList
    stage: Stage
    name = "submit"
    repeatable = False
    again_from = "plan"

    def run(self, work: Work) -> Progress:
        """Start it, or wait until that can be done; who opted out is looked up anew then."""
        key = work.evidence["upload"]["key"]
        try:
            return Done({"job": self.place.writer.create_job(self.place.destination(work.action), self.stage.url(key))})
        except MailingError as error:
            if not error.maybe_done:
                self.stage.clear(key)  # no job will read it
            if not _passes(error):
                raise
            logger.info("An import job is not started yet, and what it is to read is read anew: %s", error)
            return Again(max(error.retry_after or 0.0, SLOT_WAIT * random.uniform(0.8, 1.2)), rewind=True)  # noqa: S311

    def recover(self, work: Work) -> Done | None:
        """Adopt the job that reads this batch's object. If there is none, the object goes, so that none comes to be."""
        uploaded = work.evidence.get("upload")
        if uploaded is None:
            return None
        ours = {noted.get("job") for noted in work.known}
        client, region = self.place.writer.client, self.place.writer.region
        for page in client.import_jobs(region, destination=self.place.kind):
            for row in page:
                job = str(row.get("JobId"))
                if job in ours or not is_near(work.begun_at, row.get("CreatedTimestamp")):
                    continue
                with suppress(NotFound):
                    if self.place.writer.job(job).source == self.stage.url(**_object(uploaded)):
                        return Done({"job": job}, certain=True)
        self.stage.clear(**_object(uploaded))
        return None


class SubmitKnown(Submit):
    """The same where it concerns only who is there: who opted out or came meanwhile is found by asking again."""

    again_from = "consent"


def _passes(error: MailingError) -> bool:
    """Whether a job was certainly not started, and may be later: too many are under way, or calls made."""
    if isinstance(error, RequestRefused):
        return is_full(error)
    return isinstance(error, RateLimited) or (isinstance(error, ProviderFault) and not error.maybe_done)


@dataclass(frozen=True)
class Follow(FollowJob[Job]):
    """Polls the job until it has ended."""

    place: SesList
    stage: Stage

    def read(self, job_id: str) -> Job:
        """The job."""
        return self.place.writer.job(job_id)

    def lost(self, job_id: str, work: Work) -> Progress:  # noqa: ARG002 - the outcome follows from the status
        """Note that Amazon SES does not show the job."""
        return Done({"status": "unknown", "cause": None})

    def ended(self, job_id: str, job: Job, work: Work) -> Progress:  # noqa: ARG002 - the job says all
        """Note how the job ended."""
        cause = None if job.status == COMPLETED else self._cause(work, job)
        return Done({"status": job.status, "cause": cause, **told_by(job)})

    def _cause(self, work: Work, job: Job) -> Literal["gone", "unreadable"] | None:
        """Why a job failed that could not read its object, if that is why."""
        if job.processed:
            return None
        try:
            if not self.stage.has(**_object(work.evidence["upload"])):
                return "gone"
        except PermissionDenied:
            pass  # then nobody can tell
        return "unreadable" if _says_unreadable(job.error) else None


@dataclass(frozen=True)
class Clear(Step):
    """Deletes the object: it holds contact data, and nobody reads it any more."""

    stage: Stage
    name = "clear"

    def run(self, work: Work) -> Progress:
        """Delete it."""
        self.stage.clear(**_object(work.evidence["upload"]))
        return Done({})


@dataclass(frozen=True)
class Outcome(Step):
    """Compares the job's counters with what was sent, and reads the file of failed records into row outcomes."""

    place: SesList
    stage: Stage
    name = "outcome"

    def run(self, work: Work) -> Progress:
        """Tell how the rows ended."""
        found = self._judged(work)
        noted = work.evidence["upload"].get("effects")
        if not noted or not isinstance(found, Finished):
            return found
        effects = {at: Effect(name) for name, ranges in noted.items() for at in as_positions(ranges)}
        return msgspec.structs.replace(found, effects=effects)

    def _judged(self, work: Work) -> Progress:
        ended, job_id = work.evidence["follow"], str(work.evidence["submit"]["job"])
        if ended["status"] != COMPLETED:
            return self._failed(work, job_id, ended)
        if is_uncounted(ended):
            ended = self._looked_again(job_id)
            if is_uncounted(ended) and work.polls < _MORE_LOOKS - 1:
                return Again()
        sent, withheld = work.sent, work.withheld
        processed, failed = ended["processed"], ended["failed"]
        # Whether those that failed are among those processed is unverified.
        adds_up = not is_uncounted(ended) and processed in {None, len(sent), len(sent) - (failed or 0)}
        has_failures = bool(failed or ended.get("failures"))
        if adds_up and not has_failures:
            return Finished(job=job_id, withheld=withheld)
        refusals = self._refusals(work, job_id) if has_failures else {}
        if failed is not None and len(refusals) > failed:
            refusals = {}  # it is read wrongly
        rejected = self._still_refused(work, refusals)
        if adds_up and failed and len(refusals) == failed:
            return Finished(job=job_id, rejected=rejected, withheld=withheld)
        # Some rows failed, or were not reached, and nobody says which: all others go again, which changes nothing
        # for those that arrived.
        if refusals:
            rest = [at for at in sent if at not in refusals]
            return Finished(job=job_id, rejected=rejected, resend=rest, withheld=withheld)
        reason = f"the import ended with {processed} records processed and {failed} failed, of {len(sent)}"
        return Finished(job=job_id, unresolved=True, reason=reason, withheld=withheld)

    def _looked_again(self, job_id: str) -> dict[str, Any]:
        """What a job that has ended tells now; nothing if it is not there any more."""
        try:
            return told_by(self.place.writer.job(job_id))
        except NotFound:
            return {"processed": None, "failed": None}

    def _failed(self, work: Work, job_id: str, ended: dict[str, Any]) -> Finished:
        """A job that ended badly as a whole: some of its rows may have arrived."""
        withheld = work.withheld
        if ended["cause"] == "unreadable" and not work.resumed:
            raise ConfigurationError(
                f"Setting `ses_s3_bucket`: Amazon SES could not read what was put into the bucket "
                f"{self.stage.bucket.name!r} (import job {job_id}). The bucket's policy must let ses.amazonaws.com do "
                "s3:GetObject there, and a key of AWS KMS must let it do kms:Decrypt; the bucket must be in the region "
                "of `ses_regions`. Or the object was deleted meanwhile, which S3 tells only whoever has s3:ListBucket."
            )
        if ended["cause"] is not None:
            return Finished(job=job_id, resend=work.sent, withheld=withheld)
        reason = f"the import ended in {ended['status']} without naming rows"
        return Finished(job=job_id, unresolved=True, reason=reason, withheld=withheld)

    def _refusals(self, work: Work, job_id: str) -> dict[int, Refusal]:
        """By position, what the file says; nothing where there is none, or it cannot be had."""
        by_address = {work.rows[at].address: at for at in work.sent}
        try:
            url = self.place.writer.job(job_id).failures
        except (NotFound, RequestRefused, PermissionDenied):
            return {}
        try:
            content = self.stage.bucket.read_signed(url) if url else b""
        except MailingError as error:  # the URL's credentials are not ours, and its host is not to stop us for ever
            cause = str(error).removesuffix(error.advice)
            logger.warning("Import job %s: its file of failed records counts as missing: %s", job_id, cause)
            return {}
        addresses = NamedAddresses(work.rows[at].email for at in by_address.values())
        named = refused_rows(content, addresses, is_counted=True)
        return {by_address[address]: Refusal("refused_by_provider", said) for address, said in named.items()}

    def _still_refused(self, work: Work, refusals: dict[int, Refusal]) -> dict[int, Refusal]:
        """Without removals of addresses that are gone, which fail, and are what was wanted."""
        if work.action != ACTIONS.remove:
            return refusals
        rows = [work.rows[at] for at in refusals]
        is_gone = dict(zip(refusals, self.place.arrived(rows, work.action), strict=True))
        return {at: refusal for at, refusal in refusals.items() if not is_gone[at]}


def _object(noted: Mapping[str, Any]) -> dict[str, str]:
    """The object that evidence names; one of an earlier version may name no bucket."""
    return {name: str(noted[name]) for name in ("key", "bucket") if name in noted}


def told_by(job: Job) -> dict[str, Any]:
    """What a job tells of its records, to be noted; never the URL of those that failed."""
    return {"processed": job.processed, "failed": job.failed, "failures": bool(job.failures or job.error)}


def is_uncounted(ended: Mapping[str, Any]) -> bool:
    """Whether a job that has ended tells nothing of its records."""
    return ended["processed"] is None and ended["failed"] is None


def _as_spelled(row: Row, letters: Sequence[int]) -> Row:
    """A row whose address is spelled as Amazon SES does."""
    return msgspec.structs.replace(row, email=respelled(row.email, letters)) if letters else row
