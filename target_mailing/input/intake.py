"""From lines to rows: Singer messages are read, streams compiled, and every record becomes a row or ends."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from singer_sdk.mapper import PluginMapper, StreamMap

from target_mailing.delivery.checkpoints import Ledger
from target_mailing.delivery.engine import Delivery
from target_mailing.delivery.outcomes import Outcome, Outcomes
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.input.actions import respectful_action
from target_mailing.input.messages import (
    DamagedRecord,
    Message,
    before_schema,
    bookmarks,
    check_name,
    key_columns,
    parse,
    parse_record,
    schema_value,
    state_value,
    unsupported,
)
from target_mailing.input.partial_maps import Part
from target_mailing.input.schema_safety import safe_schema
from target_mailing.input.stream import Both, End, Stream
from target_mailing.input.stream_maps import StreamMaps
from target_mailing.journal.journal import Journal, Reject
from target_mailing.journal.rejects_file import RejectsFile, key_properties
from target_mailing.lines import REJECT_COLUMNS, Lines
from target_mailing.router import Router
from target_mailing.row import Row
from target_mailing.settings import StreamSettings
from target_mailing.stream_settings import StreamOverrides

__all__ = ["Intake"]

logger = logging.getLogger("target-mailing.intake")

#: SCHEMAs of a stream that are kept compiled.
_MOST_KEPT = 32


class _Compiled(msgspec.Struct, frozen=True):
    """What a SCHEMA was made into, kept for when it comes again."""

    streams: list[Stream | None]
    maps: Sequence[StreamMap]
    columns: Sequence[str]
    keys: Sequence[str]


_OF_REJECTS: Final = frozenset(REJECT_COLUMNS)


class _Taken:
    """What became of a chunk of lines, until it is handed on all at once."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.queue: DestinationQueue | None = None
        self.rejects: list[Reject] = []
        self.ends: list[tuple[tuple[int, ...], Outcome, str | None]] = []


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
        delivery: Delivery,
        rejects: RejectsFile,
        router: Router,
    ) -> None:
        """Make an intake.

        Args:
            config: the plugin's settings.
            mapper: the SDK's stream maps and flattening, or None when there are none.
            journal: the local memory.
            ledger: is told of STATEs and of lines that are no rows.
            outcomes: is told of rows that end here.
            delivery: gets the others.
            rejects: is told of streams' columns.
            router: knows the streams' destinations.
        """
        self._config = config
        self._maps = None if mapper is None else StreamMaps(mapper, config)
        self._journal = journal
        self._ledger = ledger
        self._outcomes = outcomes
        self._delivery = delivery
        self._rejects = rejects
        self._router = router
        #: Those of the setting `streams`.
        self.entries = StreamOverrides(config)
        self.messages: Counter[str] = Counter()
        self._covered = 0
        self._streams: dict[str, list[Stream | None]] = {}
        #: What was said of streams' columns.
        self._told: set[str] = set()
        self._compiled: dict[str, dict[tuple[bytes, str], _Compiled]] = {}
        self._schemas: dict[str, tuple[bytes, str]] = {}
        #: Streams that are of a rejects file.
        self._replayed: set[str] = set()
        #: Whose records are expected next, and are decoded at once with their messages.
        self._current: Stream | None = None

    @property
    def ends_in_state(self) -> bool:
        """Whether a STATE came after the last record."""
        return self._covered == self.messages["RECORD"]

    def end(self) -> None:
        """At the end of the input: tell which settings of streams fitted none.

        Raises:
            ConfigurationError: one of them says what becomes of people, and a stream went by the general settings.
        """
        if self._maps is not None:
            self._maps.tell_unused()
        self.entries.check()

    def take(self, lines: Lines) -> None:
        """Take in lines; those before a faulty one count.

        Raises:
            InputError: a line is no Singer message, or a record came before its SCHEMA.
            ConfigurationError: a stream does not fit the settings.
            MailingError: the destination could not be asked.
        """
        taken = _Taken()
        expected = 0
        try:
            for number, message in enumerate(self._messages(lines), lines.first):
                stream = self._current
                if message is None:
                    self._ledger.settle([number])
                elif message.type != "RECORD":
                    self._take_other(number, message)
                    if message.type == "STATE":
                        self._covered = self.messages["RECORD"] + expected
                elif (
                    stream is not None
                    and type(message) is stream.message_type
                    and message.stream == stream.source
                    and message.record is not None
                ):
                    expected += 1
                    if stream.source in self._replayed:
                        self._outcomes.replayed.add(number)
                    found = stream.take(number, message.record, lines)
                    if type(found) is Row and stream.queue is taken.queue:
                        taken.rows.append(found)
                    else:
                        self._end(number, found, stream, taken)
                else:
                    self._take_record(number, message.stream, lines, taken)
        finally:
            self.messages["RECORD"] += expected
            if taken.rejects:
                self._journal.note_rows(rejects=taken.rejects)
            self._outcomes.settle_all(taken.ends)
            self._offer(taken)

    def _messages(self, lines: Lines) -> Iterable[Message | None]:
        """The lines' messages, None for a blank line: decoded at once if all are alike."""
        decoder = None if self._current is None else self._current.decoder
        found = None if decoder is None else decoder.all(lines)
        return self._one_by_one(lines) if found is None else found

    def _one_by_one(self, lines: Lines) -> Iterator[Message | None]:
        for number, line in enumerate(lines.each, lines.first):
            if not line or line.isspace():
                yield None
            else:
                expected = None if self._current is None else self._current.decode(line)
                yield parse(number, lines) if expected is None else expected

    def _take_other(self, number: int, message: Message) -> None:
        """Take in a message that is no record."""
        if message.type == "STATE":
            self._ledger.state(number, state_value(number, message))
        elif message.type == "SCHEMA":
            self._take_schema(number, message)
            self._ledger.settle([number])
        elif message.type == "ACTIVATE_VERSION":
            logger.debug("Line %d: ACTIVATE_VERSION is ignored; absence never removes a contact", number)
            self._ledger.settle([number])
        else:
            raise unsupported(number, message)
        self.messages[message.type] += 1

    # Records

    def _take_record(self, number: int, name: str, lines: Lines, taken: _Taken) -> None:
        """Take in a record that was not expected: of another stream, mapped, or not fitting its type."""
        self.messages["RECORD"] += 1
        if name in self._replayed:
            self._outcomes.replayed.add(number)
        streams = self._streams.get(name)
        if streams is None:
            raise before_schema(number, name)
        line = lines.line(number)
        if self._maps is None and (stream := streams[0]) is not None and (message := stream.decode(line)) is not None:
            self._current = stream
            self._end(number, stream.take(number, message.record, lines), stream, taken)
            return
        record = parse_record(number, lines)
        if isinstance(record, DamagedRecord):
            self._take_damaged(number, record, streams, lines, taken)
        elif self._maps is None:
            stream = streams[0]
            self._end(number, None if stream is None else stream.take_checked(number, record, lines), stream, taken)
        else:
            self._take_mapped(number, self._maps.transformed(name, record, number), streams, lines, taken)

    def _take_damaged(
        self, number: int, record: DamagedRecord, streams: Sequence[Stream | None], lines: Lines, taken: _Taken
    ) -> None:
        """Take in a record of which not all can be read; stream maps make of it what can be told for sure."""
        parts: Iterable[Part | None] = [Part(record.columns, record.damaged, is_whole=record.is_whole)]
        if self._maps is not None and not record.is_whole:
            parts = [Part(is_told=False)] * len(streams)  # an expression may ask for any column
        elif self._maps is not None:
            parts = self._maps.in_part(record.stream, record.columns, record.damaged)
        found = [
            (stream, stream.take_damaged(number, part, record.reason, lines))
            for stream, part in zip(streams, parts, strict=True)
            if stream is not None and part is not None
        ]
        rows = [
            (stream, one.row if isinstance(one, Both) else one) for stream, one in found if not isinstance(one, tuple)
        ]
        ends = [(stream, one.end if isinstance(one, Both) else one) for stream, one in found if type(one) is not Row]
        told = [*rows, *ends[:1]]  # the record is a reject once
        if len(told) > 1:
            is_opt_out = any(isinstance(one, Both) and stream.is_opt_out(one.row) for stream, one in found)
            self._outcomes.expect(number, len(told), is_opt_out=is_opt_out)
        for stream, one in told:
            self._end(number, one, stream, taken)
        if not told:
            taken.ends.append(((number,), Outcome.SKIPPED, None))

    def _take_mapped(
        self,
        number: int,
        made: Sequence[dict[str, Any] | None],
        streams: Sequence[Stream | None],
        lines: Lines,
        taken: _Taken,
    ) -> None:
        """Take in what the stream's maps made of a record."""
        mapped = [(stream, record) for stream, record in zip(streams, made, strict=True) if record is not None]
        if len(mapped) > 1:
            self._outcomes.expect(number, len(mapped))
        for stream, record in mapped:
            self._end(number, None if stream is None else stream.take_checked(number, record, lines), stream, taken)
        if not mapped:
            taken.ends.append(((number,), Outcome.SKIPPED, None))

    def _end(self, number: int, found: Row | End | Both | None, stream: Stream | None, taken: _Taken) -> None:
        """Note what became of a record."""
        if stream is None or found is None:
            taken.ends.append(((number,), Outcome.SKIPPED, None))
        elif type(found) is Row:
            if stream.queue is not taken.queue:
                self._offer(taken)
                taken.queue = stream.queue
            taken.rows.append(found)
        elif isinstance(found, Both):
            is_opt_out = found.end[0] is Outcome.REJECTED and stream.is_opt_out(found.row)
            self._outcomes.expect(number, 2, is_opt_out=is_opt_out)
            self._end(number, found.row, stream, taken)
            self._end(number, found.end, stream, taken)
        elif isinstance(found, tuple):
            outcome, code, reject = found
            taken.ends.append(((number,), outcome, code))
            if reject is not None:
                taken.rejects.append(reject)

    def _offer(self, taken: _Taken) -> None:
        """Hand on the rows gathered so far, all of one queue."""
        if taken.queue is not None and taken.rows:
            rows, taken.rows = taken.rows, []
            self._delivery.offer(taken.queue, rows)

    # Streams

    def _take_schema(self, number: int, message: Message) -> None:
        of_bookmarks = bookmarks(message)
        name, given = message.stream, (bytes(message.schema), repr((message.key_properties, of_bookmarks)))
        if self._schemas.get(name) == given:
            return
        kept = self._compiled.setdefault(name, {})
        found = kept.get(given)
        if found is None:
            found = self._compile(number, message, of_bookmarks)
            if len(kept) == _MOST_KEPT:
                del kept[next(iter(kept))]
            kept[given] = found
        self._rejects.declare(name, found.columns, found.keys)
        if self._maps is not None:
            self._maps.use(name, found.maps)
        self._streams[name] = found.streams
        self._schemas[name] = given
        if _OF_REJECTS.issubset(found.columns):
            self._replayed.add(name)
        else:
            self._replayed.discard(name)
        self._current = None

    def _compile(self, number: int, message: Message, of_bookmarks: Sequence[str]) -> _Compiled:
        name, schema = message.stream, schema_value(number, message)
        columns = list(schema["properties"])
        may_skip = StreamSettings.resolve(self._config, name).on_unknown_stream == "skip"
        if self._maps is None and may_skip and not self._is_taken(name, schema["properties"]):
            return _Compiled([None], [], columns, [])  # whatever else its SCHEMA says
        check_name(number, message)
        schema = safe_schema(name, schema)
        keys = key_properties(schema, key_columns(number, message))
        if self._maps is None:
            return _Compiled([self._stream(name, name, schema, keys, of_bookmarks)], [], columns, keys)
        maps = self._maps.register(name, schema, keys)
        streams = [
            self._stream(
                one.stream_alias, name, one.transformed_schema, one.transformed_key_properties or [], of_bookmarks
            )
            for one in maps
        ]
        return _Compiled(streams, maps, columns, keys)

    def _is_taken(self, name: str, columns: Mapping[str, Any]) -> bool:
        if self._router.provider.channel.accepts(name, columns, StreamSettings.resolve(self._config, name)):
            return True
        self.entries.met(name, skipped=True)
        logger.info("Stream %r is skipped: it is not one of contacts", name)
        return False

    def _stream(
        self, name: str, source: str, schema: Mapping[str, Any], keys: Sequence[str], of_bookmarks: Sequence[str]
    ) -> Stream | None:
        if not self._is_taken(name, schema.get("properties", {})):
            return None
        self.entries.met(name)
        settings = StreamSettings.resolve(self._config, name)
        queue = self._router.queue(settings, self._delivery)
        where = queue.destination.name
        lists = [repr(one) for one in settings.lists if not where.endswith(f":{one}")]
        told = ", ".join([where, *lists])
        logger.info("Stream %r goes to %s (%s)", name, told, respectful_action(settings, queue.destination))
        stream = Stream(
            stream=name,
            source=source,
            schema=schema,
            key_properties=keys,
            bookmarks=of_bookmarks,
            settings=settings,
            queue=queue,
            journal=self._journal,
        )
        if stream.report.line not in self._told:  # a SCHEMA may come again and again
            self._told.add(stream.report.line)
            logger.info("%s", stream.report.line)
            for warning in stream.report.warnings:
                logger.warning("%s", warning)
        return stream
