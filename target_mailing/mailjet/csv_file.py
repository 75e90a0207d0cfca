"""Mailjet's CSV files: which contacts one holds, how it is written, and what its error file says; pure.

Facts and what is unverified: docs/mailjet.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from target_mailing.delivery.error_reports import MAX_REASON
from target_mailing.delivery.named_addresses import NamedAddresses
from target_mailing.row import Row

__all__ = ["CsvErrors", "CsvFile", "columns_of", "cut", "errors_of", "files", "write"]

#: Bytes of a file, about: as many as a large user of CSV imports uploads at a time. Mailjet publishes no limit.
_MAX_BYTES: Final = 2 * 1024 * 1024

_DATETIME_FORMAT: Final = "yyyy-mm-dd hh:nn:ss"  # `nn` is minutes

#: An address that is a cell without quotes, so that nothing has to be known about how Mailjet reads and writes them.
_ADDRESS = re.compile(r'[^\s",\ufeff]+')
_COLUMN = re.compile(r"[A-Za-z0-9_]+")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
#: Control characters, line breaks of all kinds among them.
_CONTROL = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")
_NEEDS_QUOTES = re.compile(r'[",\x00-\x1f]|^\s|\s$')


class CsvFile(msgspec.Struct, frozen=True):
    """A file to be imported.

    Attributes:
        content: the file, UTF-8.
        options: `ImportOptions` that it needs, a JSON document as text; "" for none.
    """

    content: bytes
    options: str


class _Contact(msgspec.Struct):
    """A contact as the JSON route takes it, which is how rows hold it."""

    email: str = msgspec.field(name="Email")
    name: str = msgspec.field(name="Name", default="")
    properties: dict[str, Any] = msgspec.field(name="Properties", default_factory=dict)


_CONTACT = msgspec.json.Decoder(_Contact)


# Which contacts go into which file


def files(rows: Sequence[Row], datatypes: Mapping[str, str], *, least: int) -> tuple[list[list[Row]], list[Row]]:
    """Rows as files of the same columns, and the rows that are in none.

    What an empty cell does is unverified, so a file has no cell for which its row has no value.

    Args:
        rows: of one action.
        datatypes: of the account's properties.
        least: fewer rows of the same columns make no file.
    """
    groups: dict[tuple[str, ...] | None, list[Row]] = {}
    for row in rows:
        groups.setdefault(columns_of(row.contact, datatypes), []).append(row)
    made: list[list[Row]] = []
    others: list[Row] = []
    for columns, group in groups.items():
        if columns is not None and len(group) >= least:
            made.extend(cut(group))
        else:
            others.extend(group)
    return made, others


def columns_of(contact: bytes, datatypes: Mapping[str, str]) -> tuple[str, ...] | None:
    """The properties of a contact, sorted; None if a file might not have the effect that the JSON route has.

    A file cannot set a name or clear a property. It would make a property that does not exist. And nobody has
    verified what becomes of line breaks, outer spaces, and numbers with exponents in it.
    """
    found = _CONTACT.decode(contact)
    if found.name or not _ADDRESS.fullmatch(found.email):
        return None
    for name, value in found.properties.items():
        if not _COLUMN.fullmatch(name) or name.lower() == "email" or not _fits(value, datatypes.get(name)):
            return None
    return tuple(sorted(found.properties))


def cut(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows as files of a size that is known to work. A line is never longer than its contact as JSON."""
    made: list[list[Row]] = []
    size = 0
    for row in rows:
        if not made or size + len(row.contact) > _MAX_BYTES:
            made.append([])
            size = 0
        made[-1].append(row)
        size += len(row.contact)
    return made


def _fits(value: Any, datatype: str | None) -> bool:
    match datatype:
        case "str":
            return isinstance(value, str) and value != "" and value == value.strip() and not _CONTROL.search(value)
        case "datetime":
            return isinstance(value, str) and _MOMENT.fullmatch(value) is not None
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, float) and "e" not in repr(value)
    return False


# Writing


def write(contacts: Sequence[bytes], datatypes: Mapping[str, str]) -> CsvFile:
    """A file of contacts that have the same properties, at least one contact.

    A file with datetimes has no header: Mailjet then wants the columns, and the one format of all its datetimes, as
    options.
    """
    found = [_CONTACT.decode(contact) for contact in contacts]
    columns = sorted(found[0].properties)
    moments = {name for name in columns if datatypes.get(name) == "datetime"}
    lines = [] if moments else [["email", *columns]]
    lines.extend(
        [one.email, *(_cell(one.properties[name], moment=name in moments) for name in columns)] for one in found
    )
    content = "".join(",".join(map(_quoted, line)) + "\n" for line in lines).encode()
    options = {"DateTimeFormat": _DATETIME_FORMAT, "TimezoneOffset": 0, "FieldNames": ["email", *columns]}
    return CsvFile(content, msgspec.json.encode(options).decode() if moments else "")


def _cell(value: Any, *, moment: bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if moment:
        return f"{value[:10]} {value[11:19]}"
    return str(value)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell


# The error file

#: What stands before the reason, which is the last cell of a line, quoted or not.
_BEFORE_REASON = re.compile(r',(?:\s*+"\s++|\s++)###')
_FIRST_CELL = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,]*))')


class CsvErrors(msgspec.Struct, frozen=True):
    """What an error file says.

    Attributes:
        named: folded address -> what is said of it.
        others: lines of which nobody can tell whose they are.
    """

    named: Mapping[str, str]
    others: int


def errors_of(content: bytes, addresses: NamedAddresses) -> CsvErrors:
    """What an error file says of a batch's addresses.

    Its lines are those of the rows in error, as they were or cut short, with one cell more: ` ###message` or
    ` ###message###column`. So the address is in the first cell, and the reason after the last ` ###`. A header has no
    such cell, and whether there is one is unverified for a file that had none.
    """
    named: dict[str, str] = {}
    others = 0
    for line in re.split(r"\r\n|\r|\n", content.decode("utf-8-sig", "replace")):
        *_, before = [None, *_BEFORE_REASON.finditer(line)]
        first = _FIRST_CELL.match(line)
        if before is None or first is None:
            continue
        cell = first[2] if first[1] is None else first[1].replace('""', '"')
        message, _, column = line[before.end() :].strip().removesuffix('"').replace('""', '"').partition("###")
        said = f"{message.strip()} ({column.strip()})" if column.strip() else message.strip()
        address = addresses.whole(cell)
        if address is None:
            others += 1
        else:
            named.setdefault(address, said[:MAX_REASON])
    return CsvErrors(named, others)
