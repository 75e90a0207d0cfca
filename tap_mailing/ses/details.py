"""Streams that request each row's details. They are not selected by default, and each run reads a limited number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mailing_api import values
from mailing_api.counted import counted
from mailing_api.errors import NotFound, RequestRefused
from mailing_api.settings import lookup, positive
from tap_mailing.records.columns import Row
from tap_mailing.ses.provider import MAX_DETAILS
from tap_mailing.ses.stream import SesStream
from tap_mailing.streams.spill import Backlog

__all__ = ["DetailStream"]


#: With other streams' look-back of a day, every run would request the same rows.
_MOST_LOOKBACK = 3600.0


class DetailStream(SesStream):
    """Requests each row of a listing's stream; a subclass inherits from this class first, then from that stream.

    The rows are read oldest first. If the limit ends the run, the bookmark is the oldest row that was not read, and the
    next run begins exactly there: with a look-back it would read the same rows again.
    """

    selected_by_default = False
    filtered_here = False  # a run may not read all rows

    def begin(self) -> None:
        """Prepare to read."""
        super().begin()
        self._cut: set[str] = set()

    def detail(self, region: str, row: Row) -> Row:
        """The row with its details.

        Raises:
            NotFound: the row was deleted.
        """
        raise NotImplementedError

    def pages(self, region: str, since: str | None, size: int | None) -> Iterator[Sequence[Row]]:
        """The rows of the listing with their details, one row a page."""
        listed = super().pages(region, since, size)  # type: ignore[safe-super]  # implemented by the listing's stream
        with Backlog() as backlog:
            if size is not None:
                listed = [next(filter(None, listed), [])]
            for page in listed:
                backlog.add((self.key_of(row), self.moment_of(row) or "", row) for row in page)
            yield from self._read(region, backlog, self._most if size is None else size)

    def key_of(self, row: Row) -> str:
        """The row's key within its region."""
        raise NotImplementedError

    def since(self, region: str) -> str | None:
        """The region's bookmark, with a look-back of at most an hour, unless the limit ended the last run."""
        bookmark = self._bookmarks().get(region)
        if bookmark is None:
            return super().since(region)
        was_cut = region in self.stream_state.get("cut", ())
        return max(bookmark if was_cut else self._earlier(bookmark), self.connection.options.start_date or "")

    def conclude(self, bookmark: str | None, started: str) -> Mapping[str, Any]:
        """The listing's STATE, and the regions that the limit ended."""
        state = super().conclude(bookmark, started)
        return {**state, "cut": sorted(self._cut)} if self._cut else state

    def _read(self, region: str, backlog: Backlog, most: int | None) -> Iterator[Sequence[Row]]:
        last: str | None = None
        unreadable = 0
        for number, (moment, row) in enumerate(backlog):
            # Rows of the same moment are read in one run: otherwise every run could read only the first of them.
            if most is not None and number >= most and moment != last:
                self._stop(region, moment, number, len(backlog))
                break
            last = moment
            try:
                detailed = self.detail(region, row)
            except NotFound:
                continue  # deleted since it was listed
            except RequestRefused:
                if "/" not in self.key_of(row):
                    raise
                detailed = row
                unreadable += 1
            yield [detailed]
        if unreadable:
            self.logger.warning(
                "%s: %s a slash, which Amazon SES refuses in requests; writing these rows without details.",
                self.name, counted(unreadable, f"address in {region} has", f"addresses in {region} have"),
            )  # fmt: skip

    def _stop(self, region: str, moment: str, count: int, total: int) -> None:
        self.logger.info(
            "%s: read %d of %d rows in %s (limit: `ses_max_details`); the next run continues with the others.",
            self.name, count, total, region,
        )  # fmt: skip
        # A row that Amazon SES lists late can be older than the rows of this run, by up to the look-back.
        self.hold(region, min(moment, self._earlier(self.started)))
        self._cut.add(region)

    def _earlier(self, moment: str) -> str:
        lookback = min(self.connection.options.lookback, _MOST_LOOKBACK)
        return values.earlier(moment, lookback)

    @property
    def _most(self) -> int | None:
        return positive(MAX_DETAILS.name, lookup(MAX_DETAILS, self.config)) if self._is_incremental else None
