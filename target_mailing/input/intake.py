"""From lines to rows: Singer messages are read, streams compiled, and every record becomes a row or ends."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import msgspec
from singer_sdk.mapper import PluginMapper

from mailing_api.errors import ConfigurationError
from target_mailing.contacts.fields import RowRejected, attempt
from target_mailing.delivery.checkpoints import Ledger
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.router import Router
from target_mailing.input.actions import respectful_action
from target_mailing.input.collector import Collector
from target_mailing.input.input_observer import InputObserver
from target_mailing.input.key_form import key_form
from target_mailing.input.messages import (
    BLANK,
    DamagedRecord,
    Message,
    before_schema,
    optional_value,
    parse,
    parse_record,
    plain,
    state_value,
    unsupported,
)
from target_mailing.input.partial_maps import Part
from target_mailing.input.schemas import MappedSchema, SchemaReader, StreamSchema, bookmarks
from target_mailing.input.source_keys import SourceKeys
from target_mailing.input.stream import Stream, WithOptOut
from target_mailing.input.stream_maps import StreamMaps
from target_mailing.interface.destination import ListsByRow
from target_mailing.journal.journal import Journal
from target_mailing.journal.rejects_file import Rejects
from target_mailing.journal.retried import Retried
from target_mailing.rows.lines import REJECT_COLUMNS, Line, Lines
from target_mailing.rows.row import Row
from target_mailing.rows.row_queue import OpensQueues
from target_mailing.rows.unreadable import are_legible
from target_mailing.settings.settings import StreamSettings
from target_mailing.settings.stream_settings import StreamOverrides

__all__ = ["Intake"]

logger = logging.getLogger("target-mailing.intake")

_KIND: Final = attrgetter("type", "stream")

#: SCHEMAs of a stream that are kept compiled.
_MOST_KEPT = 32

_OF_REJECTS: Final = frozenset(REJECT_COLUMNS)
_EXCLUDED: Final = "`stream_maps` excludes it"


class _Compiled(msgspec.Struct, frozen=True):
    """A SCHEMA and its streams, kept for when it comes again; None for a stream that is skipped."""

    schema: StreamSchema
    streams: Sequence[Stream | None]


class Intake:
    """Takes in the lines of one input."""

    def __init__(
        self,
        *,
        config: Mapping[str, Any],
        mapper: PluginMapper | None,
        journal: Journal,
        ledger: Ledger,
        outcomes: Outcomes,
        delivery: OpensQueues,
        rejects: Rejects,
        router: Router,
        mirror: InputObserver | None = None,
    ) -> None:
        """Make an intake.

        Args:
            config: the plugin's settings.
            mapper: the SDK's stream maps and flattening, or None when there are none.
            journal: the local memory.
            ledger: gets the STATEs, and the lines that are no rows.
            outcomes: gets the rows that end here; its history gets the keys of all.
            delivery: gets the other rows.
            rejects: gets the streams' columns.
            router: finds the streams' destinations.
            mirror: gets to know whom the lines name; None where no stream is a mirror.
        """
        self._mirror = mirror
        self._config = config
        self._maps = None if mapper is None else StreamMaps(mapper, config)
        self._keys = SourceKeys(outcomes.history, config, journal.hashes, has_maps=mapper is not None)
        self._schemas = SchemaReader(config, self._maps, router.provider.channel)
        self._ledger = ledger
        self._outcomes = outcomes
        self._delivery = delivery
        self._rejects = rejects
        self._router = router
        #: By stream, the columns of its key.
        self.key_columns: dict[str, Sequence[str]] = {}
        #: The entries of the setting `streams`.
        self.entries = StreamOverrides(config)
        self.messages: Counter[str] = Counter()
        self._covered = 0
        self._journal = journal
        #: The rejects of earlier runs that are the input, if they are.
        self.retried: Retried | None = None
        self._streams: dict[str, Sequence[Stream | None]] = {}
        #: The lines about streams' columns that were logged.
        self._logged: set[str] = set()
        self._compiled: dict[str, dict[tuple[bytes, str], _Compiled]] = {}
        self._versions: dict[str, tuple[bytes, str]] = {}
        #: Streams of a rejects file.
        self._replayed: set[str] = set()
        #: The stream whose records are expected next, and are decoded at once with their messages.
        self._current: Stream | None = None

    def destinations_of(self, source: str) -> set[str]:
        """The names of the destinations of a stream, whose SCHEMA came."""
        return {stream.queue.destination.name for stream in self._streams.get(source, ()) if stream is not None}

    @property
    def ends_in_state(self) -> bool:
        """Whether a STATE came after the last record."""
        return self._covered == self.messages["RECORD"]

    def end(self) -> None:
        """At the end of a run without errors: note that, and report settings of streams that matched no stream.

        Raises:
            ConfigurationError: one of them changes what happens to contacts, and a stream had no entry.
        """
        if not self.messages:
            logger.warning(
                "The input is empty. If rows were expected, check that the tap ran and that streams are selected"
            )
        if self._maps is not None:
            self._maps.warn_of_unused()
        self.entries.check()
        self._journal.absent.end_streams()

    def take(self, lines: Lines) -> None:
        """Take in lines; those before a faulty one are taken, too.

        Raises:
            InputError: a line is no Singer message, or a record came before its SCHEMA.
            ConfigurationError: a stream does not fit the settings.
            MailingError: the provider could not be queried about the destination.
        """
        collector = Collector(lines, self._journal, self._outcomes, self._mirror, self._keys, retried=self.retried)
        number = lines.first
        try:
            for run in self._runs(lines):
                self._take_run(number, run, lines, collector)
                number += len(run)
        finally:
            collector.hand_on()

    def _runs(self, lines: Lines) -> Iterator[Sequence[Message]]:
        """The lines' messages: those of one kind in a row together, decoded at once where that is possible."""
        rest, number, end = iter(lines.each), lines.first, lines.first + len(lines.each)
        is_legible = are_legible(lines.each)
        while number < end:
            decoder = None if self._current is None else self._current.decoder
            if is_legible and decoder is not None:
                messages = decoder.leading(rest)
                yield from (tuple(run) for _, run in groupby(messages, _KIND))
                number += len(messages)
            else:
                next(rest)
            if number < end:
                yield (self._message(Line(number, lines)),)
                number += 1

    def _message(self, line: Line) -> Message:
        raw = line.raw
        if not raw or raw.isspace():
            return BLANK
        decoder = None if self._current is None else self._current.decoder
        expected = None if decoder is None else decoder.one(raw)
        return parse(line) if expected is None else expected

    def _take_run(self, first: int, messages: Sequence[Message], lines: Lines, collector: Collector) -> None:
        """Take in messages of one kind in a row."""
        stream, message, numbers = self._current, messages[0], range(first, first + len(messages))
        if message is BLANK:
            self._ledger.settle(numbers)
        elif message.type != "RECORD":
            for number, other in zip(numbers, messages, strict=True):
                self._take_other(number, other)
        elif (
            stream is not None
            and type(message) is stream.message_type
            and message.stream == stream.source
            and (values := stream.values_of(messages)) is not None
        ):
            self._count_rows(stream.source, numbers)
            if self._mirror is not None:
                self._mirror.read(stream.source, messages)
            collector.take(numbers, stream, values)
        else:
            for number, other in zip(numbers, messages, strict=True):
                if self._mirror is not None:
                    self._mirror.read(other.stream, [other])
                self._take_record(Line(number, lines), other.stream, collector)

    def _take_other(self, number: int, message: Message) -> None:
        """Take in a message that is no record."""
        if message.type == "STATE":
            value = state_value(number, message)
            self._ledger.state(number, value)
            if self._mirror is not None:
                self._mirror.other(message, optional_value(message.value))
            self._covered = self.messages["RECORD"]
        elif message.type == "SCHEMA":
            self._take_schema(number, message)
            self._ledger.settle([number])
        elif message.type == "ACTIVATE_VERSION":
            if self._mirror is not None:
                self._mirror.other(message, {})
            self._ledger.settle([number])
        else:
            raise unsupported(number, message)
        self.messages[message.type] += 1

    # Records

    def _count_rows(self, name: str, numbers: Sequence[int]) -> None:
        self.messages["RECORD"] += len(numbers)
        self._outcomes.streams.begin(numbers[0], name, len(numbers))
        if name in self._replayed:
            if self._mirror is not None:
                self._mirror.replayed(name)
            for number in numbers:
                self._outcomes.replayed.add(number)

    def _take_record(self, line: Line, name: str, collector: Collector) -> None:
        """Take in a record that was not expected: of another stream, mapped, or not of the expected type."""
        number = line.number
        self._count_rows(name, [number])
        streams = self._streams.get(name)
        if streams is None:
            raise before_schema(number, name)
        stream = streams[0] if self._maps is None else None
        if stream is not None and (values := stream.decoded(line.raw)) is not None:
            self._current = stream
            collector.take([number], stream, [values])
            return
        record = parse_record(line)
        collector.name(number, name, record.columns if isinstance(record, DamagedRecord) else record)
        if isinstance(record, DamagedRecord):
            self._take_damaged(line, record, streams, collector)
            return
        records: Sequence[dict[str, Any] | None] = [record]
        if self._maps is not None:
            records = self._maps.transformed(name, record, number)
        collector.begin(streams)
        mapped = [(stream, one) for stream, one in zip(streams, records, strict=True) if one is not None]
        if len(mapped) > 1:
            self._outcomes.expect(number, len(mapped))
        filtered = [stream for stream, one in zip(streams, records, strict=True) if one is None]
        if filtered:
            collector.filtered(number, filtered, record, self._maps.changed_columns(name) if self._maps else ())
        if self._mirror is not None:
            self._mirror.name_filtered(filtered, record)
        for stream, one in mapped:
            self._take_checked(line, one, stream, collector)
        if not mapped:
            collector.skip(number)

    def _take_checked(self, line: Line, record: dict[str, Any], stream: Stream | None, collector: Collector) -> None:
        """Take in a record that was decoded without a check; None where its stream is skipped."""
        if stream is None:
            collector.skip(line.number)
            return
        values = attempt(stream.check, record)
        if isinstance(values, RowRejected):
            if self._mirror is not None:
                self._mirror.name(stream, [stream.read(record)])
            collector.add(line.number, stream.take_unfit(line, record, values), stream)
        else:
            collector.take([line.number], stream, [values])

    def _take_damaged(
        self, line: Line, record: DamagedRecord, streams: Sequence[Stream | None], collector: Collector
    ) -> None:
        """Take in a record that cannot be read as a whole; stream maps are applied as far as that is safe."""
        if self._mirror is not None:
            self._mirror.unreadable()
        parts: Iterable[Part | None] = [Part(record.columns, record.damaged, is_whole=record.is_whole)]
        if self._maps is not None and not record.is_whole:
            parts = [Part(is_known=False)] * len(streams)  # an expression may need any column
        elif self._maps is not None:
            parts = self._maps.in_part(record.stream, record.columns, record.damaged)
        results = [
            (stream, stream.take_damaged(line, part, record.reason))
            for stream, part in zip(streams, parts, strict=True)
            if stream is not None and part is not None
        ]
        rows = [
            (stream, result.row if isinstance(result, WithOptOut) else result)
            for stream, result in results
            if not isinstance(result, tuple)
        ]
        ends = [
            (stream, result.end if isinstance(result, WithOptOut) else result)
            for stream, result in results
            if type(result) is not Row
        ]
        outputs = [*rows, *ends[:1]]  # the record is rejected only once
        if len(outputs) > 1:
            is_opt_out = any(isinstance(one, WithOptOut) and stream.is_opt_out(one.row) for stream, one in results)
            self._outcomes.expect(line.number, len(outputs), is_opt_out=is_opt_out)
        for stream, result in outputs:
            collector.add(line.number, result, stream)
        if not outputs:
            collector.skip(line.number)

    # Streams

    def _take_schema(self, number: int, message: Message) -> None:
        name, version = message.stream, (bytes(message.schema), repr((message.key_properties, bookmarks(message))))
        if self._versions.get(name) == version:
            return
        compiled = self._compiled.setdefault(name, {})
        if version not in compiled:
            schema = self._schemas.read(number, message)
            streams = [self._stream(mapped, message) for mapped in schema.mapped]
            if len(compiled) == _MOST_KEPT:
                del compiled[next(iter(compiled))]
            compiled[version] = _Compiled(schema, streams)
        schema = compiled[version].schema
        is_replayed = _OF_REJECTS.issubset(schema.columns)
        self._rejects.declare(name, schema.columns, schema.keys)
        self._journal.open_rejects.declare(name, plain(message), is_taps=not is_replayed)
        self._keys.use(name, schema.keys)
        if self._maps is not None:
            self._maps.use(name, schema.maps)
        self._streams[name] = compiled[version].streams
        self._versions[name] = version
        if is_replayed:
            self._replayed.add(name)
        else:
            self._replayed.discard(name)
        self._current = None

    def _stream(self, schema: MappedSchema, message: Message) -> Stream | None:
        """The stream of a SCHEMA; None where it is skipped."""
        name = schema.stream
        self.entries.met(name, skipped=schema.is_skipped)
        if schema.is_skipped:
            why = _EXCLUDED if schema.is_excluded else "it is not a stream of contacts"
            logger.info("Stream %r is skipped: %s", name, why)
            return None
        settings = StreamSettings.resolve(self._config, name)
        queue = self._router.queue(settings, self._delivery)
        where = queue.destination.name
        lists = [repr(one) for one in settings.lists if not where.endswith(f":{one}")]
        action = respectful_action(settings, queue.destination)
        logger.info("Stream %r goes to %s (%s)", name, ", ".join([where, *lists]), action)
        self.key_columns[message.stream] = schema.keys
        origin, marks, hashes = message.stream, bookmarks(message), self._journal.hashes
        try:
            stream = Stream(schema, source=origin, bookmarks=marks, settings=settings, queue=queue, hashes=hashes)
        except ConfigurationError:
            if not schema.is_excluded:
                raise
            logger.info("Stream %r is skipped: %s", name, _EXCLUDED)
            return None
        form = key_form(schema, self._journal.hashes)
        names_lists = isinstance(queue.destination, ListsByRow)
        is_known = self._journal.absent.begin_stream(
            where, message.stream, form, names_lists=names_lists, by_address=stream.is_by_address
        )
        if self._mirror is not None:
            columns = schema.schema.get("properties", {})
            known_form = (form, is_known)
            self._mirror.add(message.stream, queue, settings, bookmarks(message), columns=columns, key_form=known_form)
        if stream.report.line not in self._logged:  # a SCHEMA may be repeated
            self._logged.add(stream.report.line)
            logger.info("%s", stream.report.line)
            for warning in stream.report.warnings:
                logger.warning("%s", warning)
        return stream
