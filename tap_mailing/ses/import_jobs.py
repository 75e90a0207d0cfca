"""Amazon SES's import jobs, and their details."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mailing_api import values
from mailing_api.ses.answers import flat
from mailing_api.ses.words import has_ended
from mailing_api.settings import lookup
from tap_mailing.records.columns import FLAG, TEXT, Row, computed, identifier, integer, moment, text
from tap_mailing.ses.details import DetailStream
from tap_mailing.ses.provider import IMPORT_DESTINATION
from tap_mailing.ses.stream import SesStream

__all__ = ["ImportJobDetails", "ImportJobs"]


_LIST = "ImportDestination.ContactListDestination"
_SUPPRESSIONS = "ImportDestination.SuppressionListDestination"
_NAME, _ACTION = f"{_LIST}.ContactListName", f"{_LIST}.ContactListImportAction"
_SUPPRESSION_ACTION = f"{_SUPPRESSIONS}.SuppressionListImportAction"
_FAILED_FILE = "FailureInfo.FailedRecordsS3Url"


def _kind(row: Row) -> str | None:
    if row.get(_SUPPRESSION_ACTION) is not None:
        return "SUPPRESSION_LIST"
    return None if row.get(_ACTION) is None else "CONTACT_LIST"


def _action(row: Row) -> str | None:
    return values.text(row.get(_ACTION) or row.get(_SUPPRESSION_ACTION))


def _has_failed_file(row: Row) -> bool | None:
    return bool(row.get(_FAILED_FILE)) if "ImportDataSource.S3Url" in row else None


class ImportJobs(SesStream):
    """The imports of contacts and suppressions.

    A job that has not ended holds its region's bookmark at its creation, so that it is read again.
    """

    name = "ses_import_jobs"
    kind = "import_jobs"
    bookmark_column = "created_at"
    moment_field = "CreatedTimestamp"
    columns = (
        identifier("id", "JobId"),
        computed("kind", (_ACTION, _SUPPRESSION_ACTION), _kind),
        text("status", "JobStatus"),
        computed("is_terminal", ("JobStatus", "CompletedTimestamp"), has_ended),
        text("list_id", _NAME),
        integer("records_processed", "ProcessedRecordsCount"),
        integer("records_failed", "FailedRecordsCount"),
        text("error", "FailureInfo.ErrorMessage"),
        moment("created_at", "CreatedTimestamp"),
        moment("completed_at", "CompletedTimestamp"),
        identifier("region", "region"),
        computed("action", (_ACTION, _SUPPRESSION_ACTION), _action, TEXT),
        text("source_url", "ImportDataSource.S3Url"),
        text("data_format", "ImportDataSource.DataFormat"),
        # The URL itself is not a column, since anyone with it can read the file.
        computed("has_failed_records_file", (_FAILED_FILE,), _has_failed_file, FLAG),
    )

    def pages(self, region: str, since: str | None, size: int | None) -> Iterator[Sequence[Row]]:
        """Jobs created since then, and all jobs that have not ended. Amazon SES has no filter by time."""
        destination = self._destination
        options = {} if size is None else {"size": size}
        for page in self.client.import_jobs(region, destination=destination and destination.upper(), **options):
            rows = [flat(row) for row in page]
            yield [row for row in rows if not has_ended(row) or self.is_due(row, since)]

    def seen(self, rows: Sequence[Row]) -> None:
        """Note each region's latest moment, and hold the bookmark at open jobs."""
        super().seen(rows)
        for row in rows:
            created = self.moment_of(row)
            if created and not has_ended(row):
                self.hold(row["region"], created)

    def conclude(self, bookmark: str | None, started: str) -> Mapping[str, Any]:
        """The STATE of Amazon SES's streams, and the destination that was read."""
        state = super().conclude(bookmark, started)
        return {**state, "destination": self._destination} if state and self._destination else state

    def _bookmarks(self) -> dict[str, str]:
        # The bookmark of one destination says nothing about the jobs of the other.
        return super()._bookmarks() if self.stream_state.get("destination") in (None, self._destination) else {}

    @property
    def _destination(self) -> str | None:
        destination: str | None = lookup(IMPORT_DESTINATION, self.config)
        return destination


class ImportJobDetails(DetailStream, ImportJobs):
    """The same jobs with their source, end and error."""

    name = "ses_import_job_details"

    def key_of(self, row: Row) -> str:
        """The job's ID."""
        return str(row.get("JobId"))

    def detail(self, region: str, row: Row) -> Row:
        """The job with its details."""
        return flat(self.client.import_job(region, self.key_of(row)))
