"""Mailjet's CSV files: the contacts of each, its content, and its error file; pure.

Facts, and what is unverified: docs/mailjet.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.error_reports import MAX_REASON
from target_mailing.delivery.named_addresses import NamedAddresses
from target_mailing.mailjet.contact import decoded

__all__ = ["CsvErrors", "CsvFile", "columns_of", "cut", "errors_of", "files", "write"]

#: Approximate bytes of a file: a large user of CSV imports uploads as many at a time. Mailjet publishes no limit.
_MAX_BYTES: Final = 2 * 1024 * 1024

_DATETIME_FORMAT: Final = "yyyy-mm-dd hh:nn:ss"  # `nn` is minutes

#: An address that needs no quotes as a cell: how Mailjet reads and writes quotes does not matter then.
_ADDRESS = re.compile(r'[^\s",\ufeff]+')
_COLUMN = re.compile(r"[A-Za-z0-9_]+")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
#: Control characters, line breaks of all kinds among them.
_CONTROL = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")
_NEEDS_QUOTES = re.compile(r'[",\x00-\x1f]|^\s|\s$')


class CsvFile(msgspec.Struct, frozen=True):
    """A file to import.

    Attributes:
        content: the file, UTF-8.
        options: its `ImportOptions`, a JSON document in a string; "" for none.
    """

    content: bytes
    options: str


# Which contacts go into which file


def files(
    rows: Sequence[EncodedContact], datatypes: Mapping[str, str], *, least: int
) -> tuple[list[list[int]], list[int]]:
    """The positions of rows with the same columns for each file, and of the rows that are in no file.

    The effect of an empty cell is unverified, so a row has a value for each column of its file.

    Args:
        rows: of one action.
        datatypes: of the account's properties.
        least: smallest number of rows with the same columns for a file.
    """
    groups: dict[tuple[str, ...] | None, list[int]] = {}
    for position, row in enumerate(rows):
        groups.setdefault(columns_of(row.content, datatypes), []).append(position)
    csv_files: list[list[int]] = []
    others: list[int] = []
    for columns, group in groups.items():
        if columns is not None and len(group) >= least:
            csv_files.extend(cut(rows, group))
        else:
            others.extend(group)
    return csv_files, others


def columns_of(contact: bytes, datatypes: Mapping[str, str]) -> tuple[str, ...] | None:
    """The properties of a contact, sorted; None if a file might have another effect than the JSON route.

    A file cannot set a name or clear a property, and it creates properties that do not exist. How Mailjet reads line
    breaks, outer spaces and numbers with exponents is unverified.
    """
    fields = decoded(contact)
    if fields.Name or not _ADDRESS.fullmatch(fields.Email):
        return None
    for name, value in fields.Properties.items():
        if not _COLUMN.fullmatch(name) or name.lower() == "email" or not _fits(value, datatypes.get(name)):
            return None
    return tuple(sorted(fields.Properties))


def cut(rows: Sequence[EncodedContact], positions: Sequence[int]) -> list[list[int]]:
    """These positions in files of a size that is known to work. A line is never longer than its contact as JSON."""
    csv_files: list[list[int]] = []
    size = 0
    for position in positions:
        content = rows[position].content
        if not csv_files or size + len(content) > _MAX_BYTES:
            csv_files.append([])
            size = 0
        csv_files[-1].append(position)
        size += len(content)
    return csv_files


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
    """A file of one or more contacts, all with the same properties.

    A file with datetimes has no header: Mailjet then expects the columns, and the one format of all datetimes, as
    options.
    """
    columns = sorted(decoded(contacts[0]).Properties)
    moments = {name for name in columns if datatypes.get(name) == "datetime"}
    lines = [] if moments else [["email", *columns]]
    lines.extend(
        [contact.Email, *(_cell(contact.Properties[name], moment=name in moments) for name in columns)]
        for contact in map(decoded, contacts)
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

#: The text before the reason, which is the last cell of a line, quoted or not.
_BEFORE_REASON = re.compile(r',(?:\s*+"\s++|\s++)###')
_FIRST_CELL = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,]*))')


class CsvErrors(msgspec.Struct, frozen=True):
    """The content of an error file.

    Attributes:
        named: folded address -> reason.
        others: number of lines that name no address of the batch.
    """

    named: Mapping[str, str]
    others: int


def errors_of(content: bytes, addresses: NamedAddresses) -> CsvErrors:
    """The reasons that an error file has for a batch's addresses.

    Its lines are those of the rows in error, complete or cut short, with one more cell: ` ###message` or
    ` ###message###column`. So the address is in the first cell, and the reason after the last ` ###`. A header has no
    such cell; whether the error file of a file without header has one is unverified.
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
        reason = f"{message.strip()} ({column.strip()})" if column.strip() else message.strip()
        address = addresses.whole(cell)
        if address is None:
            others += 1
        else:
            named.setdefault(address, reason[:MAX_REASON])
    return CsvErrors(named, others)
