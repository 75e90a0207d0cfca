"""Stream maps and flattening, which are the SDK's, with errors that name the setting and the stream."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError
from singer_sdk.mapper import PluginMapper, StreamMap

from mailing_api.errors import ConfigurationError
from mailing_api.map_failures import map_failure

__all__ = ["StreamMaps"]


class StreamMaps:
    """The maps of a run's streams."""

    def __init__(self, mapper: PluginMapper, config: Mapping[str, Any]) -> None:
        """Take the SDK's mapper, and the plugin's settings."""
        self._mapper = mapper
        self._given: Mapping[str, Any] = config.get("stream_maps") or {}

    def register(self, stream: str, schema: dict[str, Any], keys: Sequence[str]) -> Sequence[StreamMap]:
        """The maps of a stream, in the order of what `transformed` gives.

        Raises:
            ConfigurationError: they do not fit it.
        """
        with self._telling(stream):
            self._mapper.register_raw_stream_schema(stream, schema, list(keys))
        return self._mapper.stream_maps[stream]

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
        expressions = maps.items() if isinstance(maps, Mapping) else ()
        columns = [f".{name}" for name, value in expressions if isinstance(value, str) and said.endswith(f" {value}.")]
        where = f"{stream}{columns[0] if len(columns) == 1 else ''}"
        raise ConfigurationError(f"Setting `stream_maps.{where}`: {said}") from None
