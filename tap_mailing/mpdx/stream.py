"""The base of MPDX's streams: a listing in order of creation, with the selected fields, filtered by time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from mailing_api import values
from mailing_api.mpdx.client import MpdxClient
from mailing_api.mpdx.documents import date_range
from tap_mailing.records.columns import Row
from tap_mailing.streams.base import MailingStream

__all__ = ["MpdxStream"]


class MpdxStream(MailingStream[MpdxClient]):
    """A stream over one listing of MPDX.

    Attributes:
        path: below `/api/v2`.
        type: of the listing's resources.
        since_filter: the name of the filter by time, whose value is a range of dates.
        since_field: the attribute that it filters; the bookmark is one of its values.
        linked: the relationships to include, each with the attributes to read; a relationship has the name of its
            resources' type.
    """

    provider = "mpdx"
    path: ClassVar[str]
    type: ClassVar[str]
    since_filter: ClassVar[str] = "updated_at"
    since_field: ClassVar[str] = "updated_at"
    linked: ClassVar[Mapping[str, Sequence[str]]] = {}

    def filters(self) -> dict[str, str]:
        """Filters of every request."""
        return {}

    def required(self) -> Sequence[str]:
        """The filters that MPDX must confirm, since the rows are wrong without them."""
        return ()

    def read(self, since: str | None) -> Iterable[Sequence[Row]]:
        """The rows that changed since then, in order of creation."""
        filters = self.client.scope() | self.filters()
        if since is not None:
            filters[self.since_filter] = date_range(since)
        self.count.listing = listing = self.client.rows(
            self.path,
            filters=filters,
            applied=[name for name in filters if name in (*self.required(), "updated_at")],
            include=self._include(),
            fields=self._fields(),
        )
        return listing

    def sample(self, count: int) -> Sequence[Row]:
        """The first rows."""
        filters = self.client.scope() | self.filters()
        return self.client.sample(self.path, count, filters=filters, include=self._include(), fields=self._fields())

    def moment_of(self, row: Row) -> str | None:
        """Its `since_field`."""
        return values.timestamp(row.get(self.since_field))

    def _include(self) -> list[str]:
        return [name for name in self.linked if name in self._attributes()]

    def _fields(self) -> dict[str, Sequence[str]]:
        linked = {name: self.linked[name] for name in self._include()}
        return {self.type: sorted(self._attributes() | {self.since_field}), **linked}

    def _attributes(self) -> set[str]:
        """The attributes and relationships of the selected columns."""
        return {field for column in self.columns if self.wants(column.name) for field in column.fields} - {"id"}
