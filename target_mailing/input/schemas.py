"""SCHEMA messages: checked, and mapped by the stream maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from singer_sdk.mapper import StreamMap

from target_mailing.contacts.stream_columns import StreamColumns
from target_mailing.input.column_types import ColumnTypes
from target_mailing.input.messages import Message
from target_mailing.input.schema_safety import safe_schema
from target_mailing.input.stream_maps import StreamMaps
from target_mailing.interface.channel import Channel
from target_mailing.journal.rejects_file import key_properties
from target_mailing.rows.lines import InputError
from target_mailing.rows.unreadable import decode, defect
from target_mailing.settings.settings import StreamSettings

__all__ = ["MappedSchema", "SchemaReader", "StreamSchema", "bookmarks"]

_NO_COLUMNS: Final = {"type": "object", "properties": {}}


class MappedSchema(msgspec.Struct, frozen=True):
    """A stream's SCHEMA after one of its stream maps; without maps, the SCHEMA itself.

    Attributes:
        stream: the stream's name after the map.
        schema: JSON Schema of its records.
        keys: its key columns.
        is_skipped: its rows are not delivered, since it is not a stream of contacts.
        is_excluded: the stream maps omit all of its rows; those of contacts still tell whom the input names.
    """

    stream: str
    schema: Mapping[str, Any]
    keys: Sequence[str]
    is_skipped: bool = False
    is_excluded: bool = False

    @property
    def columns(self) -> StreamColumns:
        """The columns with their types."""
        types = ColumnTypes(self.schema)
        columns = self.schema.get("properties", {})
        return StreamColumns(self.stream, {name: types.of(column) for name, column in columns.items()})


class StreamSchema(msgspec.Struct, frozen=True):
    """A SCHEMA message, checked and mapped.

    Attributes:
        columns: the stream's columns in the input.
        keys: its key columns in the input.
        maps: the stream's maps; empty where the run has none.
        mapped: what each of the maps yields.
    """

    columns: Sequence[str]
    keys: Sequence[str]
    maps: Sequence[StreamMap]
    mapped: Sequence[MappedSchema]


class SchemaReader:
    """Checks SCHEMA messages against the settings."""

    def __init__(self, config: Mapping[str, Any], maps: StreamMaps | None, channel: Channel) -> None:
        """Make a reader.

        Args:
            config: the plugin's settings.
            maps: of the streams, if there are any.
            channel: decides which streams are of contacts.
        """
        self._config = config
        self._maps = maps
        self._channel = channel

    def read(self, number: int, message: Message) -> StreamSchema:
        """Check the SCHEMA message in the line of this number, and map it.

        Raises:
            InputError: it has no properties, a name that no database stores, or a wrong key.
            ConfigurationError: it does not fit the settings.
        """
        name, where = message.stream, f"Line {number} of the input is a SCHEMA of stream {message.stream!r}"
        schema = _schema_of(message, where)
        columns = list(schema["properties"])
        is_excluded = self._maps is not None and self._maps.excludes(name)
        # A stream that is skipped in any case is not checked further.
        if self._maps is not None and is_excluded and not self._accepts(name, schema, skip=True):
            excluded = MappedSchema(name, {}, [], is_skipped=True, is_excluded=True)
            return StreamSchema(columns, [], self._maps.register(name, dict(_NO_COLUMNS), []), [excluded])
        may_skip = StreamSettings.resolve(self._config, name).on_unknown_stream == "skip"
        if self._maps is None and may_skip and not self._accepts(name, schema):
            return StreamSchema(columns, [], [], [MappedSchema(name, {}, [], is_skipped=True)])
        if "\0" in name:
            raise InputError(
                f"{where}, whose name holds a NUL character, which databases cannot store. Rename the stream at the "
                "tap."
            )
        schema = safe_schema(name, schema)
        keys = key_properties(schema, _key_columns(message, where))
        maps: Sequence[StreamMap] = []
        outputs: list[tuple[str, Mapping[str, Any], Sequence[str]]] = [(name, schema, keys)]
        if self._maps is not None:
            maps = self._maps.register(name, schema, keys)
            outputs = [(one.stream_alias, one.transformed_schema, one.transformed_key_properties or []) for one in maps]
        mapped = [
            MappedSchema(alias, mapped_schema, mapped_keys, not self._accepts(alias, mapped_schema), is_excluded)
            for alias, mapped_schema, mapped_keys in outputs
        ]
        return StreamSchema(columns, keys, maps, mapped)

    def _accepts(self, stream: str, schema: Mapping[str, Any], *, skip: bool = False) -> bool:
        settings = StreamSettings.resolve(self._config, stream)
        if skip:
            settings = msgspec.structs.replace(settings, on_unknown_stream="skip")
        return self._channel.accepts(stream, schema.get("properties", {}), settings)


def bookmarks(message: Message) -> list[str]:
    """The columns by which the stream of a SCHEMA message is replicated, as far as it names them."""
    names = message.bookmark_properties
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _schema_of(message: Message, where: str) -> dict[str, Any]:
    raw = bytes(message.schema)
    try:
        schema = decode(raw) if raw else None
    except ValueError:
        raise InputError(f"{where} that cannot be read: {defect(raw)}. Fix the tap's output.") from None
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        raise InputError(f"{where} without properties. Fix the tap, or deselect the stream.")
    return schema


def _key_columns(message: Message, where: str) -> list[str]:
    keys = [] if message.key_properties is None else message.key_properties
    if not isinstance(keys, list) or not all(isinstance(name, str) for name in keys):
        raise InputError(f"{where} whose `key_properties` is not an array of column names. Fix the tap.")
    return keys
