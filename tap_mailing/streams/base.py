"""What the streams of all providers share: selection, shaping, incremental rules, failure.

A stream moves whole pages: its provider's rows come in, columns are filled a page at a time, and records go out a
page at a time. A stream map, flattening or the selection of a part of a column needs records one by one; then the
SDK's own way is taken from there on.
"""

from __future__ import annotations

import abc
import traceback
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
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
from tap_mailing.records.columns import Column, Row, constant, reading
from tap_mailing.records.records import PageRecords, Records, SingleRecords, now
from tap_mailing.records.writer import PageWriter
from tap_mailing.streams.catalog_entry import complete, include
from tap_mailing.streams.connection import Client, Connection, Refusal

__all__ = ["MailingStream"]

C = TypeVar("C", bound=Client)

#: The entry of a stream's STATE that names the generation of each account's snapshot.
_SNAPSHOTS = "snapshots"

#: Settings by which the SDK makes records of rows.
_MAPPING_SETTINGS = (
    "stream_maps",
    "stream_map_config",
    "faker_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
)

_IDENTITY: dict[str, dict[str, Any]] = {name: {"type": "string"} for name in ("provider", "account", "id")}


class MailingStream(Stream, abc.ABC, Generic[C]):
    """One stream of one provider.

    Attributes:
        provider: for example `mailjet`.
        kind: one of `mailing_api.kinds.KINDS`, whose columns the stream begins with; None for a stream that begins
            with `provider`, `account` and `id` alone.
        columns: in order: those of the kind that the provider fills, then the provider's own.
        keys: the columns that make a row's key.
        bookmark_column: the replication key; None for a stream that is always read in full.
        ignored: provider fields deliberately not carried.
        selected_by_default: False only for a stream that needs one request for each row, or that leaves a trace.
        leaves_trace: reading it leaves something behind at the provider, so it is never read by a test.
        filtered_here: the provider cannot be asked what changed, although there is a bookmark: every walk is over all
            rows, and `read` leaves the older ones out.
        address_in_key: the key may hold an e-mail address, which a snapshot does not keep.
        state_members: what its entry of STATE may hold beside the replication key, each with its type in JSON.
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
    state_members: ClassVar[Mapping[str, type]] = {_SNAPSHOTS: dict}

    #: When reading began.
    started: str

    # Rows are shaped to the schema here, column by column; converting them once more would cost half the run.
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
        #: Set for a run that is to write only what changed.
        self.snapshots: Snapshots | None = None
        self.started = ""

    @classmethod
    def can_detect_changes(cls) -> bool:
        """Whether `change_detection` is for this stream: every run reads all of its rows, and they stay the same."""
        return (cls.bookmark_column is None or cls.filtered_here) and not cls.leaves_trace

    # For the provider's streams

    @abc.abstractmethod
    def read(self, since: str | None) -> Iterable[Sequence[Row]]:
        """The provider's rows, page by page.

        Args:
            since: of an incremental stream, read what changed from then on; None for everything.
        """

    @abc.abstractmethod
    def sample(self, count: int) -> Sequence[Row]:
        """Some of the provider's rows, by a single request."""

    def seen(self, rows: Sequence[Row]) -> None:
        """Rows were written; to be overridden where `conclude` needs to know them."""

    def conclude(self, bookmark: str | None, started: str) -> Mapping[str, Any]:
        """The stream's STATE after everything was read and written; empty to leave it as it was.

        Args:
            bookmark: where the bookmark stood.
            started: when reading began; a bookmark never passes it.
        """
        del bookmark, started
        return {}

    def bookmark_at(self, value: str | None) -> dict[str, Any]:
        """A bookmark as STATE entries."""
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
        """Apply a catalog. Keys, and the column that tells deletions, are there although the catalog may lack them."""
        entry = catalog.get_stream(self.name)
        if entry is not None:
            automatic = {*self.keys, *filter(None, [self.bookmark_column])}
            automatic |= {DELETED_AT.name} if self.detects_changes else set()
            complete(entry, self.schema, automatic, selected=self.selected_by_default)
        super().apply_catalog(catalog)

    @property
    def metadata(self) -> MetadataMapping:
        """The SDK's; the column that tells deletions cannot be deselected."""
        found = super().metadata
        if self.detects_changes:
            include(found, DELETED_AT.name)
        return found

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        """All records one by one; no bookmark moves."""
        del context
        columns = self._read_columns()
        names = [column.name for column in columns]
        self.started = now()
        for rows in self.read(self._since(self._bookmark())):
            for record in self._shape(columns, rows):
                yield dict(zip(names, record, strict=True))

    def get_replication_key_signpost(self, context: Mapping[str, Any] | None = None) -> None:
        """None: bookmarks are held back here, at the end of the stream."""
        del context

    @property
    def emit_activate_version_messages(self) -> bool:
        """False: it would make a target delete old rows before the new ones are known to be complete."""
        return False

    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """None: BATCH files would bypass selection and stream maps."""
        del config

    def _sync_records(
        self, context: Mapping[str, Any] | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        # Overrides the SDK's loop over single records: it is the one place from which pages can be written whole,
        # the bookmark can wait for the end, and a failure can leave the other streams to be read.
        del context, write_messages
        try:
            with self.get_record_counter() as counter, self.get_sync_timer():
                self._sync_pages(counter)
        except Exception as exc:  # noqa: BLE001 - the tap goes on with the other streams and fails at its end
            self._fail(exc)
        else:
            self.state_manager.is_flushed = False
            self._write_state_message()
        yield from ()

    # Reading and writing

    def _sync_pages(self, counter: Counter) -> None:
        columns = self._read_columns()
        bookmark = self._bookmark()
        if self.bookmark_column is None and self.replication_method == REPLICATION_INCREMENTAL:
            self.logger.warning("%s can only be read in full; the catalog asks for %s.", self.name, "INCREMENTAL")
        self.started = now()
        records = self._records(columns)
        limit = self.ABORT_AT_RECORD_COUNT
        changes = self._begin_changes(columns, records) if limit is None else None
        if limit is not None:
            pages: Iterable[Sequence[Row]] = [self.sample(limit)[:limit]]
        else:
            pages = self.read(self._since(bookmark) if changes is None else None)
        for rows in pages:
            self._report_unknown(rows)
            counter.increment(self._write_page(columns, records, changes, rows))
            if limit is None:
                with reading(self.name, "the fields that the bookmark goes by"):
                    self.seen(rows)
        if changes is not None:
            counter.increment(changes.write_gone())
        if limit is None and self._is_incremental:
            with reading(self.name, "the fields that the bookmark goes by"):
                state = self.conclude(bookmark, self.started)
            if state:
                self.stream_state.clear()
                self.stream_state.update(state)
        if changes is not None:
            self.stream_state[_SNAPSHOTS] = changes.complete()

    def _write_page(
        self, columns: Sequence[Column], records: Records, changes: Changes | None, rows: Sequence[Row]
    ) -> int:
        # A function of its own, so that its columns are not in memory while the next page is waited for.
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
                # The snapshot does not see what is written from here on, so STATE must not name it any more.
                self.state_manager.is_flushed = False
                self._write_state_message()
            return None
        made_by = [
            [(column.name, column.schema) for column in columns],
            sorted(breadcrumb for breadcrumb, chosen in self.mask.items() if not chosen),
            [self.config.get(setting) for setting in _MAPPING_SETTINGS],
        ]
        return Changes(
            self.snapshots,
            records,
            stream=self.name,
            fixed={"provider": self.provider, "account": self.client.account},
            keys=self._key_columns,
            hides_keys=self.address_in_key,
            shape=msgspec.json.encode(made_by, order="deterministic"),
            state=self.stream_state.get(_SNAPSHOTS),
        )

    @cached_property
    def _key_columns(self) -> Sequence[Column]:
        """Those that tell the rows of one account apart."""
        return [column for column in self._all_columns("") if column.name in self.keys and column.fields]

    @property
    def _writes_whole_pages(self) -> bool:
        (stream_map, *others) = self.stream_maps
        in_parts = any(len(breadcrumb) > 2 and not chosen for breadcrumb, chosen in self.mask.items())
        return (
            not others
            and type(stream_map) is SameRecordTransform
            and not stream_map.flattening_enabled
            and not in_parts
        )

    def _shape(self, columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
        return zip(*self._fill(columns, rows), strict=True)

    def _fill(self, columns: Sequence[Column], rows: Sequence[Row]) -> list[Sequence[Any]]:
        return [column.read(rows, self.name) for column in columns]

    def _all_columns(self, account: str) -> list[Column]:
        declared = {column.name: column for column in self.columns}
        fixed = {"provider": self.provider, "account": account}
        shared = column_schemas(KINDS[self.kind]) if self.kind else _IDENTITY
        found = []
        for name, schema in shared.items():
            column = declared.pop(name, None)
            if column is None:
                found.append(constant(name, schema, fixed.get(name)))
            else:
                found.append(msgspec.structs.replace(column, schema=schema))
        return [*found, *declared.values(), *((DELETED_AT,) if self.detects_changes else ())]

    def _read_columns(self) -> list[Column]:
        return [column for column in self._all_columns(self.client.account) if column.name in self._selected]

    @cached_property
    def _selected(self) -> frozenset[str]:
        offered = self.effective_schema.get("properties", {})
        return frozenset(name for name in self.schema["properties"] if name in offered and self._is_selected(name))

    def _is_selected(self, name: str) -> bool:
        return self.mask["properties", name]

    def _report_unknown(self, rows: Sequence[Row]) -> None:
        unknown = set().union(*rows) - self._known
        if unknown:
            self._known |= unknown
            self.logger.warning(
                "Fields that this version does not know were left out: %s. Please report them.",
                ", ".join(sorted(unknown)),
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
                f"STATE of stream {self.name}: `replication_key_value` is no date-time. Correct it, or remove the "
                "stream's bookmark to read everything again."
            ) from None

    def _since(self, bookmark: str | None) -> str | None:
        options = self.connection.options
        if not self._is_incremental or bookmark is None:
            return options.start_date if self._is_incremental else None
        since = max(values.earlier(bookmark, options.lookback), options.start_date or "")
        return since if since > values.EARLIEST else None

    # Failure

    def _fail(self, exc: Exception) -> None:
        self.failure = type(exc).__name__
        if isinstance(exc, Refusal) and not self.connection.refused(exc):
            self.logger.info("%s was not read, for the reason told before.", self.name)
            return
        if isinstance(exc, MailingError):
            said = str(exc)
        elif isinstance(exc, RecursionError):
            said = "the provider's answer holds a value that is nested too deeply."
        else:
            said = f"{type(exc).__name__}. This is a defect of the tap; please report it with a log at level DEBUG."
        self.logger.error("%s was not read to its end: %s", self.name, said)
        # The places, not the exception: its text may quote a row.
        self.logger.debug("%s", "".join(traceback.format_tb(exc.__traceback__)))
