"""What Amazon SES's streams share: region after region, each with a bookmark of its own."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

from mailing_api import values
from mailing_api.errors import ConfigurationError, NotFound, UnreadableAnswer
from mailing_api.ses.client import SesClient
from tap_mailing.records.columns import Column, Row, computed
from tap_mailing.streams.base import MailingStream

__all__ = ["TEXT", "ContactLists", "SesStream", "objects"]

TEXT: dict[str, Any] = {"type": ["string", "null"]}


def objects(name: str, field: str, members: Mapping[str, str]) -> Column:
    """A column with a list of objects that hold texts: the columns' names of their members, by the provider's."""

    def found(row: Row) -> list[Row] | None:
        given = row.get(field)
        if given is None:
            return None
        return [{own: values.text(one.get(member)) for member, own in members.items()} for one in given]

    items = {"type": "object", "properties": dict.fromkeys(members.values(), TEXT)}
    return computed(name, (field,), found, {"type": ["array", "null"], "items": items})


class SesStream(MailingStream[SesClient]):
    """A stream over what each region has.

    Attributes:
        moment_field: the provider's field that the bookmark follows.
    """

    provider = "ses"
    keys: ClassVar[Sequence[str]] = ("account", "region", "id")
    moment_field: ClassVar[str] = ""
    state_members: ClassVar[Mapping[str, type]] = {
        **MailingStream.state_members,
        "regions": dict,
        "destination": str,
        "cut": list,
    }

    @abc.abstractmethod
    def pages(self, region: str, since: str | None, size: int | None = None) -> Iterable[Sequence[Row]]:
        """The rows of a region.

        Args:
            region: one of the settings'.
            since: leave out what was last changed before that moment; None for everything.
            size: rows a page; None for as many as Amazon SES gives.
        """

    def read(self, since: str | None) -> Iterator[Sequence[Row]]:
        """The rows of all regions; each region is read from its own bookmark on."""
        del since
        self._latest: dict[str, str] = {}
        self._held: dict[str, str] = {}
        for region in self.client.regions:
            for page in self.pages(region, self.since(region)):
                yield _of_region(page, region)

    def sample(self, count: int) -> Sequence[Row]:
        """The first rows of each region, so that each is tried."""
        self._latest, self._held = {}, {}
        first = (
            _of_region(next(filter(None, self.pages(region, None, count)), [])[:count], region)
            for region in self.client.regions
        )
        return list(chain.from_iterable(first))

    def since(self, region: str) -> str | None:
        """From when on a region is read."""
        return None if self.detects_changes else self._since(self._bookmarks().get(region))

    def moment_of(self, row: Row) -> str | None:
        """When a row was last changed, as the bookmark has it."""
        try:
            return values.moment(row.get(self.moment_field))
        except (ArithmeticError, OSError, TypeError, ValueError):
            raise UnreadableAnswer(f"Stream {self.name}: field {self.moment_field} holds no date-time.") from None

    def is_due(self, row: Row, since: str | None) -> bool:
        """Whether a row was changed from then on, as far as it tells."""
        return since is None or (self.moment_of(row) or since) >= since

    def seen(self, rows: Sequence[Row]) -> None:
        """Keep each region's latest moment."""
        if self.moment_field:
            for row in rows:
                region = row["region"]
                self._latest[region] = max(self._latest.get(region, ""), self.moment_of(row) or "")

    def hold(self, region: str, moment: str) -> None:
        """Keep the bookmark of a region from passing that moment."""
        self._held[region] = min(self._held.get(region, moment), moment)

    def conclude(self, bookmark: str | None, started: str) -> Mapping[str, Any]:
        """Each region's bookmark is where it is held, else the latest moment read, though not in the future.

        The bookmark for people to see is the oldest of them. Regions that are no longer set keep theirs.
        """
        del bookmark
        reached = self._bookmarks()
        for region in self.client.regions:
            latest = max(reached.get(region, ""), min(self._latest.get(region, ""), started))
            found = min(self._held[region], started) if region in self._held else latest
            if found:
                reached[region] = found
        oldest = min((reached[region] for region in self.client.regions if region in reached), default=None)
        return self.bookmark_at(oldest) | ({"regions": reached} if reached else {})

    def _bookmarks(self) -> dict[str, str]:
        """The bookmarks in STATE; one for all regions where it tells none of them."""
        bookmark = self._bookmark()
        if bookmark is None:
            return {}
        given = self.stream_state.get("regions")
        if given is None:
            return dict.fromkeys(self.client.regions, bookmark)
        try:
            return {region: values.timestamp(moment) or bookmark for region, moment in given.items()}
        except (AttributeError, TypeError, ValueError):
            raise ConfigurationError(
                f"STATE of stream {self.name}: `regions` must be an object of date-times by region. Correct it, or "
                "remove the stream's bookmark to read everything again."
            ) from None


class ContactLists:
    """The contact lists of a run, read once by the first of the streams that need them."""

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
        """The region's lists with their topics; one that was deleted meanwhile is left out."""
        if region not in self._lists:
            found = (self._one(region, name) for name in self.names(region))
            self._lists[region] = [row for row in found if row is not None]
        return self._lists[region]

    def close(self) -> None:
        """Forget them."""
        self._names.clear()
        self._lists.clear()

    def _one(self, region: str, name: str) -> Row | None:
        try:
            return self._client.contact_list(region, name)
        except NotFound:
            return None


def _of_region(page: Sequence[Row], region: str) -> Sequence[Row]:
    for row in page:
        row["region"] = region
    return page
