"""Writing a stream's records: a page at a time, or one by one where the SDK changes each record."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from mailing_api import values
from tap_mailing.records.writer import PageWriter

__all__ = ["MAPPING_SETTINGS", "Filled", "PageRecords", "Records", "SingleRecords", "now"]

Filled = Sequence[Sequence[Any]]

#: Settings that change how the SDK makes records from rows.
MAPPING_SETTINGS = (
    "stream_maps",
    "stream_map_config",
    "faker_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
)


class Records(abc.ABC):
    """Writes the records of one stream. A page is a list of columns with their values."""

    @abc.abstractmethod
    def write(self, filled: Filled) -> None:
        """Write a page."""

    @abc.abstractmethod
    def write_apart(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records that have only some of the columns."""


class PageRecords(Records):
    """A page at a time."""

    def __init__(self, names: Sequence[str], stream: str, output: PageWriter) -> None:
        """Write records with these columns to an output."""
        self._record = msgspec.defstruct("Record", [(name, Any) for name in names], gc=False)
        self._stream = stream
        self._output = output

    def write(self, filled: Filled) -> None:
        """Write a page."""
        self._output.write_records(self._stream, map(self._record, *filled), now())

    def write_apart(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records that have only some of the columns."""
        self._output.write_records(self._stream, records, now())


class SingleRecords(Records):
    """One by one, through the SDK: stream maps, flattening, and the selection of parts of a column."""

    def __init__(self, names: Sequence[str], write: Callable[[dict[str, Any]], None]) -> None:
        """Write records with these columns by a function of the SDK."""
        self._names = names
        self._write_record = write

    def write(self, filled: Filled) -> None:
        """Write a page."""
        for record in zip(*filled, strict=True):
            self._write_record(dict(zip(self._names, record, strict=True)))

    def write_apart(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records that have only some of the columns; the others are null, so that a stream map can use them."""
        for record in records:
            self._write_record({**dict.fromkeys(self._names), **record})


def now() -> str:
    """The current time, as a timestamp."""
    return values.timestamp_of(datetime.now(UTC))
