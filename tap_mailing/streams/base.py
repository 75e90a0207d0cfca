"""The base of all streams: selection, columns, bookmarks, failures.

A stream handles whole pages: it reads the provider's rows, fills the columns and writes the records a page at a time.
Stream maps, flattening and the selection of a part of a column need single records, which the SDK then writes.
"""

from __future__ import annotations

import abc
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.metrics import Counter
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL, Catalog, MetadataMapping
from singer_sdk.tap_base import Tap

from mailing_api import values
from mailing_api.errors import ConfigurationError, MailingError
from mailing_api.kinds import KINDS, column_schemas
from mailing_api.process.map_failures import map_failure
from tap_mailing.change_detection.changes import DELETED_AT, Changes, Snapshots
from tap_mailing.progress import RowCounter, StreamCount
from tap_mailing.records.columns import Column, Row, constant, reading
from tap_mailing.records.end_of_stream import EndOfStream
from tap_mailing.records.records import MAPPING_SETTINGS, PageRecords, Records, SingleRecords, now
from tap_mailing.records.writer import PageWriter
from tap_mailing.streams.catalog_entry import complete, include
from tap_mailing.streams.connection import Client, Connection, Refusal
from tap_mailing.streams.failures import failure_message

__all__ = ["MailingStream"]

C = TypeVar("C", bound=Client)

#: The member of a stream's STATE that names each account's snapshot generation.
_SNAPSHOTS = "snapshots"

_IDENTITY: dict[str, dict[str, Any]] = {name: {"type": "string"} for name in ("provider", "account", "id")}


