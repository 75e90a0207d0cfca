"""The base of Mailjet's streams: a walk over one collection in order of ID."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, ClassVar

from mailing_api.http.paging import OffsetWalk, UnsortedWalk
from mailing_api.mailjet.client import MailjetClient
from tap_mailing.records.columns import Row
from tap_mailing.streams.base import MailingStream

__all__ = ["MailjetStream", "by_id", "ids"]


def by_id(row: Row) -> int:
    """The row's ID."""
    return int(row["ID"])


def ids(rows: Sequence[Row]) -> list[int]:
    """The rows' IDs."""
    return list(map(int, map(itemgetter("ID"), rows)))


class MailjetStream(MailingStream[MailjetClient]):
    """A stream over one collection of `/v3/REST`.

    Attributes:
        resource: the collection.
    """

    provider = "mailjet"
    resource: ClassVar[str]

    def read(self, _since: str | None) -> Iterable[Sequence[Row]]:
        """All rows, in order of ID."""
        self.count.listing = walk = self.walk(self.filters())
        return walk

    def sample(self, count: int) -> Sequence[Row]:
        """The first rows."""
        return self.client.page(self.resource, {**self.filters(), "Sort": "ID", "Limit": count})

    def filters(self) -> dict[str, str]:
        """Query parameters of every request."""
        return {}

    def walk(
        self, filters: Mapping[str, Any], *, resource: str | None = None, share: int = 1, **options: Any
    ) -> OffsetWalk[Row] | UnsortedWalk[Row]:
        """A walk in order of ID; `share` is the number of concurrent walks, `options` those of the client."""
        ahead = max(1, self.concurrency // share)
        return self.client.rows(resource or self.resource, params=filters, ahead=ahead, **options)
