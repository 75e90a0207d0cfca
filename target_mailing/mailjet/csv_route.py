"""The steps of Mailjet's CSV route: consent (removals only), upload, import, follow, errors."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailing_api.errors import MailingError, NotFound, ProviderFault, RequestRefused, UnreadableAnswer
from mailing_api.mailjet.client import MailjetClient
from mailing_api.mailjet.jobs import CsvImport
from target_mailing.delivery.freshness import is_outdated
from target_mailing.delivery.jobs import FollowJob
from target_mailing.delivery.named_addresses import NamedAddresses
from target_mailing.delivery.row_size import is_large, too_large
from target_mailing.interface.destination import Again, Candidate, Done, Finished, Progress, Step, Work
from target_mailing.mailjet.actions import ACTIONS
from target_mailing.mailjet.bulk_jobs import ReadErrors, completed, matching_jobs, postponed, refused
from target_mailing.mailjet.csv_file import errors_of, write
from target_mailing.mailjet.foreseen import ForeseenOptOuts
from target_mailing.mailjet.refusals import UnknownProperties

__all__ = ["FollowImport", "Import", "ReadImportErrors", "Upload"]


@dataclass(frozen=True)
class Upload(Step):
    """Uploads the file, under the path of a list. A second upload only leaves an unused file behind."""

    client: MailjetClient
    list_id: int
    datatypes: Mapping[str, str]
    unknown_properties: UnknownProperties
    name = "upload"

    def run(self, work: Work) -> Progress:
        """Upload once."""
        sent = work.sent
        contents = [contact.content for contact in work.contacts]
        size = len(contents[0])
        file = write(contents, self.datatypes)
        try:
            return Done({"data": self.client.upload_csv(file.content, list_id=self.list_id), "options": file.options})
        except RequestRefused as error:
            return refused(work, error, self.unknown_properties)
        except ProviderFault as error:
            if error.status is not None or (len(sent) == 1 and not is_large(size, 0)):
                raise
        # The connection may be cut because the file is too large, but only if Mailjet answers another call.
        self.client.page("csvimport", {"Limit": 1})
        if len(sent) == 1:
            refusal = too_large(size, "the connection was cut each time")
            return Finished(rejected={sent[0]: refusal}, withheld=work.withheld)
        return Finished(unresolved=True, reason="the connection was cut at each upload", withheld=work.withheld)


@dataclass(frozen=True)
class Import(Step):
    """Starts the job. Not repeatable; the effect of a second import of the same file is unverified, too.

    The call of a removal is made once after each reading of consent that is not outdated.
    """

    client: MailjetClient
    list_id: int | None
    unknown_properties: UnknownProperties
    foreseen: ForeseenOptOuts
    again_from: str
    name = "import"
    repeatable = False

    def run(self, work: Work) -> Progress:
        """Post the import of the uploaded file."""
        uploaded, is_removal = work.evidence["upload"], work.action == ACTIONS.remove
        if is_outdated(work.evidence, time.time()):  # the upload took long
            return Again(0.0, rewind=True)
        try:
            job = self.client.start_import(
                uploaded["data"],
                method=work.action,
                list_id=self.list_id,
                options=uploaded["options"],
                once=is_removal,
            )
        except RequestRefused as error:
            return refused(work, error, self.unknown_properties)
        except MailingError as error:
            if not is_removal:
                raise
            return postponed(self.client, work, error)
        return Done({"job": job})

    def foresee(self, work: Work) -> Progress:
        """As for JSON jobs."""
        self.foreseen.note(work)
        return Done({})

    def recover(self, work: Work) -> Sequence[Candidate]:
        """The jobs that import the uploaded file."""
        uploaded = work.evidence.get("upload", {}).get("data")
        if uploaded is None:
            return ()
        return [
            Candidate(job=job.job, evidence={"job": job.evidence["job"]}, is_certain=True)
            for job, file in matching_jobs(self.client, work, self.list_id)
            if file == uploaded
        ]


@dataclass(frozen=True)
class FollowImport(FollowJob[CsvImport]):
    """Polls the import until it has ended."""

    client: MailjetClient
    started_by = "import"

    def read(self, job_id: str) -> CsvImport:
        """The import."""
        return self.client.csv_import(int(job_id))

    def foresee(self, work: Work) -> Progress:
        """The job completes without errors."""
        return Finished(withheld=work.withheld)

    def ended(self, job_id: str, job: CsvImport, work: Work) -> Progress:
        """Finish if nothing went wrong; else note how the import ended."""
        noted = {"status": job.status, "errors": job.errors}
        is_good = job.status == "completed" and job.errors == 0
        return completed(work, job_id, noted, job.count) if is_good else Done(noted)


@dataclass(frozen=True)
class ReadImportErrors(ReadErrors):
    """Reads the error file of an import, and compares the number of its rows with Mailjet's count."""

    started_by = "import"

    def read(self, job_id: int, work: Work) -> tuple[Mapping[str, str], bool]:
        """The rows that the file names; nothing if there is no file."""
        addresses = NamedAddresses(work.rows[position].email for position in work.sent)
        is_completed = work.evidence["follow"]["status"] == "completed"
        try:
            errors = errors_of(self.client.csv_errors(job_id), addresses)
        except NotFound:
            return {}, is_completed
        except UnreadableAnswer as error:
            if error.status != 404:  # an answer that is not Mailjet's own: the counts of the job say more
                raise
            return {}, is_completed
        except RequestRefused:
            return {}, False
        return errors.named, is_completed and not errors.others

    def cause(self, ended: Mapping[str, Any]) -> str:
        """Names no rows."""
        return f"the import ended in {ended['status']} with {ended['errors'] or 0} errors, without naming rows"
