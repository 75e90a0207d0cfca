"""The mailing CSV of MPDX: checked as a whole, then read row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

__all__ = ["MailingExport", "check"]

#: The column that every mailing CSV has.
_NEEDED = "Contact Name"


class MailingExport(msgspec.Struct, frozen=True, kw_only=True):
    """A downloaded export.

    Attributes:
        account_list: its ID.
        ticket: the export log as a row: `id`, `type`, `params`, `export_at`, `created_at`, `user`.
        exported_at: the time of the download, as `mailing_api.values.timestamp`.
        row_count: the number of rows in the file.
        file: the checked file.
    """

    account_list: str
    ticket: dict[str, Any]
    exported_at: str
    row_count: int
    file: BinaryIO

    def rows(self) -> Iterator[Mapping[str, str]]:
        """Yield the file's rows by its own column titles, in its order."""
        titles, records = _records(self.file)
        for record in records:
            yield dict(zip(titles, record, strict=True))


def check(file: BinaryIO) -> int:
    """Return the number of rows in a file.

    Raises:
        ValueError: it is not a mailing CSV, or not complete.
    """
    size = file.seek(0, io.SEEK_END)
    if size:
        file.seek(-1, io.SEEK_END)
        if file.read(1) != b"\n":
            raise ValueError("cut off")
    count = 0
    try:
        titles, records = _records(file)
        for record in records:
            if len(record) != len(titles):
                raise ValueError("a row of another length")
            count += 1
    except csv.Error:
        raise ValueError("not CSV") from None
    return count


def _records(file: BinaryIO) -> tuple[Sequence[str], Iterator[list[str]]]:
    file.seek(0)
    reader = csv.reader(_Lines(file), strict=True)
    titles = next(reader, [])
    if _NEEDED not in titles:
        raise ValueError("not the mailing columns")
    return titles, (record for record in reader if record)


class _Lines:
    """The lines of a file as text, ends and all; the file stays open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            yield line.decode()
