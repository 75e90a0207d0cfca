"""The SDK's stream maps and flattening, with errors that name the setting and the stream."""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from typing import Any, Final

from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError
from singer_sdk.mapper import PluginMapper, RemoveRecordTransform, StreamMap

from mailing_api.errors import ConfigurationError
from mailing_api.process.map_failures import check_aliases, map_failure, maps_without_stream
from target_mailing.input.partial_maps import PartialMaps

__all__ = ["StreamMaps"]

logger = logging.getLogger("target-mailing.intake")

#: Keywords that limit the type of a value.
_TYPING: Final = frozenset({"$ref", "allOf", "anyOf", "const", "enum", "oneOf", "type"})
#: What a name has that stands for several streams.
_OF_MANY: Final = frozenset("*?[")


class StreamMaps:
    """The maps of a run's streams."""

    def __init__(self, mapper: PluginMapper, config: Mapping[str, Any]) -> None:
        """Keep the SDK's mapper and the plugin's settings."""
        self._mapper = mapper
        self._setting: Mapping[str, Any] = config.get("stream_maps") or {}
        self._seen: dict[str, None] = {}
        self._changed: dict[str, frozenset[str]] = {}
        #: The maps for records with unreadable columns.
        self.in_part = PartialMaps(mapper, config)

    def register(self, stream: str, schema: dict[str, Any], keys: Sequence[str]) -> Sequence[StreamMap]:
        """The maps of a stream, in the order of the records from `transformed`.

        Raises:
            ConfigurationError: they do not fit the stream.
        """
        columns = {name: {} if column is True else column for name, column in schema["properties"].items()}
        with self._explained(stream):
            self._mapper.register_raw_stream_schema(stream, {**schema, "properties": columns}, list(keys))
        maps = self._mapper.stream_maps[stream]
        check_aliases(stream, maps)
        for one in maps:
            self._keep_untyped(one, columns)
        self._seen[stream] = None
        return maps

    def excludes(self, stream: str) -> bool:
        """Whether the maps omit all records of a stream, whatever they hold."""
        is_excluded = self._mapper.default_mapper_type is RemoveRecordTransform
        for name, one in self._setting.items():
            source = one.get("__source__") if isinstance(one, Mapping) else None
            pattern = name if source is None else source
            if stream == pattern or fnmatch(stream, pattern):
                if source is not None:
                    return False
                is_excluded = not isinstance(one, Mapping)
        return is_excluded

    def changed_columns(self, stream: str) -> Collection[str]:
        """Columns that maps may change for a stream: its own maps, and those that are not for one stream alone."""
        if (known := self._changed.get(stream)) is None:
            maps = [(name, one) for name, one in self._setting.items() if isinstance(one, Mapping)]
            known = self._changed[stream] = frozenset(
                column
                for name, one in maps
                if name == stream or "__source__" in one or not _OF_MANY.isdisjoint(name) or name.startswith("__")
                for column in one
            )
        return known

    def warn_of_unused(self) -> None:
        """Warn of maps for streams that did not come: most often the name is wrong, and rows were not mapped."""
        if unused := maps_without_stream(self._setting, self._seen):
            logger.warning("Setting `stream_maps`: %s", unused)

    def _keep_untyped(self, one: StreamMap, columns: Mapping[str, Any]) -> None:
        """Keep a column that may hold any value as it is: flattening would declare it a string."""
        expressions = self._setting.get(one.stream_alias)
        mapped = one.transformed_schema.get("properties", {})
        for name, column in columns.items():
            has_expression = isinstance(expressions, Mapping) and name in expressions
            is_untyped = isinstance(column, Mapping) and column.keys().isdisjoint(_TYPING)
            if name in mapped and is_untyped and not has_expression:
                mapped[name] = {}

    def use(self, stream: str, maps: Sequence[StreamMap]) -> None:
        """Use these maps of a stream, from `register`, from now on."""
        self._mapper.stream_maps[stream] = list(maps)

    def transformed(self, stream: str, record: dict[str, Any], line: int) -> list[dict[str, Any] | None]:
        """The output of each of the stream's maps for the record in a line; None where it omits the record.

        Raises:
            ConfigurationError: an expression failed.
        """
        try:
            return [one.transform(copy.copy(record)) for one in self._mapper.stream_maps[stream]]
        except Exception as exc:  # noqa: BLE001 - an expression may do anything
            raise map_failure(stream, exc, where=f"the row in line {line} of the input") from None

    @contextmanager
    def _explained(self, stream: str) -> Iterator[None]:
        """Replace the SDK's errors by those that name the setting."""
        try:
            yield
        except (MapExpressionError, StreamMapConfigError) as exc:
            # These messages quote expressions, not rows.
            message = str(exc)
        except Exception as exc:  # noqa: BLE001 - an expression may do anything
            message = f"cannot be used ({type(exc).__name__})."
        else:
            return
        maps = self._setting.get(stream)
        if maps is None:
            raise ConfigurationError(
                f"Stream {stream!r}: its SCHEMA {message} Fix the SCHEMA at the tap, deselect the stream, or unset "
                "`flattening_enabled` and `stream_maps`."
            ) from None
        expressions = maps.items() if isinstance(maps, Mapping) else ()
        columns = [
            f".{name}" for name, value in expressions if isinstance(value, str) and message.endswith(f" {value}.")
        ]
        where = f"{stream}{columns[0] if len(columns) == 1 else ''}"
        raise ConfigurationError(f"Setting `stream_maps.{where}`: {message}") from None
