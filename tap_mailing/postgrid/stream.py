"""The base of PostGrid's streams: a walk over one collection that writes only the changed rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from mailing_api import values
from mailing_api.errors import UnreadableAnswer
from mailing_api.postgrid.client import PostgridClient, Resource
from tap_mailing.records.columns import Row
from tap_mailing.streams.base import MailingStream

__all__ = ["ChangesStream", "PostgridStream"]

_MODES = {True: "live", False: "test"}


class PostgridStream(MailingStream[PostgridClient]):
    """A stream over one collection.

    Attributes:
        resource: the collection.
    """

    provider = "postgrid"
    resource: ClassVar[Resource]
    state_members: ClassVar[Mapping[str, type]] = {**MailingStream.state_members, "live": bool}
    ignored = frozenset({"object"})  # the name of the resource

    def read(self, _since: str | None) -> Iterator[Sequence[Row]]:
        """All rows."""
        self.count.listing = listing = self.client.rows(self.resource, ahead=self.concurrency)
        for page in listing:
            yield self.shaped(page)

    def sample(self, count: int) -> Sequence[Row]:
        """The first rows."""
        return self.shaped(self.client.sample(self.resource, count))

    def shaped(self, page: Sequence[Row]) -> Sequence[Row]:
        """The rows of a page, converted for the columns."""
        return page


class ChangesStream(PostgridStream):
    """The changed rows of a collection.

    PostGrid has no filter by time, so every run reads the whole collection and drops the rows that did not change since
    the bookmark. STATE also says whether the data is live or test data: a bookmark is valid for one of them only.
    """

    bookmark_column = "updated_at"
    filtered_here = True

    def begin(self) -> None:
        """Prepare to read."""
        super().begin()
        self._open_since: str | None = None
        self._live: bool | None = None

    def read(self, since: str | None) -> Iterator[Sequence[Row]]:
        """The rows that changed since then, and the rows that PostGrid is still changing."""
        self.count.listing = self._listing = self.client.rows(self.resource, ahead=self.concurrency)
        for page in self._listing:
            if self._live is None and page:
                self._live = page[0].get("live")
                if self._is_other_data():
                    self.logger.info("STATE belongs to %s data, so this run reads all rows.", _MODES[not self._live])
                    since = self.connection.options.start_date
            rows = self.shaped(page)
            yield rows if since is None else [row for row in rows if self._is_wanted(row, since)]

    def is_settled(self, row: Row) -> bool:
        """Whether PostGrid is done with the row, so that only a user can change it."""
        del row
        return True

    def moment_of(self, row: Row) -> str:
        """Its last change; "" if it has no date."""
        try:
            return values.timestamp(row.get("updatedAt")) or ""
        except (TypeError, ValueError):
            raise UnreadableAnswer(f"Stream {self.name}: field updatedAt is not a date-time.") from None

    def seen(self, rows: Sequence[Row]) -> None:
        """Note the latest moment, and the earliest moment of rows that are not settled."""
        super().seen(rows)
        for row in rows:
            moment = self.moment_of(row)
            if not self.is_settled(row) and moment:
                self._open_since = min(self._open_since or moment, moment)

    def conclude(self, bookmark: str | None, started: str) -> Mapping[str, Any]:
        """The bookmark is the latest moment, but not later than the oldest row that is not settled.

        Nor is it later than the time when reading began, by either clock. It is in whole seconds, since PostGrid's
        timestamps may lack fractions: a later change in the same second would otherwise look older than the bookmark.
        """
        began = f"{min(started, self._listing.began or started)[:19]}.000000Z"
        latest = max("" if self._is_other_data() else bookmark or "", min(self._latest, began))
        if self._open_since is not None and self._open_since < latest:
            self.logger.info("A row that PostGrid is still changing holds the bookmark at %s.", self._open_since)
            latest = self._open_since
        live = self.stream_state.get("live") if self._live is None else self._live
        return self.bookmark_at(latest or None) | ({} if live is None else {"live": live})

    def _is_other_data(self) -> bool:
        before = self.stream_state.get("live")
        return None not in (before, self._live) and before != self._live

    def _is_wanted(self, row: Row, since: str) -> bool:
        moment = self.moment_of(row)
        if not moment or moment >= since:
            return True
        return not self.is_settled(row) and moment >= (self.connection.options.start_date or "")
