"""CSV files of contacts for PostGrid's imports, and PostGrid's report on such a file; pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

__all__ = ["File", "country_of", "omitted_rows", "written"]

#: Line of the first row, after the header.
_FIRST: Final = 2
#: Possible names of a report's columns for the line of a row, its result and the reason: the form is unverified.
_LINE: Final = ("row", "line", "rownumber", "row_number")
_RESULT: Final = ("result", "status")
_REASON: Final = ("message", "reason", "error", "errors")
_OMITTED: Final = frozenset({"skipped", "invalid", "failed", "rejected", "error"})


class _Country(msgspec.Struct):
    countryCode: str = ""  # noqa: N815 - as PostGrid writes it


_COUNTRY = msgspec.json.Decoder(_Country)


class File(msgspec.Struct, frozen=True):
    """A file; by titles of its columns, the fields of contacts and the merge variables that they hold."""

    content: bytes
    columns: Mapping[str, str]
    variables: Mapping[str, str]


def country_of(contact: bytes) -> str:
    """The country of an encoded contact."""
    return _COUNTRY.decode(contact).countryCode


def written(contacts: Sequence[bytes]) -> File:
    """The file of these encoded contacts. A column that PostGrid ignores holds each row's line."""
    rows: list[dict[str, Any]] = [msgspec.json.decode(contact) for contact in contacts]
    fields = dict.fromkeys(name for row in rows for name in row if name != "metadata")
    keys = dict.fromkeys(name for row in rows for name in row.get("metadata", ()))
    variables = {name: f"variable_{number}" for number, name in enumerate(keys, 1)}
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["row", *fields, *variables.values()])
    for line, row in enumerate(rows, _FIRST):
        values = row.get("metadata", {})
        writer.writerow([line, *(row.get(name, "") for name in fields), *(values.get(name, "") for name in keys)])
    return File(out.getvalue().encode(), {name: name for name in fields}, variables)


def omitted_rows(report: bytes, rows: int, expected: int) -> dict[int, str] | None:
    """By position, why rows of a file were omitted; None if the report is not clear about every row.

    It must name every row once, by its line in the file or by its number, and omit as many as PostGrid counted.

    Args:
        report: as PostGrid wrote it.
        rows: number of rows in the file.
        expected: number of rows that PostGrid omitted.
    """
    try:
        entries = [
            {name.strip().lower(): cell for name, cell in row.items() if name is not None}
            for row in csv.DictReader(io.StringIO(report.decode("utf-8-sig"), newline=""), restval="", strict=True)
        ]
        lines = {int(_cell(row, _LINE)): row for row in entries}
    except (ValueError, csv.Error):
        return None
    first = min(lines, default=0)
    is_whole = first in {1, _FIRST} and len(entries) == rows and lines.keys() == set(range(first, first + rows))
    omitted = {
        line - first: _cell(row, _REASON)[:500]
        for line, row in lines.items()
        if _cell(row, _RESULT).strip().lower() in _OMITTED
    }
    return omitted if is_whole and len(omitted) == expected else None


def _cell(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((str(row[name]) for name in names if name in row), "")
