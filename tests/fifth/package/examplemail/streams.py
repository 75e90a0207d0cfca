"""The tap's streams: audiences, contacts and jobs, each a listing by tokens in no order that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from examplemail.client import ENDED, ExampleMailClient
from examplemail.tap_provider import INCLUDE_OPTED_OUT
from mailing_api import values
from mailing_api.settings import lookup
from tap_mailing.records.columns import Row, computed, identifier, integer, mapping, text, timestamp
from tap_mailing.streams.base import MailingStream

__all__ = ["STREAMS"]

_STANDINGS = {"active": "subscribed", "opted_out": "unsubscribed"}


class ExampleMailStream(MailingStream[ExampleMailClient]):
    """A stream over one collection.

    Attributes:
        collection: as the API calls it.
        since_filter: limits it to what changed since a moment; "" where there is no such filter.
        since_field: that moment of a row.
    """

    provider = "examplemail"
    collection: ClassVar[str]
    since_filter: ClassVar[str] = ""
    since_field: ClassVar[str] = ""

    def read(self, since: str | None) -> Iterable[Sequence[Row]]:
        """All rows, or those since a moment."""
        filters = {self.since_filter: since} if since is not None else {}
        return self.client.rows(self.collection, **filters)

    def sample(self, count: int) -> Sequence[Row]:
        """The first rows."""
        return self.client.first(self.collection)[:count]

    def moment_of(self, row: Row) -> str | None:
        """When the row changed, or was submitted."""
        return values.timestamp(row.get(self.since_field))


class MailingLists(ExampleMailStream):
    """The audiences."""

    name = "examplemail_mailing_lists"
    kind = "mailing_lists"
    collection = "audiences"
    columns = (
        identifier("id", "id"),
        text("name", "title"),
        integer("contact_count", "contacts"),
        timestamp("created_at", "created"),
        timestamp("updated_at", "changed"),
    )


class Contacts(ExampleMailStream):
    """The contacts, by Example Mail's own IDs: an address may be that of several."""

    name = "examplemail_contacts"
    kind = "contacts"
    collection = "contacts"
    bookmark_column = "updated_at"
    since_filter = "changed_after"
    since_field = "changed"
    columns = (
        identifier("id", "id"),
        text("email", "email"),
        text("name", "full_name"),
        computed("subscription_status", ("standing",), lambda row: _STANDINGS.get(str(row.get("standing")), "unknown")),
        mapping("properties", "fields"),
        timestamp("created_at", "created"),
        timestamp("updated_at", "changed"),
        text("audience_id", "audience"),
    )

    def read(self, since: str | None) -> Iterable[Sequence[Row]]:
        """All contacts, or those that changed since a moment."""
        pages = super().read(since)
        if lookup(INCLUDE_OPTED_OUT, self.config):
            return pages
        return ([row for row in page if row.get("standing") != "opted_out"] for page in pages)


class ImportJobs(ExampleMailStream):
    """The jobs; one that has not ended holds the bookmark, so that it is read again."""

    name = "examplemail_import_jobs"
    kind = "import_jobs"
    collection = "jobs"
    bookmark_column = "created_at"
    since_filter = "submitted_after"
    since_field = "submitted"
    columns = (
        identifier("id", "id"),
        text("kind", "operation"),
        text("status", "state"),
        computed("is_terminal", ("state",), lambda row: row.get("state") in ENDED),
        text("list_id", "audience"),
        integer("records_processed", "lines"),
        integer("records_failed", "refused"),
        timestamp("created_at", "submitted"),
        timestamp("completed_at", "finished"),
        text("label", "label"),
    )

    def begin(self) -> None:
        """No job that has not ended is known yet."""
        super().begin()
        self._waiting = ""

    def seen(self, rows: Sequence[Row]) -> None:
        """Keep when the first of those that have not ended was submitted."""
        super().seen(rows)
        waiting = [self.moment_of(row) or "" for row in rows if row.get("state") not in ENDED]
        self._waiting = min([one for one in (self._waiting, *waiting) if one], default="")

    def conclude(self, bookmark: str | None, started: str, /) -> Mapping[str, Any]:
        """The bookmark does not pass a job that has not ended."""
        return self.bookmark_at(self._waiting) if self._waiting else super().conclude(bookmark, started)


STREAMS = (MailingLists, Contacts, ImportJobs)
