"""Mailjet's bulk jobs, by JSON or CSV: refused, found after a lost reply, and their errors read into row outcomes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mailing_api.errors import MailingError, RequestRefused
from mailing_api.mailjet.answers import Row
from mailing_api.mailjet.client import MailjetClient
from mailing_api.mailjet.jobs import CsvImport
from mailing_api.values import integer
from target_mailing.delivery.freshness import later
from target_mailing.delivery.jobs import is_near
from target_mailing.delivery.row_size import too_large
from target_mailing.interface.destination import Again, Candidate, Done, Finished, Progress, Refusal, Step, Work
from target_mailing.mailjet.read_back import judged_by_count
from target_mailing.mailjet.refusals import UnknownProperties, is_unknown_property

__all__ = ["ReadErrors", "completed", "matching_jobs", "postponed", "refused"]

#: Jobs that are looked at after a lost reply, the newest: as many as one call lists.
_MOST_JOBS: Final = 1000


def refused(work: Work, error: RequestRefused, unknown_properties: UnknownProperties) -> Finished | Again:
    """The end of a batch whose call was refused as a whole: nothing was done, and the refusal names no row.

    The call is repeated for a while if Mailjet reports a property as unknown, since all of them are defined.
    """
    if is_unknown_property(error.said) and unknown_properties.wait(error.said):
        return Again(0.0)
    sent = work.sent
    if error.status == 413 and len(sent) == 1:
        refusal = too_large(len(work.rows[sent[0]].content), f"refused with HTTP {error.status}")
        return Finished(rejected={sent[0]: refusal}, withheld=work.withheld)
    reason = f"the call was refused ({error.code_or_status})"
    return Finished(unresolved=True, reason=reason, withheld=work.withheld)


def postponed(client: MailjetClient, work: Work, error: MailingError) -> Again:
    """The call of a removal failed, certainly without effect: take the step again, after consent if that is outdated.

    Raises:
        MailingError: that error, if it is not temporary, or after the last attempt.
    """
    seconds = None if error.maybe_done else client.delay(error, work.polls + 1)
    if seconds is None:
        raise error
    return later(work, error, seconds)


def matching_jobs(client: MailjetClient, work: Work, list_id: int | None) -> Iterator[tuple[Candidate, int | None]]:
    """Jobs that the step may have started, the newest first, each with the ID of the file that it imports.

    They have the list, action and time of the step, and belong to no other batch in the journal.
    """
    others = {noted.get("job") for noted in work.known}
    of_list = {} if list_id is None else {"RefID": list_id}
    for row in client.page("batchjob", {**of_list, "Sort": "ID DESC", "Limit": _MOST_JOBS}):
        job = integer(row.get("ID"))
        if (
            job is not None
            and job not in others
            and (list_id is None or integer(row.get("RefId")) == list_id)
            and str(row.get("Method", "")).lower() == work.action
            and is_near(work, row.get("RequestAt"), row.get("JobStart"))
        ):
            yield _candidate(job, row), integer(row.get("DataID"))


def _candidate(job: int, row: Row) -> Candidate:
    """A job as the listing shows it; whether its count is complete before its end is unverified."""
    shown = CsvImport.of(row)
    return Candidate(
        job=str(job),
        evidence={"job": job, "adopted": True},
        has_ended=shown.is_terminal,
        is_clean=shown.status == "completed" and not shown.errors,
        count=shown.count or None,
    )


def completed(work: Work, job_id: str, noted: Mapping[str, Any], count: int | None) -> Done | Finished:
    """The end of a job that reports no error: all rows arrived, unless the job counts too few of them."""
    if count is None or count >= len(work.sent):
        return Finished(job=job_id, withheld=work.withheld)
    return Done({**noted, "count": count})


@dataclass(frozen=True)
class ReadErrors(Step):
    """Reads the job's error file into row outcomes; or checks contacts, if the job succeeded but counts too few.

    Rows whose property is reported as unknown are sent again for a while, since all properties are defined. Whether
    the good rows of a failed job were imported is unverified: they are sent again, which changes nothing if they were.

    Attributes:
        lists: the lists that the batch went to.
    """

    client: MailjetClient
    unknown_properties: UnknownProperties
    lists: Sequence[int]
    name = "errors"
    started_by = "submit"
    uses_changed = True

    def run(self, work: Work) -> Progress:
        """Read the file."""
        job_id = str(work.evidence[self.started_by]["job"])
        ended = work.evidence["follow"]
        if (count := ended.get("count")) is not None:
            return judged_by_count(self.client, self.lists, work, job_id, count)
        named, is_complete = self.read(int(job_id), work)
        sent, withheld = work.sent, work.withheld
        refusals = {
            position: Refusal("refused_by_provider", named[work.rows[position].address])
            for position in sent
            if work.rows[position].address in named
        }
        is_complete = is_complete and len(refusals) >= (ended.get("errors") or 0)
        retried = self.unknown_properties.retried(refusals)
        is_passing = bool(ended.get("unknown_property")) and not refusals and self.unknown_properties.wait("job")
        if not (refusals or is_complete or is_passing):
            return Finished(job=job_id, unresolved=True, reason=self.cause(ended), withheld=withheld)
        rejected = {position: refusal for position, refusal in refusals.items() if position not in retried}
        resend = retried if is_complete else [position for position in sent if position not in rejected]
        return Finished(job=job_id, rejected=rejected, resend=resend, withheld=withheld)

    @abstractmethod
    def read(self, job_id: int, work: Work) -> tuple[Mapping[str, str], bool]:
        """The rows that the error file names: folded address -> reason; and whether it may name all rows in error."""

    @abstractmethod
    def cause(self, ended: Mapping[str, Any]) -> str:
        """How the job ended, for rows that it does not name."""