class MailingStream(Stream, abc.ABC, Generic[C]):
    """One stream of one provider.

    Attributes:
        provider: for example `mailjet`.
        kind: one of `mailing_api.kinds.KINDS`, whose columns the stream begins with; None for a stream that begins
            with `provider`, `account` and `id` alone.
        columns: in order: the kind's columns that the provider fills, then the provider's own.
        keys: the columns of the primary key.
        bookmark_column: the replication key; None for a stream that is always read in full.
        ignored: provider fields that deliberately have no column.
        selected_by_default: False only for a stream that needs one request for each row, or that leaves a trace.
        leaves_trace: reading the stream changes something at the provider, so `--test` skips it.
        filtered_here: the stream has a bookmark, but the provider cannot filter by it: every run reads all rows, and
            `read` drops the older rows.
        address_in_key: the key may contain an e-mail address, which a snapshot must not store.
        may_omit_rows: a reading may omit rows that are there, so it never tells that the stream was read in full.
        state_members: further members of the stream's STATE beside the replication key, each with its JSON type.
    """

    provider: ClassVar[str]
    kind: ClassVar[str | None] = None
    columns: ClassVar[Sequence[Column]]
    keys: ClassVar[Sequence[str]] = ("account", "id")
    bookmark_column: ClassVar[str | None] = None
    ignored: ClassVar[frozenset[str]] = frozenset()
    leaves_trace: ClassVar[bool] = False
    filtered_here: ClassVar[bool] = False
    address_in_key: ClassVar[bool] = False
    may_omit_rows: ClassVar[bool] = False
    state_members: ClassVar[Mapping[str, type]] = {_SNAPSHOTS: dict}

    #: When reading began, and the latest moment of the rows written.
    started: str
    _latest: str

    # The columns already fit the schema; the SDK's conversion would double the run time.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(self, tap: Tap, connection: Connection[C]) -> None:
        self.detects_changes = self.can_detect_changes() and tap.config.get("change_detection") is not None
        all_columns = self._all_columns("")
        super().__init__(
            tap, schema={"type": "object", "properties": {column.name: column.schema for column in all_columns}}
        )
        self.primary_keys = tuple(self.keys)
        self.replication_key = self.bookmark_column
        self.connection = connection
        self._known = self.ignored.union(*(column.fields for column in all_columns))
        self.failure: str | None = None
        self.count = StreamCount()
        #: Told after every page of a run, with the stream's name.
        self.turn: Callable[[str], None] | None = None
        #: Set for a run that writes only changed rows.
        self.snapshots: Snapshots | None = None

    @classmethod
    def can_detect_changes(cls) -> bool:
        """Whether `change_detection` applies: every run reads all rows, and reading does not change them."""
        return (cls.bookmark_column is None or cls.filtered_here) and not cls.leaves_trace

    # For the provider's streams

    @abc.abstractmethod
    def read(self, since: str | None, /) -> Iterable[Sequence[Row]]:
        """The provider's rows, page by page.

        Args:
            since: an incremental stream reads rows that changed at or after this time; None for all rows.
        """

    @abc.abstractmethod
    def sample(self, count: int, /) -> Sequence[Row]:
        """Up to `count` of the provider's rows, by as few requests as possible."""

    def begin(self) -> None:
        """Prepare to read; a stream that notes more while it is read extends it."""
        self.started = now()
        self._latest = ""

    def moment_of(self, row: Row) -> str | None:
        """The row's value of the bookmark, as a timestamp; empty for none.

        An incremental stream overrides it, unless it overrides `seen` and `conclude`.
        """
        del row
        return None

    def seen(self, rows: Sequence[Row]) -> None:
        """Note the latest moment of rows that were written; only called for streams with a bookmark."""
        moments = (self.moment_of(row) or "" for row in rows)
        self._latest = max(self._latest, max(moments, default=""))

    def conclude(self, bookmark: str | None, started: str, /) -> Mapping[str, Any]:
        """The stream's new STATE after all rows were written; empty for no change.

        The bookmark becomes the latest moment of the rows, but is never in the future.

        Args:
            bookmark: the bookmark before this run.
            started: when reading began; the upper limit of the new bookmark.
        """
        return self.bookmark_at(max(bookmark or "", min(self._latest, started)) or None)

    def bookmark_at(self, value: str | None) -> dict[str, Any]:
        """A bookmark as members of STATE."""
        if value is None:
            return {}
        return {"replication_key": self.bookmark_column, "replication_key_value": value}

    @property
    def client(self) -> C:
        """The account's client."""
        return self.connection.client

    @property
    def concurrency(self) -> int:
        """Requests that may be under way at the same time."""
        return self.connection.options.concurrency

    def wants(self, column: str) -> bool:
        """Whether a column is selected."""
        return column in self._selected

    # The SDK's hooks

    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply a catalog. Keys and the column of deletions are added where the catalog lacks them."""
        entry = catalog.get_stream(self.name)
        if entry is not None:
            automatic = {*self.keys, *filter(None, [self.bookmark_column])}
            automatic |= {DELETED_AT.name} if self.detects_changes else set()
            complete(entry, self.schema, automatic, selected=self.selected_by_default)
        super().apply_catalog(catalog)

    @property
    def metadata(self) -> MetadataMapping:
        """The SDK's; the column of deletions cannot be deselected."""
        metadata = super().metadata
        if self.detects_changes:
            include(metadata, DELETED_AT.name)
        return metadata

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        """All records one by one; the bookmark does not change."""
        del context
        columns = self._read_columns()
        names = [column.name for column in columns]
        self.begin()
        for rows in self.read(self._since(self._bookmark())):
            for record in zip(*self._fill(columns, rows), strict=True):
                yield dict(zip(names, record, strict=True))

    def get_replication_key_signpost(self, context: Mapping[str, Any] | None = None) -> None:
        """None: `conclude` limits the bookmark."""
        del context

    @property
    def emit_activate_version_messages(self) -> bool:
        """False: a target would delete old rows before all new rows have arrived."""
        return False

    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """None: BATCH files would bypass selection and stream maps."""
        del config

    def _sync_records(
        self, context: Mapping[str, Any] | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        # Overrides the SDK's loop over single records: only here can a stream write whole pages, move its bookmark at
        # its end alone, and fail without stopping the other streams.
        del context, write_messages
        try:
            with RowCounter(self.name, self.count, self.turn) as counter, self.get_sync_timer():
                whole = self._sync_pages(counter)
        except Exception as exc:  # noqa: BLE001 - the tap reads the other streams, then fails
            self._fail(exc)
        else:
            if whole is None:
                self.state_manager.is_flushed = False
                self._write_state_message()
            else:
                end = {"stream": self.name, "rows": whole}
                self._tap.write_message(EndOfStream(value=self.tap_state, end_of_stream=end))
        yield from ()

    # Reading and writing

    def _sync_pages(self, counter: Counter) -> int | None:
        """Read and write all pages; returns the number of rows if these are all that the stream has."""
        columns = self._read_columns()
        bookmark = self._bookmark()
        if self.bookmark_column is None and self.replication_method == REPLICATION_INCREMENTAL:
            self.logger.warning(
                "%s can only be read in full; ignoring INCREMENTAL, which the catalog requests.", self.name
            )
        self.begin()
        records = self._records(columns)
        limit = self.ABORT_AT_RECORD_COUNT
        if limit is not None:
            counter.increment(self._write_page(columns, records, None, self.sample(limit)[:limit]))
            return None
        changes, count = self._begin_changes(columns, records), 0
        for rows in self.read(self._since(bookmark) if changes is None else None):
            counter.increment(written := self._write_page(columns, records, changes, rows))
            count += written
            if self.bookmark_column is not None:
                with reading(self.name, "the fields of the bookmark"):
                    self.seen(rows)
        if changes is not None:
            counter.increment(changes.write_gone())
        if self._is_incremental:
            with reading(self.name, "the fields of the bookmark"):
                state = self.conclude(bookmark, self.started)
            if state:
                self.stream_state.clear()
                self.stream_state.update(state)
        if changes is not None:
            self.stream_state[_SNAPSHOTS] = changes.complete()
        is_partial = changes is not None or self._is_incremental or self.may_omit_rows
        return None if is_partial or not isinstance(records, PageRecords) else count

    def _write_page(
        self, columns: Sequence[Column], records: Records, changes: Changes | None, rows: Sequence[Row]
    ) -> int:
        # A separate function, so that the columns leave memory before the next page is read.
        self._report_unknown(rows)
        filled = self._fill(columns, rows)
        if changes is not None:
            return changes.write(filled, self._fill(self._key_columns, rows))
        records.write(filled)
        return len(rows)

    def _records(self, columns: Sequence[Column]) -> Records:
        names = [column.name for column in columns]
        output = self._tap.message_writer
        if isinstance(output, PageWriter) and self._writes_whole_pages:
            return PageRecords(names, self.name, output)
        return SingleRecords(names, self._write_mapped)

    def _write_mapped(self, record: dict[str, Any]) -> None:
        try:
            self._write_record_message(record)
        except MailingError:
            raise
        except Exception as exc:
            if not self.config.get("stream_maps"):
                raise
            raise map_failure(self.name, exc) from None

    def _begin_changes(self, columns: Sequence[Column], records: Records) -> Changes | None:
        if self.snapshots is None:
            if self.stream_state.pop(_SNAPSHOTS, None) is not None:
                # This run's rows are not in the snapshot, so STATE must no longer name it.
                self.state_manager.is_flushed = False
                self._write_state_message()
            return None
        record_format = [
            [(column.name, column.schema) for column in columns],
            sorted(breadcrumb for breadcrumb, selected in self.mask.items() if not selected),
            [self.config.get(setting) for setting in MAPPING_SETTINGS],
        ]
        return Changes(
            self.snapshots,
            records,
            stream=self.name,
            fixed={"provider": self.provider, "account": self.client.account},
            keys=self._key_columns,
            hides_keys=self.address_in_key,
            shape=msgspec.json.encode(record_format, order="deterministic"),
            state=self.stream_state.get(_SNAPSHOTS),
        )

    @cached_property
    def _key_columns(self) -> Sequence[Column]:
        """The columns that identify a row within its account."""
        return [column for column in self._all_columns("") if column.name in self.keys and column.fields]

    @property
    def _writes_whole_pages(self) -> bool:
        (stream_map, *others) = self.stream_maps
        if others or type(stream_map) is not SameRecordTransform or stream_map.flattening_enabled:
            return False
        return all(selected or len(breadcrumb) <= 2 for breadcrumb, selected in self.mask.items())

    def _fill(self, columns: Sequence[Column], rows: Sequence[Row]) -> list[Sequence[Any]]:
        return [column.read(rows, self.name) for column in columns]

    def _all_columns(self, account: str) -> list[Column]:
        declared = {column.name: column for column in self.columns}
        fixed = {"provider": self.provider, "account": account}
        shared = column_schemas(KINDS[self.kind]) if self.kind else _IDENTITY
        columns = []
        for name, schema in shared.items():
            column = declared.pop(name, None) or constant(name, schema, fixed.get(name))
            columns.append(msgspec.structs.replace(column, schema=schema))
        return [*columns, *declared.values(), *((DELETED_AT,) if self.detects_changes else ())]

    def _read_columns(self) -> list[Column]:
        return [column for column in self._all_columns(self.client.account) if column.name in self._selected]

    @cached_property
    def _selected(self) -> frozenset[str]:
        offered = self.effective_schema.get("properties", {})
        return frozenset(
            name for name in self.schema["properties"] if name in offered and self.mask["properties", name]
        )

    def _report_unknown(self, rows: Sequence[Row]) -> None:
        unknown = set().union(*rows) - self._known
        if unknown:
            self._known |= unknown
            self.logger.warning(
                "Skipped fields that this version does not know: %s. Please report them.", ", ".join(sorted(unknown))
            )

    # Bookmarks

    @property
    def _is_incremental(self) -> bool:
        return self.bookmark_column is not None and self.replication_method == REPLICATION_INCREMENTAL

    def _bookmark(self) -> str | None:
        if not self._is_incremental or self.stream_state.get("replication_key") != self.bookmark_column:
            return None
        try:
            return values.timestamp(self.stream_state.get("replication_key_value"))
        except (TypeError, ValueError):
            raise ConfigurationError(
                f"STATE of stream {self.name}: `replication_key_value` must be a date-time. Correct it, or remove the "
                "stream's bookmark to read everything again."
            ) from None

    def _since(self, bookmark: str | None) -> str | None:
        options = self.connection.options
        if not self._is_incremental:
            return None
        if bookmark is None:
            return options.start_date
        since = max(values.earlier(bookmark, options.lookback), options.start_date or "")
        return since if since > values.EARLIEST else None

    # Failure

    def _fail(self, exc: Exception) -> None:
        self.failure = type(exc).__name__
        if isinstance(exc, Refusal) and not self.connection.refused(exc):
            self.logger.info("%s was not read, for the reason logged above.", self.name)
            return
        self.logger.error("%s was not read completely: %s", self.name, failure_message(exc))
        # The stack alone: the exception's message may quote a row.
        self.logger.debug("%s", "".join(traceback.format_tb(exc.__traceback__)))
