"""The base of Amazon SES's streams: one region after another, each with its own bookmark."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, ClassVar

from mailing_api import values
from mailing_api.errors import ConfigurationError, NotFound, UnreadableAnswer
from mailing_api.ses.client import SesClient
from tap_mailing.records.columns import TEXT, Column, Row, computed
from tap_mailing.streams.base import MailingStream

__all__ = ["ContactLists", "SesStream", "objects"]


def objects(name: str, field: str, members: Mapping[str, str]) -> Column:
    """An array of objects with members that are strings; null if the field is missing.

    Args:
        name: snake_case.
        field: the provider's.
        members: the column's names of the members, by the provider's names.
    """

    def convert(row: Row) -> list[Row] | None:
        array = row.get(field)
        if array is None:
            return None
        return [{own: values.text(item.get(member)) for member, own in members.items()} for item in array]

    items = {"type": "object", "properties": dict.fromkeys(members.values(), TEXT)}
    return computed(name, (field,), convert, {"type": ["array", "null"], "items": items})


class SesStream(MailingStream[SesClient]):
    """A stream over all regions.

    Attributes:
        moment_field: the provider's field of the bookmark.
    """

    provider = "ses"
    keys: ClassVar[Sequence[str]] = ("account", "region", "id")
    moment_field: ClassVar[str] = ""
    #: Tokens are positions: rows that are deleted meanwhile hide others.
    may_omit_rows = True
    state_members: ClassVar[Mapping[str, type]] = {
        **MailingStream.state_members,
        "regions": dict,
        "destination": str,
        "cut": list,
    }

    @abc.abstractmethod
    def pages(self, region: str, since: str | None, size: int | None, /) -> Iterable[Sequence[Row]]:
        """The rows of a region.

        Args:
            region: one of the settings'.
            since: skip rows that last changed before this time; None for all rows.
            size: rows a page; None for Amazon SES's maximum.
        """

    def begin(self) -> None:
        """Prepare to read."""
        super().begin()
        self._latest_moments: dict[str, str] = {}
        self._held: dict[str, str] = {}

    def read(self, _since: str | None) -> Iterator[Sequence[Row]]:
        """The rows of all regions, each since its own bookmark."""
        for region in self.client.regions:
            for page in self.pages(region, self.since(region), None):
                yield _of_region(page, region)

    def sample(self, count: int) -> Sequence[Row]:
        """The first rows of each region."""
        first = (
            _of_region(next(filter(None, self.pages(region, None, count)), [])[:count], region)
            for region in self.client.regions
        )
        return list(chain.from_iterable(first))

    def since(self, region: str) -> str | None:
        """The time since when a region's rows are read."""
        return None if self.detects_changes else self._since(self._bookmarks().get(region))

    def moment_of(self, row: Row) -> str | None:
        """Its `moment_field`."""
        try:
            return values.moment(row.get(self.moment_field))
        except (ArithmeticError, OSError, TypeError, ValueError):
            raise UnreadableAnswer(f"Stream {self.name}: field {self.moment_field} is not a date-time.") from None

    def is_due(self, row: Row, since: str | None) -> bool:
        """Whether a row changed since then; a row without a date is always due."""
        return since is None or (self.moment_of(row) or since) >= since

    def seen(self, rows: Sequence[Row]) -> None:
        """Note each region's latest moment."""
        for row in rows:
            region = row["region"]
            self._latest_moments[region] = max(self._latest_moments.get(region, ""), self.moment_of(row) or "")

    def hold(self, region: str, moment: str) -> None:
        """Limit the bookmark of a region to this moment."""
        self._held[region] = min(self._held.get(region, moment), moment)

    def conclude(self, _bookmark: str | None, started: str) -> Mapping[str, Any]:
        """Each region's bookmark is its latest moment, or the moment that holds it, but is never in the future.

        The stream's `replication_key_value` is the oldest of these bookmarks. Regions that are no longer set keep their
        bookmarks.
        """
        bookmarks = self._bookmarks()
        for region in self.client.regions:
            latest = max(bookmarks.get(region, ""), min(self._latest_moments.get(region, ""), started))
            if moment := min(self._held[region], started) if region in self._held else latest:
                bookmarks[region] = moment
        oldest = min((bookmarks[region] for region in self.client.regions if region in bookmarks), default=None)
        return self.bookmark_at(oldest) | ({"regions": bookmarks} if bookmarks else {})

    def _bookmarks(self) -> dict[str, str]:
        """The bookmarks in STATE by region; without `regions`, all regions have the stream's bookmark."""
        bookmark = self._bookmark()
        if bookmark is None:
            return {}
        regions = self.stream_state.get("regions")
        if regions is None:
            return dict.fromkeys(self.client.regions, bookmark)
        try:
            return {region: values.timestamp(moment) or bookmark for region, moment in regions.items()}
        except (AttributeError, TypeError, ValueError):
            raise ConfigurationError(
                f"STATE of stream {self.name}: `regions` must be an object with a date-time for each region. Correct "
                "it, or remove the stream's bookmark to read everything again."
            ) from None


class ContactLists:
    """The contact lists of a run, read once for all streams that use them."""

    def __init__(self, client: SesClient) -> None:
        self._client = client
        self._names: dict[str, list[str]] = {}
        self._lists: dict[str, list[Row]] = {}

    def names(self, region: str) -> list[str]:
        """The names of the region's lists."""
        if region not in self._names:
            rows = chain.from_iterable(self._client.contact_lists(region))
            self._names[region] = list(dict.fromkeys(str(row.get("ContactListName")) for row in rows))
        return self._names[region]

    def lists(self, region: str) -> list[Row]:
        """The region's lists with their topics, without lists that were deleted since they were listed."""
        if region not in self._lists:
            self._lists[region] = []
            for name in self.names(region):
                with suppress(NotFound):
                    self._lists[region].append(self._client.contact_list(region, name))
        return self._lists[region]

    def close(self) -> None:
        """Drop the lists."""
        self._names.clear()
        self._lists.clear()


def _of_region(page: Sequence[Row], region: str) -> Sequence[Row]:
    for row in page:
        row["region"] = region
    return page
