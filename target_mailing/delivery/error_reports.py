"""Which rows of a batch an error file names, whatever the file's form, and the reason that it gives for each; pure.

Providers do not document these forms. A row that is not named is sent again or split, which does no harm; a row that is
named by mistake is rejected although it is good. So when in doubt, no row is named.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from target_mailing.delivery.named_addresses import NamedAddresses

__all__ = ["MAX_REASON", "refused_rows"]

#: Characters of a reason at most.
MAX_REASON: Final = 500

_ERROR_NAMES: Final = re.compile(
    r"error|reason|message|problem|detail|description|comment|fault|cause|warning", re.IGNORECASE
)
#: Members that hold somebody else's address.
_OTHERS_NAMES: Final = re.compile(
    r"(?:of|with|by)\Z|other|existing|refer|parent|owner|sender|from|reply|conflict|previous|former|old"
    r"|account|admin|author|creator|manager|notif|operator|requester|support|user"
)
_STATUS_NAMES: Final = frozenset({"status", "result", "state", "outcome", "success", "valid", "imported"})
_SUCCESS: Final = frozenset(
    {"ok", "true", "success", "successes", "successful", "succeeded", "imported", "completed", "created", "updated"}
    | {"added", "valid", "done", "accepted", "processed", "unchanged", "subscribed", "delivered"}
)
_EMAIL_NAMES: Final = frozenset({"email", "emailaddress", "contactemail", "mail"})
#: Members that hold the row's own values, which may be anybody's addresses.
_VALUES: Final = frozenset({"properties", "attributes", "attributesdata", "data", "metadata", "topicpreferences"})
_DELIMITERS: Final = ",;\t|"

#: An address, and the reason given for it, "" for none.
_Entry = tuple[str, str]


def refused_rows(
    content: bytes, addresses: NamedAddresses, *, properties: Collection[str] = (), is_counted: bool = False
) -> dict[str, str]:
    """Folded address -> reason, for the rows that a file certainly names.

    Args:
        content: of the file: JSON of any shape, JSON by lines, CSV, or plain text.
        addresses: of the batch.
        properties: names of the rows' own fields: their values never name a row.
        is_counted: the provider reports how many rows failed, so a file that names every row can be believed.
    """
    reader = _Reader(addresses, frozenset(map(_plain, properties)) | _VALUES)
    try:
        entries: Iterable[_Entry] = reader.entries(msgspec.json.decode(content))
    except (ValueError, RecursionError):
        entries = reader.lines(re.split(r"\r\n|\r|\n", content.decode("utf-8-sig", "replace")))
    reasons: dict[str, str] = {}
    for address, reason in entries:
        reasons[address] = reasons.get(address) or reason
    # Every row of the batch, and no reason: the file is a copy of the batch.
    if not is_counted and not any(reasons.values()) and 1 < len(reasons) == len(addresses):
        return {}
    return {address: (reason or "named in the error file")[:MAX_REASON] for address, reason in reasons.items()}


class _Reader:
    """Reads the parts of one file."""

    def __init__(self, addresses: NamedAddresses, values: Collection[str]) -> None:
        self._addresses = addresses
        self._values = values

    # JSON

    def entries(self, value: Any) -> list[_Entry]:
        """The rows that a JSON value names."""
        if isinstance(value, str):
            return self._of_string(value)
        if isinstance(value, list):
            cells = self._of_cells(value)
            return cells if cells is not None else [entry for element in value for entry in self.entries(element)]
        return self._of_object(value) if isinstance(value, dict) else []

    def _of_string(self, text: str) -> list[_Entry]:
        whole = self._addresses.whole(text)
        if whole is not None:
            return [(whole, "")]
        subject = self._addresses.subject(text)
        return [] if subject is None else [(subject, text)]

    def _of_cells(self, cells: list[Any]) -> list[_Entry] | None:
        """A row given as an array of an address and a reason; None for any other array."""
        if not all(isinstance(cell, (str, int, float)) or cell is None for cell in cells):
            return None
        strings = [cell for cell in cells if isinstance(cell, str)]
        address = self._addresses.whole(strings[0]) if strings else None
        has_reason = any(self._addresses.whole(cell) is None and not _is_address(cell) for cell in strings)
        return [(address, ", ".join(map(str, cells[1:])))] if address is not None and has_reason else None

    def _of_object(self, value: Mapping[str, Any]) -> list[_Entry]:
        if _is_success(value):
            return []
        by_address = [
            (address, "" if reason is True else _string(reason))
            for name, reason in value.items()
            if (address := self._addresses.whole(name)) and not _reports_success(reason)
        ]
        if by_address:
            return by_address
        address, is_about_row = self._row_of(value)
        if address is not None:
            return [(address, _reason(value))]
        return [] if is_about_row else self._of_container(value)

    def _of_container(self, value: Mapping[str, Any]) -> list[_Entry]:
        """The rows named by an object that is not an entry itself, or has its row in one of its members."""
        errors = [member for name, member in value.items() if _ERROR_NAMES.search(name)]
        others = [
            member for name, member in value.items() if not self._is_of_others(name) and _plain(name) not in _SUCCESS
        ]
        if not errors:
            return [entry for member in others for entry in self.entries(member)]
        rows = {row for member in others if isinstance(member, dict) and (row := self._row_of(member)[0]) is not None}
        listed = [entry for member in others if isinstance(member, list) for entry in self.entries(member)]
        if len(rows) == 1 and not listed:
            return [(rows.pop(), _reason(value))]
        parts = [entry for error in errors if isinstance(error, (dict, list)) for entry in self.entries(error)]
        if rows or listed:
            if not rows and not parts and len({address for address, _ in listed}) == 1:
                return [(listed[0][0], listed[0][1] or _reason(value))]
            # The object's reason is about all of them, not about each.
            return [*parts, *(entry for entry in listed if entry[1])]
        if parts:
            return parts
        strings = [error for error in errors if isinstance(error, str)]
        subjects = {subject for error in strings if (subject := self._addresses.subject(error)) is not None}
        return [(subjects.pop(), _reason(value))] if len(subjects) == 1 else []

    def _row_of(self, value: Mapping[str, Any]) -> tuple[str | None, bool]:
        """The row that an object is about, by the member that holds its address; and whether it is about any row."""
        ranked: dict[int, list[str]] = {}
        for name, member in value.items():
            if not isinstance(member, str) or self._is_of_others(name):
                continue
            if _is_address(member) or self._addresses.whole(member) is not None:
                ranked.setdefault(_rank(name), []).append(member)
        if not ranked:
            return None, False
        addresses = {self._addresses.whole(text) for text in ranked[min(ranked)]}
        # Of two addresses either may be the row's.
        return (addresses.pop() if len(addresses) == 1 else None), True

    def _is_of_others(self, name: str) -> bool:
        plain = _plain(name)
        is_other = bool(_ERROR_NAMES.search(name)) or plain in self._values
        return is_other or (_rank(name) > 0 and bool(_OTHERS_NAMES.search(plain)))

    # Lines

    def lines(self, lines: Iterable[str]) -> Iterator[_Entry]:
        """The rows that lines of text name, each line at most one."""
        columns: dict[str, int] = {}
        for line in lines:
            if line.lstrip()[:1] in {"{", "["}:
                try:
                    yield from self.entries(msgspec.json.decode(line))
                    continue
                except (ValueError, RecursionError):
                    pass
            address = self._of_line(line, columns)
            if address is not None:
                yield address, line.strip()

    def _of_line(self, line: str, columns: dict[str, int]) -> str | None:
        """The row of a line: by a whole cell, otherwise by the subject of its text."""
        for delimiter in _DELIMITERS:
            if delimiter not in line or self._addresses.have(delimiter):
                continue
            try:
                cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
            except csv.Error:
                continue
            header = next((column for column, cell in enumerate(cells) if _plain(cell) in _EMAIL_NAMES), None)
            if header is not None:
                columns[delimiter] = header
                return None
            column = columns.get(delimiter)
            if column is not None and column < len(cells) and "@" in cells[column]:
                return self._addresses.whole(cells[column])  # None if the row is not of this batch
            if any(self._addresses.whole(cell) is not None for cell in cells):
                first = self._addresses.whole(cells[0])
                subjects = {
                    self._addresses.whole(cell) or self._addresses.subject(cell) for cell in cells if "@" in cell
                }
                return first if first is not None or len(subjects) > 1 else subjects.pop()
        return self._addresses.whole(line) or self._addresses.subject(line)


_ANY_NAME: Final = 3


def _rank(name: str) -> int:
    """How likely a member of this name is the row's own address; 0 is likeliest."""
    plain = _plain(name)
    if plain in _EMAIL_NAMES:
        return 0
    if plain.startswith(("email", "mail")) or plain.endswith(("email", "mail", "emailaddress")):
        return 1
    return 2 if plain in {"address", "contact", "recipient", "subscriber", "row", "record", "key"} else _ANY_NAME


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _is_address(text: str) -> bool:
    """Whether a string may be a whole address, of anybody."""
    return "@" in text and not re.search(r"\s", text.strip())


def _is_success(value: Mapping[str, Any]) -> bool:
    """Whether an entry reports that its row succeeded."""
    errors = [member for name, member in value.items() if _ERROR_NAMES.search(name)]
    if errors:
        return not any(errors)
    return any(str(status).lower() in _SUCCESS for status in _statuses(value).values())


def _reports_success(reason: Any) -> bool:
    """Whether an address's reason reports success."""
    return _is_success(reason) if isinstance(reason, dict) else not reason or str(reason).lower() in _SUCCESS


def _reason(value: Mapping[str, Any]) -> str:
    """The errors of an entry, or its statuses; "" where it only has the row's values."""
    errors = [_string(member) for name, member in value.items() if member and _ERROR_NAMES.search(name)]
    return "; ".join(errors or [f"{name}: {_string(status)}" for name, status in _statuses(value).items()])


def _statuses(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in value.items() if _plain(name) in _STATUS_NAMES}


def _string(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
