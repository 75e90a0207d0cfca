"""What MPDX's streams share: a listing in order of creation, asked for what is selected, filtered by time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from mailing_api import values
from mailing_api.mpdx.client import MpdxClient
from mailing_api.mpdx.documents import date_range
from tap_mailing.records.columns import Row, reading
from tap_mailing.streams.base import MailingStream

__all__ = ["MpdxStream", "distinct"]


class MpdxStream(MailingStream[MpdxClient]):
    """A stream over one listing of MPDX.

    Attributes:
        path: below `/api/v2`.
        type: of the listing's resources.
        since_filter: the name of the filter by time, whose value is a range of dates.
        since_field: the attribute that it filters, and the bookmark's.
        linked: relationships whose resources are wanted, each with those attributes of it that are read; they are
            called as the type of these resources is.
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
        """Names of the filters without which the rows would be wrong."""
        return ()

    def read(self, since: str | None) -> Iterable[Sequence[Row]]:
        """The rows that changed since then, in order of creation."""
        self._latest = ""
        filters = self.client.scope() | self.filters()
        if since is not None:
            filters[self.since_filter] = date_range(since)
        return self.client.rows(
            self.path,
            filters=filters,
            applied=[name for name in filters if name in (*self.required(), "updated_at")],
            include=self._include(),
            fields=self._fields(),
        )

    def sample(self, count: int) -> Sequence[Row]:
        """The first rows."""
        filters = self.client.scope() | self.filters()
        return self.client.sample(self.path, count, filters=filters, include=self._include(), fields=self._fields())

    def seen(self, rows: Sequence[Row]) -> None:
        """Keep the latest moment."""
        moments = (values.timestamp(row.get(self.since_field)) or "" for row in rows)
        self._latest = max(self._latest, max(moments, default=""))

    def conclude(self, bookmark: str | None, started: str) -> Mapping[str, Any]:
        """The bookmark is the latest moment read, though not in the future."""
        return self.bookmark_at(max(bookmark or "", min(self._latest, started)) or None)

    def _include(self) -> list[str]:
        return [name for name in self.linked if name in self._attributes()]

    def _fields(self) -> dict[str, Sequence[str]]:
        linked = {name: self.linked[name] for name in self._include()}
        return {self.type: sorted(self._attributes() | {self.since_field}), **linked}

    def _attributes(self) -> set[str]:
        """The attributes and relationships that the selected columns are made of."""
        return {field for column in self.columns if self.wants(column.name) for field in column.fields} - {"id"}


def distinct(stream: str, pages: Iterable[Sequence[Row]], repeats: str) -> Iterator[Sequence[Row]]:
    """The pages without rows that came before, of those rows that may come again: those with several `repeats`."""
    seen: set[str] = set()
    for page in pages:
        kept = []
        with reading(stream, repeats):
            for row in page:
                if len(row.get(repeats) or ()) > 1:
                    if row["id"] in seen:
                        continue
                    seen.add(row["id"])
                kept.append(row)
        yield kept
