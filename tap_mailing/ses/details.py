"""What one call for each row brings: streams of their own, not selected by default, that get on by a piece each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mailing_api import values
from mailing_api.counted import counted
from mailing_api.errors import NotFound, RequestRefused
from mailing_api.settings import Setting, lookup, positive
from tap_mailing.records.columns import Row
from tap_mailing.ses.stream import SesStream
from tap_mailing.streams.spill import Backlog

__all__ = ["MAX_DETAILS", "DetailStream"]

MAX_DETAILS = Setting(
    name="ses_max_details",
    title="Amazon SES details a run",
    description="How many rows a stream of details reads in a run and region; each takes a request, and Amazon SES "
    "allows one a second. The next run goes on with the oldest that is left. A stream that is read in full has no such "
    "limit. Default: 3600, about an hour.",
    type="integer",
    default=3600,
)

#: A look-back of a day, as other streams have it, would ask for the same rows in every run.
_MOST_LOOKBACK = 3600.0


class DetailStream(SesStream):
    """Goes before a stream of a listing, and reads each of its rows by a call of its own.

    Rows are read oldest first. Where the limit stops them, the bookmark stops at the oldest row that was not read, and
    the next run begins there and not before: else it would read the same rows again.
    """

    selected_by_default = False
    filtered_here = False  # a run does not always come to all rows

    def detail(self, region: str, row: Row) -> Row:
        """The row by its own call.

        Raises:
            NotFound: it is gone.
        """
        raise NotImplementedError

    def pages(self, region: str, since: str | None, size: int | None = None) -> Iterator[Sequence[Row]]:
        """The rows of the listing, one a page, with their details."""
        listed = super().pages(region, since, size)  # type: ignore[safe-super]  # the listing's stream comes next
        with Backlog() as backlog:
            if size is not None:
                listed = [next(filter(None, listed), [])]
            for page in listed:
                backlog.add((self.key_of(row), self.moment_of(row) or "", row) for row in page)
            yield from self._read(region, backlog, self._most if size is None else size)

    def key_of(self, row: Row) -> str:
        """What tells a row from the others of its region."""
        raise NotImplementedError

    def read(self, since: str | None) -> Iterator[Sequence[Row]]:
        """The rows of all regions."""
        self._cut: set[str] = set()
        return super().read(since)

    def sample(self, count: int) -> Sequence[Row]:
        """The first rows of each region."""
        self._cut = set()
        return super().sample(count)

    def since(self, region: str) -> str | None:
        """From when on a region is read: from where the limit stopped it, else with a look-back of an hour at most."""
        bookmark = self._bookmarks().get(region)
        if bookmark is None:
            return super().since(region)
        start = self.connection.options.start_date or ""
        cut = self.stream_state.get("cut")
        was_cut = isinstance(cut, list) and region in cut
        return max(bookmark if was_cut else self._earlier(bookmark), start)

    def conclude(self, bookmark: str | None, started: str) -> Mapping[str, Any]:
        """As for the listing, with the regions that the limit stopped."""
        state = super().conclude(bookmark, started)
        return {**state, "cut": sorted(self._cut)} if self._cut else state

    def _read(self, region: str, backlog: Backlog, most: int | None) -> Iterator[Sequence[Row]]:
        last: str | None = None
        unreadable = 0
        for number, (moment, row) in enumerate(backlog):
            # Rows of the same moment stay together, or a run could begin and end within them for ever.
            if most is not None and number >= most and moment != last:
                self._stop(region, moment, number, len(backlog))
                break
            last = moment
            try:
                found = self.detail(region, row)
            except NotFound:
                continue  # deleted since it was listed
            except RequestRefused:
                if "/" not in self.key_of(row):
                    raise
                found = row
                unreadable += 1
            yield [found]
        if unreadable:
            self.logger.warning(
                "%s: %s a slash, which Amazon SES does not take: no details of these.",
                self.name, counted(unreadable, f"address in {region} has", f"addresses in {region} have"),
            )  # fmt: skip

    def _stop(self, region: str, moment: str, count: int, total: int) -> None:
        self.logger.info(
            "%s: %d of %d rows in %s were read (`ses_max_details`); the next run goes on with the others.",
            self.name, count, total, region,
        )  # fmt: skip
        # What Amazon SES shows late is older than the rows it showed first, but not by more than the look-back.
        self.hold(region, min(moment, self._earlier(self.started)))
        self._cut.add(region)

    def _earlier(self, moment: str) -> str:
        lookback = min(self.connection.options.lookback, _MOST_LOOKBACK)
        return values.earlier(moment, lookback)

    @property
    def _most(self) -> int | None:
        return positive(MAX_DETAILS.name, lookup(MAX_DETAILS, self.config)) if self._is_incremental else None
