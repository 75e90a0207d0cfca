"""Writes to Amazon SES in one region: import jobs, single contacts, single suppressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from mailing_api.errors import MailingError, NotFound, RequestRefused, UnreadableAnswer
from mailing_api.ses.answers import Row
from mailing_api.ses.client import SesClient
from mailing_api.ses.operations import (
    CREATE_CONTACT,
    CREATE_CONTACT_LIST,
    CREATE_IMPORT_JOB,
    DELETE_CONTACT,
    DELETE_SUPPRESSED_DESTINATION,
    GET_IMPORT_JOB,
    PUT_SUPPRESSED_DESTINATION,
    UPDATE_CONTACT,
    Operation,
)
from mailing_api.ses.words import has_ended, job_status
from mailing_api.values import count, is_identifier

__all__ = ["Job", "SesWriter"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An import job, from GetImportJob.

    Attributes:
        status: as `job_status` returns it.
        is_terminal: it can no longer change.
        processed: records processed, or None; whether they include those that failed is unverified.
        failed: records that failed, or None.
        source: the URL of its object; "" if unknown.
        error: why it failed; "" if unknown. It may quote addresses.
        failures: the URL of the file of failed records, "" for none. It is a secret.
    """

    status: str
    is_terminal: bool
    processed: int | None
    failed: int | None
    source: str
    error: str
    failures: str

    @property
    def progress(self) -> tuple[str, int | None, int | None]:
        """How far it is: this changes only when the job moves on."""
        return self.status, self.processed, self.failed

    @classmethod
    def of(cls, row: Row) -> Job:
        """Read a job from a response.

        Raises:
            ValueError: a number of records is no count: it might say that records failed.
        """
        failure = row.get("FailureInfo") or {}
        return cls(
            status=job_status(row),
            is_terminal=has_ended(row),
            processed=count(row.get("ProcessedRecordsCount")),
            failed=count(row.get("FailedRecordsCount")),
            source=str((row.get("ImportDataSource") or {}).get("S3Url") or ""),
            error=str(failure.get("ErrorMessage") or ""),
            failures=str(failure.get("FailedRecordsS3Url") or ""),
        )


@dataclass(frozen=True)
class SesWriter:
    """The calls that write, in one region."""

    client: SesClient
    region: str

    def create_list(self, name: str) -> None:
        """Create a contact list without topics."""
        self.client.call(self.region, CREATE_CONTACT_LIST, {"ContactListName": name})

    # Import jobs

    def create_job(self, destination: Mapping[str, Any], url: str) -> str:
        """Start an import of JSON lines; return its ID.

        Args:
            destination: AWS's `ImportDestination`.
            url: of the object, `s3://…`.

        Raises:
            RequestRefused: with code `LimitExceededException`, too many jobs are running.
        """
        source = {"S3Url": url, "DataFormat": "JSON"}
        members = {"ImportDestination": destination, "ImportDataSource": source}
        answer = self.client.call(self.region, CREATE_IMPORT_JOB, members)
        if not is_identifier(answer.get("JobId")):
            raise UnreadableAnswer("Amazon SES: CreateImportJob: the response has no JobId.", maybe_done=True)
        return str(answer["JobId"])

    def job(self, job: str) -> Job:
        """Return a job."""
        return self.client.read(self.region, GET_IMPORT_JOB, {"JobId": job}, Job.of)

    # Contacts

    def create_contact(self, contact_list: str, email: str, members: Mapping[str, Any]) -> bool:
        """Create a contact; return False if it exists."""
        named = {"ContactListName": contact_list, "EmailAddress": email}
        try:
            self.client.call(self.region, CREATE_CONTACT, {**named, **members})
        except RequestRefused as error:
            if error.code != "AlreadyExistsException":
                raise
            return False
        return True

    def update_contact(self, contact_list: str, read_members: Callable[[], Mapping[str, Any] | None]) -> bool:
        """Replace a contact: attributes and opt-outs that are not among the members are lost.

        A failed call is not retried unchanged: another program may have written meanwhile, perhaps an opt-out.

        Args:
            contact_list: its list.
            read_members: reads the present contact before each attempt and returns all members; None to write nothing.

        Returns:
            whether it was written: not if the contact does not exist, or there is nothing to write.
        """
        return self._with_fresh(UPDATE_CONTACT, {"ContactListName": contact_list}, read_members)

    def delete_contact(self, contact_list: str, read_members: Callable[[], Mapping[str, Any] | None]) -> bool:
        """Delete a contact with its opt-outs; arguments and result as for `update_contact`."""
        return self._with_fresh(DELETE_CONTACT, {"ContactListName": contact_list}, read_members)

    def _with_fresh(
        self, operation: Operation, place: Mapping[str, str], read_members: Callable[[], Mapping[str, Any] | None]
    ) -> bool:
        attempt = 0
        while (members := read_members()) is not None:
            attempt += 1
            try:
                self.client.call(self.region, operation, {**place, **members})
            except NotFound:
                return False
            except MailingError as error:
                self.client.rest(self.region, error, attempt)
            else:
                return True
        return False

    # Suppressions

    def suppress(self, email: str, reason: str) -> None:
        """Put an address on the suppression list, or change its reason."""
        self.client.call(self.region, PUT_SUPPRESSED_DESTINATION, {"EmailAddress": email, "Reason": reason})

    def unsuppress(self, read_members: Callable[[], Mapping[str, Any] | None]) -> bool:
        """Remove an address from the suppression list; argument and result as for `update_contact`."""
        return self._with_fresh(DELETE_SUPPRESSED_DESTINATION, {}, read_members)
