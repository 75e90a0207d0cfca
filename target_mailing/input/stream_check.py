"""`--check` with an input: what a run would say of its streams' columns, and of lines that cannot be read."""

from __future__ import annotations

import select
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import IO, Any

import msgspec

from mailing_api.counted import counted
from mailing_api.suggestions import listed
from target_mailing.contacts.fields import Field
from target_mailing.input.column_report import ColumnReport
from target_mailing.input.messages import (
    DamagedRecord,
    Message,
    before_schema,
    check_name,
    key_columns,
    parse,
    parse_record,
    schema_value,
    state_value,
    unsupported,
)
from target_mailing.input.schema_safety import safe_schema
from target_mailing.input.stream import compiled
from target_mailing.input.stream_maps import StreamMaps
from target_mailing.journal.rejects_file import key_properties
from target_mailing.lines import InputError, Lines
from target_mailing.router import Router
from target_mailing.settings import StreamSettings

__all__ = ["StreamCheck", "given_input"]

#: Seconds to wait for the first byte of an input that nobody may write to.
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
            router: knows the streams' destinations.
            max_line_bytes: a longer line is an error.
        """
        self._config = config
        self._maps = maps
        self._router = router
        self._max_line_bytes = max_line_bytes

    def __call__(self, source: IO[Any]) -> Iterator[ColumnReport]:
        """What a run would say of each stream.

        Raises:
            InputError: a line is no Singer message.
            ConfigurationError: a stream does not fit the settings.
        """
        streams: set[str] = set()
        damaged: list[str] = []
        for number, line in enumerate(self._lines(source), 1):
            if line.isspace():
                continue
            lines = Lines(number, [line])
            message = parse(number, lines)
            if message.type != "SCHEMA":
                if self._is_damaged(number, message, lines, streams):
                    damaged.append(str(number))
                continue
            streams.add(message.stream)
            schema = schema_value(number, message)
            may_skip = StreamSettings.resolve(self._config, message.stream).on_unknown_stream == "skip"
            if self._maps is None and may_skip and not self._is_taken(message.stream, schema["properties"]):
                continue
            check_name(number, message)
            schema = safe_schema(message.stream, schema)
            keys = key_properties(schema, key_columns(number, message))
            found: list[tuple[str, Mapping[str, Any], Sequence[str]]]
            if self._maps is None:
                found = [(message.stream, schema, keys)]
            else:
                found = [
                    (one.stream_alias, one.transformed_schema, one.transformed_key_properties or [])
                    for one in self._maps.register(message.stream, schema, keys)
                ]
            for name, columns, key in found:
                if self._is_taken(name, columns.get("properties", {})):
                    yield self._report(name, columns, key, StreamSettings.resolve(self._config, name))
        if damaged:
            records = counted(len(damaged), "record of the input cannot", "records of the input cannot")
            yield ColumnReport(f"{records} be read, and would be rejected: line {listed(damaged)}", [])

    def _is_damaged(self, number: int, message: Message, lines: Lines, streams: Collection[str]) -> bool:
        """Whether a message that is no SCHEMA is a record that would be rejected, whatever it holds.

        Raises:
            InputError: it would end a run.
        """
        if message.type == "RECORD":
            if message.stream not in streams:
                raise before_schema(number, message.stream)
            return isinstance(parse_record(number, lines), DamagedRecord)
        if message.type == "STATE":
            state_value(number, message)
        elif message.type != "ACTIVATE_VERSION":
            raise unsupported(number, message)
        return False

    def _is_taken(self, name: str, columns: Mapping[str, Any]) -> bool:
        return self._router.provider.channel.accepts(name, columns, StreamSettings.resolve(self._config, name))

    def _report(
        self, name: str, schema: Mapping[str, Any], keys: Sequence[str], settings: StreamSettings
    ) -> ColumnReport:
        fields = self._router.look(settings)[0].fields
        if settings.create_properties and fields.defines_properties:
            made = dict.fromkeys([*schema.get("properties", {}), *settings.mapping], Field(lambda value: value))
            fields = msgspec.structs.replace(fields, properties={**made, **fields.properties})
        return compiled(name, schema, keys, fields, settings)[1]

    def _lines(self, source: IO[Any]) -> Iterator[bytes]:
        binary = getattr(source, "buffer", source)
        number = 0
        while line := binary.readline(self._max_line_bytes + 1):
            number += 1
            if len(line) > self._max_line_bytes:
                raise InputError(f"Line {number} of the input is longer than {self._max_line_bytes} bytes.")
            yield line.encode() if isinstance(line, str) else line


def given_input(source: IO[Any] | None) -> IO[Any] | None:
    """The input to be checked: the one given, else standard input if something writes to it; None for none."""
    if source is not None:
        return source
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return None
    try:
        ready, _, _ = select.select([sys.stdin.fileno()], [], [], _PATIENCE)
    except (OSError, ValueError):  # a file in memory
        return sys.stdin
    return sys.stdin if ready else None
