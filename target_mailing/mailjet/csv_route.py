"""The steps of Mailjet's CSV route: consent (removals only), upload, import, follow, errors."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailing_api.errors import NotFound, ProviderFault, RequestRefused, UnreadableAnswer
from mailing_api.mailjet.client import MailjetClient
from mailing_api.values import integer
from target_mailing.delivery.named_addresses import NamedAddresses
from target_mailing.delivery.row_size import is_large, too_large
from target_mailing.destination import Again, Done, Finished, Progress, Refusal, Step, Work
from target_mailing.mailjet.csv_file import CsvErrors, errors_of, write
from target_mailing.mailjet.json_route import JOB_APPEARS_WITHIN, is_near, refused
from target_mailing.mailjet.read_back import judged_by_count
from target_mailing.mailjet.refusals import UnknownProperties, is_unknown_property

__all__ = ["FollowImport", "Import", "ReadImportErrors", "Upload"]


@dataclass(frozen=True)
class Upload(Step):
    """Uploads the file, under the path of a list. A second upload only leaves a file that nobody uses."""

    client: MailjetClient
    list_id: int
    datatypes: Mapping[str, str]
    unknown_properties: UnknownProperties
    name = "upload"

    def run(self, work: Work) -> Progress:
        """Upload once."""
        file = write([work.rows[at].contact for at in work.sent], self.datatypes)
        try:
            return Done({"data": self.client.upload_csv(file.content, list_id=self.list_id), "options": file.options})
        except RequestRefused as error:
            return refused(work, error, self.unknown_properties)
        except ProviderFault as error:
            sent = work.sent
            size = len(work.rows[sent[0]].contact)
            if error.status is not None or (len(sent) == 1 and not is_large(size, 0)):
                raise
            # The connection may be cut because the file is too large: not so if nothing else is answered either.
            self.client.page("csvimport", {"Limit": 1})
            if len(sent) == 1:
                refusal = too_large(size, "the connection was cut each time")
                return Finished(rejected={sent[0]: refusal}, withheld=work.withheld)
            return Finished(unresolved=True, reason="the upload was cut off again and again", withheld=work.withheld)


@dataclass(frozen=True)
class Import(Step):
    """Starts the job. Not repeatable; what a second import of the same file does is unverified, too."""

    client: MailjetClient
    list_id: int | None
    unknown_properties: UnknownProperties
    name = "import"
    repeatable = False
    again_from = "upload"

    def run(self, work: Work) -> Progress:
        """Post the import of the file uploaded."""
        uploaded = work.evidence["upload"]
        try:
            job = self.client.start_import(
                uploaded["data"], method=work.action, list_id=self.list_id, options=uploaded["options"]
            )
        except RequestRefused as error:
            return refused(work, error, self.unknown_properties)
        return Done({"job": job})

    def recover(self, work: Work) -> Done | None:
        """Adopt the one job that imports the file uploaded, fits list, method and time, and is nobody else's."""
        uploaded = work.evidence.get("upload")
        if uploaded is None:
            return None
        ours = {noted.get("job") for noted in work.known}
        of_list = {} if self.list_id is None else {"RefID": self.list_id}
        found = [
            job
            for row in self.client.page("batchjob", {**of_list, "Sort": "ID DESC", "Limit": 100})
            if integer(row.get("DataID")) == uploaded["data"]
            and (self.list_id is None or integer(row.get("RefId")) == self.list_id)
            and str(row.get("Method", "")).lower() == work.action
            and (job := integer(row.get("ID"))) not in ours
            and is_near(row, work.begun_at)
        ]
        return Done({"job": found[0]}, certain=True) if len(found) == 1 else None


@dataclass(frozen=True)
class FollowImport(Step):
    """Looks at the job until it has ended."""

    client: MailjetClient
    name = "follow"
    watches = True

    def run(self, work: Work) -> Progress:
        """Look once."""
        job_id = int(work.evidence["import"]["job"])
        try:
            job = self.client.csv_import(job_id)
        except NotFound:
            if time.time() - work.begun_at < JOB_APPEARS_WITHIN:
                return Again()
            reason = "the import is unknown to Mailjet"
            return Finished(job=str(job_id), unresolved=True, reason=reason, withheld=work.withheld)
        if not job.is_terminal:
            return Again()
        if job.status == "completed" and job.errors == 0:
            if job.count is None or job.count >= len(work.sent):
                return Finished(job=str(job_id), withheld=work.withheld)
            return Done({"status": job.status, "errors": 0, "count": job.count})
        return Done({"status": job.status, "errors": job.errors})


@dataclass(frozen=True)
class ReadImportErrors(Step):
    """Reads the job's error file into row outcomes, and compares their number with the one that Mailjet tells.

    Rows go again for a while of which it says that a property is unknown, since that passes. Contacts are looked for
    where it tells of no errors, and of fewer rows than it was given.
    """

    client: MailjetClient
    unknown_properties: UnknownProperties
    lists: Sequence[int]
    name = "errors"

    def run(self, work: Work) -> Progress:
        """Read the file."""
        job_id = int(work.evidence["import"]["job"])
        status, errors = work.evidence["follow"]["status"], work.evidence["follow"]["errors"] or 0
        if (count := work.evidence["follow"].get("count")) is not None:
            return judged_by_count(self.client, self.lists, work, str(job_id), count)
        sent = work.sent
        told = self._errors(job_id, NamedAddresses(work.rows[at].email for at in sent))
        named = {} if told is None else told.named
        refusals = {
            at: Refusal("refused_by_provider", named[work.rows[at].address])
            for at in sent
            if work.rows[at].address in named
        }
        is_whole = told is not None and not told.others and status == "completed" and len(refusals) >= errors
        # Mappings have seen to it that all properties of the rows are defined.
        passing = [at for at in refusals if is_unknown_property(refusals[at].reason)]
        if passing and not self.unknown_properties.wait(refusals[passing[0]].reason):
            passing = []
        # Where some rows failed, or were not reached, and nobody says which, all others go again, which changes nothing
        # for those that arrived.
        if refusals or is_whole:
            rest = passing if is_whole else [at for at in sent if at not in refusals or at in passing]
            refusals = {at: refusal for at, refusal in refusals.items() if at not in passing}
            return Finished(job=str(job_id), rejected=refusals, resend=rest, withheld=work.withheld)
        reason = f"the import ended in {status} with {errors} errors, without naming rows"
        return Finished(job=str(job_id), unresolved=True, reason=reason, withheld=work.withheld)

    def _errors(self, job_id: int, addresses: NamedAddresses) -> CsvErrors | None:
        """What the file says; nothing if there is no file, None if it cannot be read."""
        try:
            return errors_of(self.client.csv_errors(job_id), addresses)
        except NotFound:
            return CsvErrors({}, 0)
        except UnreadableAnswer as error:
            if error.status != 404:  # an answer without a word of Mailjet's: the counts of the job tell more
                raise
            return CsvErrors({}, 0)
        except RequestRefused:
            return None
