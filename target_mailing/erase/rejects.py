"""The rejects files without one person."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mailing_api.addresses import fold_address
from target_mailing.contacts.row_address import addresses_in
from target_mailing.explain.keys import PersonKeys
from target_mailing.journal.reject import Reject
from target_mailing.journal.rejects import reject_content
from target_mailing.journal.rejects_file import key_properties
from target_mailing.lines import REJECT_COLUMNS

__all__ = ["REJECTS", "PersonRejects", "ids_in", "is_empty"]

REJECTS: Final = ("rejects-*.singer",)


class _Message(msgspec.Struct):
    type: str
    stream: str = ""
    record: dict[str, Any] | None = None
    schema: dict[str, Any] | None = None


_decode: Final = msgspec.json.Decoder(_Message).decode


class PersonRejects:
    """Recognises rejects of one person: by an address in any column, however deep, or by the key.

    Attributes:
        found: how many keys were found by addresses so far.
        by_address: names of the files that have the address.
    """

    def __init__(self, addresses: Collection[str], spellings: Collection[str], keys: PersonKeys) -> None:
        """Take the person's addresses.

        Args:
            addresses: folded.
            spellings: as they may be written, for lines that cannot be decoded.
            keys: of the person; those of records that hold only their addresses are added.
        """
        self.found = 0
        self.by_address: set[str] = set()
        self._addresses = addresses
        self._keys = keys
        self._spelled = [
            form
            for one in {*addresses, *spellings}
            for form in (one.lower().encode(), json.dumps(one.lower())[1:-1].encode())
        ]
        #: The columns of the key of each stream, from the files.
        self._columns: dict[str, Sequence[str]] = {}

    def lines(self, path: Path) -> Iterator[tuple[bytes, bytes | None]]:
        """The lines of a file, and what is left of each: it, or nothing."""
        with path.open("rb") as file:
            for line in file:
                yield line, None if self._is_their_line(line, path.name) else line

    def is_theirs(self, reject: Reject) -> bool:
        """Whether a reject of the journal is."""
        record = msgspec.json.decode(reject.record)
        if not isinstance(record, dict):
            return self._has_address([record, reject.reason])
        return self._is_their_record(reject.stream, {**record, "": reject.reason}, "")

    def _is_their_line(self, line: bytes, name: str) -> bool:
        message = _decoded(line)
        if message is None:
            is_torn = not line.endswith(b"\n")  # by a full disk or a kill: no STATE passed it
            return is_torn or any(form in line.lower() for form in self._spelled)
        if message.schema is not None:
            self._columns[message.stream] = key_properties(message.schema, None)
            return False
        return message.record is not None and self._is_their_record(message.stream, message.record, name)

    def _is_their_record(self, stream: str, record: Mapping[str, Any], name: str) -> bool:
        key = [record.get(column) for column in self._columns.get(stream, ())]
        is_by_key = bool(key) and self._keys.is_key(stream, key)
        if not self._has_address(record):
            return is_by_key
        self.by_address.add(name)
        if key and None not in key and not is_by_key and self._is_only_theirs(record):
            self._keys.add(stream, key)
            self.found += 1
        return True

    def _has_address(self, value: Any) -> bool:
        return any(one in self._addresses for one in _addresses(value))

    def _is_only_theirs(self, record: Mapping[str, Any]) -> bool:
        """Whether no other address is in the record: it may be of somebody else who names the person."""
        return all(one in self._addresses for name, value in record.items() for one in _addresses(value) if name)


def _decoded(line: bytes) -> _Message | None:
    try:
        return _decode(line)
    except (ValueError, RecursionError):
        return None


def _addresses(value: Any) -> Iterator[str]:
    """What may be addresses in a value, folded."""
    for text in _strings(value):
        if "@" in text or "\uff20" in text or "\ufe6b" in text:
            found = [fold_address(one) for one in addresses_in(text)]
            yield from found or [fold_address(text)]


def _strings(value: Any) -> Iterator[str]:
    """All strings in decoded JSON."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one


def ids_in(path: Path, fingerprints: Callable[[Sequence[bytes]], Sequence[int]]) -> set[int]:
    """The hashes that the records of a file have in the journal.

    Raises:
        OSError: the file cannot be read.
    """
    ids: set[int] = set()
    with path.open("rb") as file:
        for line in file:
            message = _decoded(line)
            if message is not None and message.record is not None:
                code = str(message.record.get(REJECT_COLUMNS[0]))
                record = {name: value for name, value in message.record.items() if name not in REJECT_COLUMNS}
                ids.update(fingerprints([reject_content(message.stream, code, msgspec.json.encode(record))]))
    return ids


def is_empty(path: Path) -> bool:
    """Whether there are only SCHEMAs in a file."""
    with path.open("rb") as file:
        return all((message := _decoded(line)) is not None and message.schema is not None for line in file)
