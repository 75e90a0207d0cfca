"""PostGrid's streams; contacts have a module of their own.

PostGrid returns only whole collections, without a filter by time. The streams with a date of change are incremental
anyway: they read the whole collection and skip the rows that did not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mailing_api import values
from mailing_api.settings import lookup
from tap_mailing.postgrid.contacts import Contacts, ListMembers
from tap_mailing.postgrid.provider import INCLUDE_SIGNED_URLS
from tap_mailing.postgrid.stream import ChangesStream
from tap_mailing.records.columns import (
    TEXT,
    Row,
    boolean,
    computed,
    constant,
    identifier,
    integer,
    mapping,
    objects,
    text,
    text_mapping,
    timestamp,
)

__all__ = ["STREAMS"]


_MESSAGE = {"type": TEXT, "message": TEXT}


class MailingLists(ChangesStream):
    """The lists. The `status` shows a running job that changes the list, and `errors` the errors of the last job."""

    name = "postgrid_mailing_lists"
    kind = "mailing_lists"
    resource = "mailing_lists"
    columns = (
        identifier("id", "id"),
        text("name", "description"),
        text("description", "description"),
        text("status", "status"),
        timestamp("created_at", "createdAt"),
        timestamp("updated_at", "updatedAt"),
        boolean("live", "live"),
        objects("errors", "errors", _MESSAGE),
        mapping("metadata", "metadata"),
    )

    def is_settled(self, row: Row) -> bool:
        """Whether no job runs; an unknown status is treated as a running job."""
        return row.get("status") == "completed"


_ENDED: Final = frozenset({"completed", "changes_required"})

#: Objects in an import, whose members become fields of the import.
_PARTS = ("file", "receiverStatusCount", "senderStatusCount")

_SIGNED = ("file.url", "reportURL")


def _processed(row: Row) -> int | None:
    counts = [values.integer(row.get(field)) for field in ("validRowCount", "invalidRowCount")]
    return None if counts == [None, None] else sum(count or 0 for count in counts)


def _error(row: Row) -> str | None:
    return "; ".join(f"{error.get('type')}: {error.get('message')}" for error in row.get("errors") or ()) or None


def _flat(row: Row) -> Row:
    fields: Row = {}
    for name, value in row.items():
        if name in _PARTS and isinstance(value, dict):
            fields |= {f"{name}.{member}": part for member, part in value.items()}
        elif name not in _PARTS or value is not None:
            fields[name] = value
    return fields


class ImportJobs(ChangesStream):
    """CSV files of people, which PostGrid validates in the background. These people are not contacts."""

    name = "postgrid_import_jobs"
    kind = "import_jobs"
    resource = "mailing_list_imports"
    columns = (
        identifier("id", "id"),
        constant("kind", {}, "mailing_list_import"),
        text("status", "status"),
        computed("is_terminal", ("status",), lambda row: row.get("status") in _ENDED),
        computed("records_processed", ("validRowCount", "invalidRowCount"), _processed),
        integer("records_failed", "invalidRowCount"),
        computed("error", ("errors",), _error),
        timestamp("created_at", "createdAt"),
        timestamp("updated_at", "updatedAt"),
        boolean("live", "live"),
        text("organization", "organization"),
        text("description", "description"),
        mapping("metadata", "metadata"),
        objects("errors", "errors", _MESSAGE),
        objects("notes", "notes", _MESSAGE),
        integer("valid_row_count", "validRowCount"),
        integer("invalid_row_count", "invalidRowCount"),
        integer("receiver_verified_count", "receiverStatusCount.verifiedCount"),
        integer("receiver_corrected_count", "receiverStatusCount.correctedCount"),
        integer("receiver_failed_count", "receiverStatusCount.failedCount"),
        integer("sender_verified_count", "senderStatusCount.verifiedCount"),
        integer("sender_corrected_count", "senderStatusCount.correctedCount"),
        integer("sender_failed_count", "senderStatusCount.failedCount"),
        text("file_type", "file.fileType"),
        text_mapping("receiver_address_mapping", "file.receiverAddressMapping"),
        text_mapping("receiver_merge_variable_mapping", "file.receiverMergeVariableMapping"),
        text_mapping("sender_address_mapping", "file.senderAddressMapping"),
        text_mapping("sender_merge_variable_mapping", "file.senderMergeVariableMapping"),
        text("file_url", "file.url"),
        text("report_url", "reportURL"),
    )

    def is_settled(self, row: Row) -> bool:
        """Whether the file was validated; an unknown status is treated as a running validation."""
        return row.get("status") in _ENDED

    def shaped(self, page: Sequence[Row]) -> Sequence[Row]:
        """The rows with the members of their parts, without signed URLs unless a setting includes these."""
        hidden = () if lookup(INCLUDE_SIGNED_URLS, self.config) else _SIGNED
        return [{name: value for name, value in _flat(row).items() if name not in hidden} for row in page]


STREAMS: Final = (ImportJobs, MailingLists, Contacts, ListMembers)
