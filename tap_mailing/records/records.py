"""A stream's records on their way out: a page at a time, or one by one where the SDK has to change each."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from mailing_api import values
from tap_mailing.records.writer import PageWriter

__all__ = ["Filled", "PageRecords", "Records", "SingleRecords", "now"]

Filled = Sequence[Sequence[Any]]


class Records(abc.ABC):
    """Writes the records of one stream. A page comes as its columns, filled."""

    @abc.abstractmethod
    def write(self, filled: Filled) -> None:
        """Write a page."""

    @abc.abstractmethod
    def write_apart(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records that have some of the columns only."""


class PageRecords(Records):
    """A page at a time."""

    def __init__(self, names: Sequence[str], stream: str, output: PageWriter) -> None:
        """Write records of these columns to an output."""
        self._record = msgspec.defstruct("Record", [(name, Any) for name in names], gc=False)
        self._stream = stream
        self._output = output

    def write(self, filled: Filled) -> None:
        """Write a page."""
        self._write(map(self._record, *filled))

    def write_apart(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records that have some of the columns only."""
        self._write(records)

    def _write(self, records: Iterable[Any]) -> None:
        self._output.write_records(self._stream, records, now())


class SingleRecords(Records):
    """One by one, as the SDK writes them: through stream maps, flattening, and the selection of parts of a column."""

    def __init__(self, names: Sequence[str], write: Callable[[dict[str, Any]], None]) -> None:
        """Write records of these columns by a function of the SDK."""
        self._names = names
        self._write_one = write

    def write(self, filled: Filled) -> None:
        """Write a page."""
        for found in zip(*filled, strict=True):
            self._write_one(dict(zip(self._names, found, strict=True)))

    def write_apart(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records that have some of the columns only; the others are null, since a stream map may ask for any."""
        for one in records:
            self._write_one({**dict.fromkeys(self._names), **one})


def now() -> str:
    """The time, in the form of all timestamps."""
    return values.timestamp_of(datetime.now(UTC))
