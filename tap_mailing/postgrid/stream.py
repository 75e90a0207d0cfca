"""What PostGrid's streams share: a walk over one collection, of which only what changed is written."""

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

    def read(self, since: str | None) -> Iterator[Sequence[Row]]:
        """All rows."""
        del since
        for page in self.client.rows(self.resource, ahead=self.concurrency):
            yield self.shaped(page)

    def sample(self, count: int) -> Sequence[Row]:
        """The first rows."""
        return self.shaped(self.client.sample(self.resource, count))

    def shaped(self, page: Sequence[Row]) -> Sequence[Row]:
        """The rows of a page as the columns read them."""
        return page


class ChangesStream(PostgridStream):
    """A stream of what changed in a collection.

    PostGrid filters by no date, so the collection is read whole each time; rows that did not change since the bookmark
    are dropped here. STATE also holds whether the data were live: a bookmark of test data means nothing for them.
    """

    bookmark_column = "updated_at"
    filtered_here = True

    def read(self, since: str | None) -> Iterator[Sequence[Row]]:
        """The rows that changed since then, and those that can change without anybody's doing."""
        self._latest = ""
        self._open_since: str | None = None
        self._live: bool | None = None
        self._listing = self.client.rows(self.resource, ahead=self.concurrency)
        for page in self._listing:
            if self._live is None and page:
                self._live = page[0].get("live")
                if self._is_other_data():
                    self.logger.info("STATE is that of %s data, so everything is read.", _MODES[not self._live])
                    since = self.connection.options.start_date
            rows = self.shaped(page)
            yield rows if since is None else [row for row in rows if self._is_wanted(row, since)]

    def is_settled(self, row: Row) -> bool:
        """Whether the row stays as it is unless somebody changes it."""
        del row
        return True

    def seen(self, rows: Sequence[Row]) -> None:
        """Keep the latest moment, and since when a row is not settled."""
        for row in rows:
            moment = self._changed(row)
            self._latest = max(self._latest, moment)
            if not self.is_settled(row) and moment:
                self._open_since = min(self._open_since or moment, moment)

    def conclude(self, bookmark: str | None, started: str) -> Mapping[str, Any]:
        """The bookmark is the latest moment read, though not later than any row that is not settled.

        Nor is it later than the moment at which reading began, by either clock. Whole seconds, since PostGrid's
        timestamps may have no fractions: what changes later in the same second would seem to be older.
        """
        began = f"{min(started, self._listing.began or started)[:19]}.000000Z"
        latest = max("" if self._is_other_data() else bookmark or "", min(self._latest, began))
        if self._open_since is not None and self._open_since < latest:
            self.logger.info("A row that is still being worked on holds the bookmark at %s.", self._open_since)
            latest = self._open_since
        live = self.stream_state.get("live") if self._live is None else self._live
        return self.bookmark_at(latest or None) | ({} if live is None else {"live": live})

    def _is_other_data(self) -> bool:
        before = self.stream_state.get("live")
        return None not in (before, self._live) and before != self._live

    def _is_wanted(self, row: Row, since: str) -> bool:
        moment = self._changed(row)
        if not moment or moment >= since:
            return True
        return not self.is_settled(row) and moment >= (self.connection.options.start_date or "")

    def _changed(self, row: Row) -> str:
        """When the row changed last; "" if it does not tell."""
        try:
            return values.timestamp(row.get("updatedAt")) or ""
        except (TypeError, ValueError):
            raise UnreadableAnswer(f"Stream {self.name}: field updatedAt holds no date-time.") from None
