"""A stream's records on their way out: a page at a time, or one by one where the SDK has to change each."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from mailing_api import values
from tap_mailing.output import PageWriter

__all__ = ["Filled", "PageRecords", "Records", "SingleRecords", "now"]

Filled = Sequence[Sequence[Any]]


class Records(abc.ABC):
    """Writes the records of one stream. A page comes as its columns, filled."""

    def __init__(self, names: Sequence[str]) -> None:
        """Write records of these columns."""
        self.names = names
        self._record = msgspec.defstruct("Record", [(name, Any) for name in names], gc=False)

    def structs(self, filled: Filled) -> Iterable[msgspec.Struct]:
        """A page's records, as Structs."""
        return map(self._record, *filled)

    @abc.abstractmethod
    def write(self, filled: Filled) -> None:
        """Write a page."""

    @abc.abstractmethod
    def write_some(self, filled: Filled, chosen: Sequence[tuple[int, msgspec.Raw]]) -> None:
        """Write some of a page's records: those at these places, which are encoded already."""

    @abc.abstractmethod
    def write_apart(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records that have some of the columns only."""


class PageRecords(Records):
    """A page at a time."""

    def __init__(self, names: Sequence[str], stream: str, output: PageWriter) -> None:
        """Write to an output."""
        super().__init__(names)
        self._stream = stream
        self._output = output

    def write(self, filled: Filled) -> None:
        """Write a page."""
        self._write(self.structs(filled))

    def write_some(self, filled: Filled, chosen: Sequence[tuple[int, msgspec.Raw]]) -> None:
        """Write some of a page's records."""
        del filled
        self._write([encoded for _, encoded in chosen])

    def write_apart(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records that have some of the columns only."""
        self._write(records)

    def _write(self, records: Iterable[Any]) -> None:
        self._output.write_records(self._stream, records, now())


class SingleRecords(Records):
    """One by one, as the SDK writes them: through stream maps, flattening, and the selection of parts of a column."""

    def __init__(self, names: Sequence[str], write: Callable[[dict[str, Any]], None]) -> None:
        """Write by a function of the SDK."""
        super().__init__(names)
        self._write_one = write

    def write(self, filled: Filled) -> None:
        """Write a page."""
        for found in zip(*filled, strict=True):
            self._write_one(dict(zip(self.names, found, strict=True)))

    def write_some(self, filled: Filled, chosen: Sequence[tuple[int, msgspec.Raw]]) -> None:
        """Write some of a page's records."""
        for at, _ in chosen:
            self._write_one({name: column[at] for name, column in zip(self.names, filled, strict=True)})

    def write_apart(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records that have some of the columns only; the others are null, since a stream map may ask for any."""
        for one in records:
            self._write_one({**dict.fromkeys(self.names), **one})


def now() -> str:
    """The time, in the form of all timestamps."""
    return values.timestamp_of(datetime.now(UTC))
