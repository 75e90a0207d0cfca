"""Which rejects are of one person: records in the rejects files and in the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from target_mailing.journal.reject import Reject
from target_mailing.journal.rejects import reject_content
from target_mailing.journal.rejects_file import key_properties
from target_mailing.person.keys import PersonKeys
from target_mailing.person.mentions import Mentions
from target_mailing.rows.lines import REJECT_COLUMNS

__all__ = ["PersonRejects", "RejectMessage", "decoded", "ids_in", "is_empty"]


class RejectMessage(msgspec.Struct):
    """A line of a rejects file."""

    type: str
    stream: str = ""
    record: dict[str, Any] | None = None
    schema: dict[str, Any] | None = None


_decode: Final = msgspec.json.Decoder(RejectMessage).decode


class PersonRejects:
    """Recognises rejects of one person: by an address in any column, however deep, or by the key.

    Attributes:
        found: how many keys were found by addresses so far.
        by_address: names of the files that have the address.
    """

    def __init__(
        self,
        mentions: Mentions,
        keys: PersonKeys,
        *,
        email_column: Callable[[str], str],
        is_others: Callable[[str, Sequence[Any]], bool],
        columns: Mapping[str, Sequence[str]],
    ) -> None:
        """Take what is known of the person.

        Args:
            mentions: finds the addresses.
            keys: of the person; those of records whose address is theirs are added.
            email_column: the column of a stream that has the address.
            is_others: whether the journal has another address for a key of a stream.
            columns: the columns of the key of streams, as far as the journal has them; the files' own come first.
        """
        self.found = 0
        self.by_address: set[str] = set()
        self._mentions = mentions
        self._keys = keys
        self._email_column = email_column
        self._is_others = is_others
        #: The columns of the key of each stream.
        self._columns = {**columns}

    def lines(self, path: Path) -> Iterator[tuple[bytes, bytes | None]]:
        """The lines of a file, and what is left of each: it, or nothing."""
        with path.open("rb") as file:
            for line in file:
                yield line, None if self._is_their_line(line, path.name) else line

    def is_theirs(self, reject: Reject) -> bool:
        """Whether a reject of the journal is."""
        record = msgspec.json.decode(reject.record)
        if not isinstance(record, dict):
            return self._mentions.among([record, reject.reason])
        return self._is_their_record(reject.stream, {**record, "": reject.reason}, "")

    def _is_their_line(self, line: bytes, name: str) -> bool:
        message = decoded(line)
        if message is None:
            is_torn = not line.endswith(b"\n")  # by a full disk or a kill: no STATE passed it
            return is_torn or self._mentions.in_bytes(line)
        if message.schema is not None:
            self._columns[message.stream] = key_properties(message.schema, None)
            return False
        return message.record is not None and self._is_their_record(message.stream, message.record, name)

    def _is_their_record(self, stream: str, record: Mapping[str, Any], name: str) -> bool:
        key = [record.get(column) for column in self._columns.get(stream, ())]
        is_by_key = bool(key) and self._keys.is_key(stream, key)
        if not self._mentions.among(record):
            return is_by_key
        self.by_address.add(name)
        # Others may mention the person: a key is theirs if their address is in the column of addresses.
        is_own = self._mentions.is_address(record.get(self._email_column(stream)))
        if is_own and key and None not in key and not is_by_key and not self._is_others(stream, key):
            self._keys.add(stream, key)
            self.found += 1
        return True


def decoded(line: bytes) -> RejectMessage | None:
    """A line of a rejects file; None for a damaged one."""
    try:
        return _decode(line)
    except (ValueError, RecursionError):
        return None


def ids_in(path: Path, fingerprints: Callable[[Sequence[bytes]], Sequence[int]]) -> set[int]:
    """The hashes that the records of a file have in the journal.

    Raises:
        OSError: the file cannot be read.
    """
    ids: set[int] = set()
    with path.open("rb") as file:
        for line in file:
            message = decoded(line)
            if message is not None and message.record is not None:
                code = str(message.record.get(REJECT_COLUMNS[0]))
                record = {name: value for name, value in message.record.items() if name not in REJECT_COLUMNS}
                ids.update(fingerprints([reject_content(message.stream, code, msgspec.json.encode(record))]))
    return ids


def is_empty(path: Path) -> bool:
    """Whether there are only SCHEMAs in a file."""
    with path.open("rb") as file:
        return all((message := decoded(line)) is not None and message.schema is not None for line in file)
