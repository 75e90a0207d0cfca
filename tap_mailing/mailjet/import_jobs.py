"""Mailjet's import jobs: batch jobs, joined with their CSV imports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from mailing_api import values
from mailing_api.errors import ConfigurationError, NotFound
from mailing_api.mailjet.jobs import TERMINAL_STATUSES
from tap_mailing.mailjet.stream import MailjetStream, by_id
from tap_mailing.records.columns import Row, computed, epoch, identifier, integer, text
from tap_mailing.streams.merge import union
from tap_mailing.streams.prefetch import in_order
from tap_mailing.streams.spill import Spill

__all__ = ["ImportJobs"]

#: Up to this many CSV imports of a page are requested one by one; for more, the whole listing is read once.
_MOST_SINGLE_READS = 20

_CSV = "csvimport."


def _is_terminal(row: Row) -> bool:
    return str(row.get("Status") or "").strip().lower() in TERMINAL_STATUSES


def _list_id(row: Row) -> str | None:
    is_import = str(row.get("JobType") or "").lower().startswith("contact list import")
    return values.text(row.get("RefId") or None) if is_import else None


def _first_moment(row: Row, *fields: str) -> str | None:
    return next(filter(None, (values.epoch(row.get(field)) for field in fields)), None)


class ImportJobs(MailjetStream):
    """Mailjet's background jobs on contacts and newsletters.

    A job that can still change holds the bookmark at its request or start, so that it is read again until it has ended.
    No filter finds a job without dates: while such a job is open, STATE has its ID.
    """

    name = "mailjet_import_jobs"
    kind = "import_jobs"
    resource = "batchjob"
    bookmark_column = "created_at"
    state_members: ClassVar[Mapping[str, type]] = {**MailjetStream.state_members, "undated_jobs": list}
    ignored = frozenset(
        # The batch job has the same values.
        _CSV + field
        for field in ("DataID", "Method", "ErrTreshold", "RequestAt", "JobStart", "AliveAt", "JobEnd", "ID")
    )
    columns = (
        identifier("id", "ID"),
        text("kind", "JobType"),
        text("status", "Status"),
        computed("is_terminal", ("Status",), _is_terminal),
        computed("list_id", ("JobType", "RefId"), _list_id),
        integer("records_processed", "Current"),
        integer("records_failed", "Errcount"),
        epoch("created_at", "RequestAt"),
        epoch("started_at", "JobStart"),
        epoch("completed_at", "JobEnd"),
        epoch("alive_at", "AliveAt"),
        text("method", "Method"),
        integer("ref_id", "RefId"),
        integer("data_id", "DataID"),
        integer("api_key_id", "APIKeyID"),
        integer("count", "Count"),
        integer("blocksize", "Blocksize"),
        integer("throttle", "Throttle"),
        integer("err_treshold", "ErrTreshold"),
        integer("import_list_id", f"{_CSV}ContactsListID"),
        text("import_status", f"{_CSV}Status"),
        text("import_options", f"{_CSV}ImportOptions"),
        integer("import_count", f"{_CSV}Count"),
        integer("import_current", f"{_CSV}Current"),
        integer("import_errcount", f"{_CSV}Errcount"),
    )

    def begin(self) -> None:
        """Prepare to read."""
        super().begin()
        self._open_since: str | None = None
        self._undated: list[int] = []

    def read(self, since: str | None) -> Iterator[Sequence[Row]]:
        """Jobs requested, started or ended since then, and jobs without dates that were open before."""
        if since is None:
            self.count.listing = walk = self.walk({})
            pages: Iterator[Sequence[Row]] = iter(walk)
        else:
            names = ("MinRequestAt", "MinJobStart", "MinJobEnd")
            walks = [self.walk({name: f"{since[:19]}Z"}, share=len(names)) for name in names]
            pages = union([*walks, [self._read_undated()]], by_id)
        joins = any(self.wants(column.name) for column in self.columns if column.fields[0].startswith(_CSV))
        return self._with_imports(pages) if joins else pages

    def moment_of(self, row: Row) -> str | None:
        """The first of its dates."""
        return _first_moment(row, "RequestAt", "JobStart", "JobEnd")

    def seen(self, rows: Sequence[Row]) -> None:
        """Note the latest moment of jobs that have ended, and the first moment of open jobs."""
        super().seen([row for row in rows if _is_terminal(row)])
        for row in rows:
            if _is_terminal(row):
                continue
            if moment := _first_moment(row, "RequestAt", "JobStart"):
                self._open_since = min(self._open_since or moment, moment)
            else:
                self._undated.append(by_id(row))

    def conclude(self, bookmark: str | None, started: str) -> Mapping[str, Any]:
        """The bookmark is the first moment of the oldest open job, or the latest moment if all jobs have ended."""
        if self._open_since:
            held = min(self._open_since, started)
            self.logger.info("A job that has not ended holds the bookmark at %s.", held)
            state: Mapping[str, Any] = self.bookmark_at(held)
        else:
            state = super().conclude(bookmark, started)
        return {**state, "undated_jobs": self._undated} if self._undated else state

    def _read_undated(self) -> list[Row]:
        numbers = self.stream_state.get("undated_jobs", ())
        if not all(type(number) is int for number in numbers):
            raise ConfigurationError(
                f"STATE of stream {self.name}: `undated_jobs` must be an array of whole numbers. Correct it, or remove "
                "the stream from STATE to read everything again."
            )
        calls = [partial(self._one, "batchjob", number) for number in sorted(numbers)]
        return [row for row in in_order(calls, self.concurrency) if row is not None]

    def _one(self, resource: str, number: int) -> Row | None:
        try:
            return self.client.one(resource, number)
        except NotFound:
            return None

    def _with_imports(self, pages: Iterator[Sequence[Row]]) -> Iterator[Sequence[Row]]:
        listing: Spill | None = None
        try:
            for page in pages:
                numbers = [by_id(row) for row in page if "csv" in str(row.get("JobType")).lower()]
                if listing is None and len(numbers) > _MOST_SINGLE_READS:
                    listing = self._spill_imports()
                imports = listing.get(numbers) if listing else {}
                newer = [number for number in numbers if number > (listing.last if listing else 0)]
                calls = [partial(self._one, "csvimport", number) for number in newer]
                imports |= zip(newer, in_order(calls, self.concurrency), strict=True)
                yield [_joined(row, imports.get(by_id(row))) for row in page]
        finally:
            if listing is not None:
                listing.close()

    def _spill_imports(self) -> Spill:
        listing = Spill()
        try:
            for page in self.client.rows("csvimport", ordered=False, ahead=self.concurrency):
                listing.add((by_id(row), row) for row in page)
        except BaseException:
            listing.close()
            raise
        return listing


def _joined(row: Row, csv_import: Row | None) -> Row:
    if not csv_import:
        return row
    fields = {f"{_CSV}{name}": value for name, value in csv_import.items()}
    if f"{_CSV}ContactsList" in fields:  # an older name
        fields[f"{_CSV}ContactsListID"] = fields.pop(f"{_CSV}ContactsList")
    return {**row, **fields}
