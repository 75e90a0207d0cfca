"""`--check` with an input: what a run would log about its streams' columns, and about unreadable lines."""

from __future__ import annotations

import select
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import IO, Any

import msgspec

from mailing_api.counted import counted
from mailing_api.suggestions import listed
from target_mailing.contacts.fields import Field
from target_mailing.delivery.router import Router
from target_mailing.input.column_report import ColumnReport
from target_mailing.input.messages import (
    DamagedRecord,
    Message,
    before_schema,
    parse,
    parse_record,
    state_value,
    unsupported,
)
from target_mailing.input.schemas import MappedSchema, SchemaReader
from target_mailing.input.stream_mapping import mapping_of
from target_mailing.input.stream_maps import StreamMaps
from target_mailing.rows.lines import InputError, Line, Lines
from target_mailing.settings.settings import StreamSettings

__all__ = ["StreamCheck", "given_input"]

#: Seconds to wait for the first byte of an input to which perhaps nothing is written.
_PATIENCE = 0.3


class StreamCheck:
    """Checks the streams of an input against the settings."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        maps: StreamMaps | None,
        router: Router,
        max_line_bytes: int,
    ) -> None:
        """Make a check.

        Args:
            config: the plugin's settings.
            maps: of the streams, if there are any.
            router: finds the streams' destinations.
            max_line_bytes: a longer line is an error.
        """
        self._config = config
        self._schemas = SchemaReader(config, maps, router.provider.channel)
        self._router = router
        self._max_line_bytes = max_line_bytes

    def __call__(self, source: IO[Any]) -> Iterator[ColumnReport]:
        """The report on each stream.

        Raises:
            InputError: a line is no Singer message.
            ConfigurationError: a stream does not fit the settings.
        """
        streams: set[str] = set()
        damaged: list[str] = []
        is_empty = True
        for line in self._lines(source):
            is_empty = False
            message = parse(line)
            if message.type == "SCHEMA":
                streams.add(message.stream)
                for schema in self._schemas.read(line.number, message).mapped:
                    if not schema.is_skipped and not schema.is_excluded:
                        yield self._report(schema)
            elif self._is_damaged(line, message, streams):
                damaged.append(str(line.number))
        if is_empty:
            yield ColumnReport("The input is empty, so no columns were checked", [])
        if damaged:
            records = counted(len(damaged), "record of the input cannot", "records of the input cannot")
            numbers = f"line{'s' if len(damaged) > 1 else ''} {listed(damaged)}"
            yield ColumnReport(f"{records} be read, and would be rejected: {numbers}", [])

    def _is_damaged(self, line: Line, message: Message, streams: Collection[str]) -> bool:
        """Whether a message is a record that would be rejected as unreadable.

        Raises:
            InputError: it would end a run.
        """
        if message.type == "RECORD":
            if message.stream not in streams:
                raise before_schema(line.number, message.stream)
            return isinstance(parse_record(line), DamagedRecord)
        if message.type == "STATE":
            state_value(line.number, message)
        elif message.type != "ACTIVATE_VERSION":
            raise unsupported(line.number, message)
        return False

    def _report(self, schema: MappedSchema) -> ColumnReport:
        settings = StreamSettings.resolve(self._config, schema.stream)
        fields = self._router.look(settings)[0].fields
        if settings.create_properties and fields.defines_properties:
            created = dict.fromkeys(
                [*schema.schema.get("properties", {}), *settings.mapping], Field(lambda value: value)
            )
            fields = msgspec.structs.replace(fields, properties={**created, **fields.properties})
        return mapping_of(schema, fields, settings)[1]

    def _lines(self, source: IO[Any]) -> Iterator[Line]:
        """The lines of the input that are not blank."""
        binary = getattr(source, "buffer", source)
        number = 0
        while raw := binary.readline(self._max_line_bytes + 1):
            number += 1
            if len(raw) > self._max_line_bytes:
                raise InputError(f"Line {number} of the input is longer than {self._max_line_bytes} bytes.")
            if not raw.isspace():
                yield Line(number, Lines(number, [raw.encode() if isinstance(raw, str) else raw]))


def given_input(source: IO[Any] | None) -> IO[Any] | None:
    """The input to check: the one given, else standard input if something writes to it; None for none."""
    if source is not None:
        return source
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return None
    try:
        ready, _, _ = select.select([sys.stdin.fileno()], [], [], _PATIENCE)
    except (OSError, ValueError):  # a file in memory
        return sys.stdin
    return sys.stdin if ready and sys.stdin.buffer.peek(1) else None  # type: ignore[union-attr]
