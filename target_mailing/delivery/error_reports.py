"""Which rows of a batch an error file names, whatever the file's form, and what it says of each; pure.

Providers do not publish these forms. Rows that are not named are sent again or split, which does no harm; a row that is
named wrongly is a good one rejected. So in doubt nobody is named.
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
_GOOD: Final = frozenset(
    {"ok", "true", "success", "successes", "successful", "succeeded", "imported", "completed", "created", "updated"}
    | {"added", "valid", "done", "accepted", "processed", "unchanged", "subscribed", "delivered"}
)
_EMAIL_NAMES: Final = frozenset({"email", "emailaddress", "contactemail", "mail"})
#: Members that hold the row's own values, which may be anybody's addresses.
_VALUES: Final = frozenset({"properties", "attributes", "attributesdata", "data", "metadata", "topicpreferences"})
_DELIMITERS: Final = ",;\t|"

#: An address, "" where nothing is said of it; a reason that counts.
_Entry = tuple[str, str]


def refused_rows(
    content: bytes, addresses: NamedAddresses, *, properties: Collection[str] = (), is_counted: bool = False
) -> dict[str, str]:
    """Folded address -> what is said of it, for the rows that a file certainly names.

    Args:
        content: of the file: JSON of any shape, JSON by lines, CSV, or text.
        addresses: of the batch.
        properties: names of the rows' own fields: what stands under them never names a row.
        is_counted: the provider tells how many rows failed, so that a file that names all of them can be believed.
    """
    reader = _Reader(addresses, frozenset(map(_plain, properties)) | _VALUES)
    try:
        entries: Iterable[_Entry] = reader.entries(msgspec.json.decode(content))
    except (ValueError, RecursionError):
        entries = reader.lines(re.split(r"\r\n|\r|\n", content.decode("utf-8-sig", "replace")))
    found: dict[str, str] = {}
    for address, said in entries:
        found[address] = found.get(address) or said
    bare = {address for address, said in found.items() if not said}
    # All rows of a batch, and a reason for none of them: that is a copy of it.
    if not is_counted and len(bare) > 1 and len(bare) == len(addresses):
        return {}
    return {address: (said or "named in the error file")[:MAX_REASON] for address, said in found.items()}


class _Reader:
    """Reads the parts of one file."""

    def __init__(self, addresses: NamedAddresses, values: Collection[str]) -> None:
        self._addresses = addresses
        self._values = values

    # JSON

    def entries(self, value: Any) -> list[_Entry]:
        """The rows that a JSON value names."""
        if isinstance(value, str):
            return self._of_text(value)
        if isinstance(value, list):
            cells = self._of_cells(value)
            return cells if cells is not None else [one for each in value for one in self.entries(each)]
        return self._of_object(value) if isinstance(value, dict) else []

    def _of_text(self, text: str) -> list[_Entry]:
        whole = self._addresses.whole(text)
        if whole is not None:
            return [(whole, "")]
        named = self._addresses.subject(text)
        return [] if named is None else [(named, text)]

    def _of_cells(self, cells: list[Any]) -> list[_Entry] | None:
        """A row given as an array of an address and a reason; None for an array of anything else."""
        if not all(isinstance(cell, (str, int, float)) or cell is None for cell in cells):
            return None
        texts = [cell for cell in cells if isinstance(cell, str)]
        whole = [cell for cell in texts if self._addresses.whole(cell) is not None]
        others = [cell for cell in texts if cell not in whole and not _is_address(cell)]
        if not whole or not others or texts[0] != whole[0]:
            return None
        address = self._addresses.whole(whole[0])
        return [] if address is None else [(address, ", ".join(map(str, cells[1:])))]

    def _of_object(self, value: Mapping[str, Any]) -> list[_Entry]:
        if _is_good(value):
            return []
        by_address = [
            (address, "" if said is True else _text(said))
            for name, said in value.items()
            if (address := self._addresses.whole(name)) and not _says_good(said)
        ]
        if by_address:
            return by_address
        address, is_settled = self._row_of(value)
        if address is not None:
            return [(address, _reason(value))]
        return [] if is_settled else self._of_container(value)

    def _of_container(self, value: Mapping[str, Any]) -> list[_Entry]:
        """The rows named by an object that is no entry by itself, or has its row in a part of it."""
        errors = [said for name, said in value.items() if _ERROR_NAMES.search(name)]
        others = [part for name, part in value.items() if not self._is_of_others(name) and _plain(name) not in _GOOD]
        if not errors:
            return [entry for part in others for entry in self.entries(part)]
        rows = {row for part in others if isinstance(part, dict) and (row := self._row_of(part)[0]) is not None}
        listed = [entry for part in others if isinstance(part, list) for entry in self.entries(part)]
        if len(rows) == 1 and not listed:
            return [(rows.pop(), _reason(value))]
        parts = [entry for said in errors if isinstance(said, (dict, list)) for entry in self.entries(said)]
        if rows or listed:
            if not rows and not parts and len({address for address, _ in listed}) == 1:
                return [(listed[0][0], listed[0][1] or _reason(value))]
            # What is said of all of them is not said of each.
            return [*parts, *(entry for entry in listed if entry[1])]
        if parts:
            return parts
        named = {one for said in errors if isinstance(said, str) and (one := self._addresses.subject(said)) is not None}
        return [(named.pop(), _reason(value))] if len(named) == 1 else []

    def _row_of(self, value: Mapping[str, Any]) -> tuple[str | None, bool]:
        """The row that an object is about by a member that is its address; and whether the object is about one."""
        texts = {
            name: one.strip() for name, one in value.items() if isinstance(one, str) and not self._is_of_others(name)
        }
        ranked: dict[int, list[str]] = {}
        for name, text in texts.items():
            if _is_address(text) or self._addresses.whole(text) is not None:
                ranked.setdefault(_rank(name), []).append(text)
        if not ranked:
            return None, False
        rank = min(ranked)
        addresses = {self._addresses.whole(text) for text in ranked[rank]}
        if len(addresses) != 1:
            return None, True  # nobody can tell which
        return addresses.pop(), True

    def _is_of_others(self, name: str) -> bool:
        plain = _plain(name)
        is_other = bool(_ERROR_NAMES.search(name)) or plain in self._values
        return is_other or (_rank(name) > 0 and bool(_OTHERS_NAMES.search(plain)))

    # Lines

    def lines(self, lines: Iterable[str]) -> Iterator[_Entry]:
        """The rows that lines of text name, each at most one."""
        columns: dict[str, int] = {}
        for line in lines:
            if line.lstrip()[:1] in {"{", "["}:
                try:
                    yield from self.entries(msgspec.json.decode(line))
                    continue
                except (ValueError, RecursionError):
                    pass
            named = self._of_line(line, columns)
            if named is not None:
                yield named, line.strip()

    def _of_line(self, line: str, columns: dict[str, int]) -> str | None:
        """The row of a line: a whole cell is its address, or else it is the one that its text is about."""
        for delimiter in _DELIMITERS:
            if delimiter not in line or self._addresses.have(delimiter):
                continue
            try:
                cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
            except csv.Error:
                continue
            header = next((at for at, cell in enumerate(cells) if _plain(cell) in _EMAIL_NAMES), None)
            if header is not None:
                columns[delimiter] = header
                return None
            at = columns.get(delimiter)
            if at is not None and at < len(cells) and "@" in cells[at]:
                return self._addresses.whole(cells[at])  # None for somebody else's row
            whole = {address for cell in cells if (address := self._addresses.whole(cell)) is not None}
            if whole:
                first = self._addresses.whole(cells[0])
                spoken_of = {
                    self._addresses.whole(cell) or self._addresses.subject(cell) for cell in cells if "@" in cell
                }
                return first if first is not None or len(spoken_of) > 1 else spoken_of.pop()
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
    """Whether a text may be one whole address, of whomever."""
    return "@" in text and not re.search(r"\s", text.strip())


def _is_good(value: Mapping[str, Any]) -> bool:
    """Whether an entry says that nothing is wrong with its row."""
    errors = [said for name, said in value.items() if _ERROR_NAMES.search(name)]
    if errors:
        return not any(errors)
    told = [said for name, said in value.items() if _plain(name) in _STATUS_NAMES]
    return any(str(said).lower() in _GOOD for said in told)


def _says_good(said: Any) -> bool:
    """Whether what is said of one address is that nothing is wrong."""
    return _is_good(said) if isinstance(said, dict) else not said or str(said).lower() in _GOOD


def _reason(value: Mapping[str, Any]) -> str:
    """What an entry says is wrong; "" where it only has the row's values."""
    said = [_text(one) for name, one in value.items() if one and _ERROR_NAMES.search(name)]
    said = said or [f"{name}: {_text(one)}" for name, one in value.items() if _plain(name) in _STATUS_NAMES]
    return "; ".join(said)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
