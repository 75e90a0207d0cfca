"""Stream maps and flattening, which are the SDK's, with errors that name the setting and the stream."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError
from singer_sdk.mapper import PluginMapper, StreamMap

from mailing_api.errors import ConfigurationError
from mailing_api.process.map_failures import check_aliases, map_failure, maps_without_stream
from target_mailing.input.partial_maps import PartialMaps

__all__ = ["StreamMaps"]

logger = logging.getLogger("target-mailing.intake")

#: Keywords that say of which type a value is.
_TYPING: Final = frozenset({"$ref", "allOf", "anyOf", "const", "enum", "oneOf", "type"})


class StreamMaps:
    """The maps of a run's streams."""

    def __init__(self, mapper: PluginMapper, config: Mapping[str, Any]) -> None:
        """Take the SDK's mapper, and the plugin's settings."""
        self._mapper = mapper
        self._given: Mapping[str, Any] = config.get("stream_maps") or {}
        self._came: dict[str, None] = {}
        #: What the maps of a stream make of a record of which some columns cannot be read.
        self.in_part = PartialMaps(mapper, config)

    def register(self, stream: str, schema: dict[str, Any], keys: Sequence[str]) -> Sequence[StreamMap]:
        """The maps of a stream, in the order of what `transformed` gives.

        Raises:
            ConfigurationError: they do not fit it.
        """
        columns = {name: {} if column is True else column for name, column in schema["properties"].items()}
        with self._telling(stream):
            self._mapper.register_raw_stream_schema(stream, {**schema, "properties": columns}, list(keys))
        maps = self._mapper.stream_maps[stream]
        check_aliases(stream, maps)
        for one in maps:
            self._keep_untyped(one, columns)
        self._came[stream] = None
        return maps

    def tell_unused(self) -> None:
        """Warn of maps whose stream did not come: most often the name is wrong, and rows went as they were."""
        if unused := maps_without_stream(self._given, self._came):
            logger.warning("Setting `stream_maps`: %s", unused)

    def _keep_untyped(self, one: StreamMap, columns: Mapping[str, Any]) -> None:
        """Let a column that may hold anything hold anything still: flattening takes it for a text."""
        given = self._given.get(one.stream_alias)
        kept = one.transformed_schema.get("properties", {})
        for name, column in columns.items():
            is_mapped = isinstance(given, Mapping) and name in given
            if name in kept and not is_mapped and isinstance(column, Mapping) and column.keys().isdisjoint(_TYPING):
                kept[name] = {}

    def use(self, stream: str, maps: Sequence[StreamMap]) -> None:
        """Take these maps of a stream, which `register` gave, from now on."""
        self._mapper.stream_maps[stream] = list(maps)

    def transformed(self, stream: str, record: dict[str, Any], line: int) -> list[dict[str, Any] | None]:
        """What each of the stream's maps makes of the record in a line; None where it leaves it out.

        Raises:
            ConfigurationError: an expression failed.
        """
        try:
            return [one.transform(copy.copy(record)) for one in self._mapper.stream_maps[stream]]
        except Exception as exc:  # noqa: BLE001 - an expression may do anything
            raise map_failure(stream, exc, where=f"the row in line {line} of the input") from None

    @contextmanager
    def _telling(self, stream: str) -> Iterator[None]:
        try:
            yield
        except (MapExpressionError, StreamMapConfigError) as exc:
            # These texts quote expressions, never a row.
            said = str(exc)
        except Exception as exc:  # noqa: BLE001 - an expression may do anything
            said = f"cannot be used ({type(exc).__name__})."
        else:
            return
        maps = self._given.get(stream)
        if maps is None:
            raise ConfigurationError(
                f"Stream {stream!r}: its SCHEMA {said} Correct it at the tap, or leave the stream out, or unset "
                "`flattening_enabled` and `stream_maps`."
            ) from None
        expressions = maps.items() if isinstance(maps, Mapping) else ()
        columns = [f".{name}" for name, value in expressions if isinstance(value, str) and said.endswith(f" {value}.")]
        where = f"{stream}{columns[0] if len(columns) == 1 else ''}"
        raise ConfigurationError(f"Setting `stream_maps.{where}`: {said}") from None
