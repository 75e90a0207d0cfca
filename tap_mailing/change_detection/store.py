"""The base of all snapshot stores: tables, and the statements that every database understands."""

from __future__ import annotations

import abc
import secrets
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Self, TypeVar

import msgspec

from mailing_api.errors import ConfigurationError

__all__ = ["TABLES", "Entry", "Found", "Generation", "Note", "Store", "held"]

_Row = TypeVar("_Row", bound=tuple[Any, ...])

#: A row to store: key, place, and hash, which is None for a deleted row.
Note = tuple[str, int, int | None]

#: A stored row: place, hash, and the number of the walk that wrote it.
Found = tuple[int, int | None, int]

#: The names of the tables.
TABLES: Final = frozenset({"constants", "parts", "generations", "entries"})

_FORMAT: Final = b"1"


class Generation(msgspec.Struct, frozen=True):
    """A complete walk.

    Attributes:
        number: greater than the numbers of all earlier walks.
        since: the number of the first walk that it builds on; rows that only earlier walks wrote do not belong to it.
        scope: a digest of the settings that limited the walk.
    """

    number: int
    since: int
    scope: bytes


class Entry(msgspec.Struct, frozen=True):
    """A stored row of any stream.

    Attributes:
        part: the number of its stream and account.
        exists: the last walk that stored it met it; otherwise it noted that it is gone.
    """

    part: int
    stream: str
    account: str
    key: str
    exists: bool


class Store(abc.ABC):
    """A database of snapshots, open inside a `with` block. Uncommitted changes may be lost.

    Attributes:
        name: for messages and logs, without a password.
        secret: the key of the hashes.
    """

    name: str
    secret: bytes

    def __enter__(self) -> Self:
        try:
            self._connect()
            self.secret = self._constant("secret", secrets.token_bytes(32))
            self._check_format()
            self.commit()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Streams and walks

    def part(self, stream: str, account: str) -> int:
        """The number of a stream and account, which this run locks until it closes the store.

        Raises:
            ConfigurationError: another run has the lock, or the store cannot be written.
        """
        self._hold(stream, account)
        names = (stream, account)
        self._run("INSERT INTO parts (stream, account, last) VALUES (?, ?, 0) ON CONFLICT DO NOTHING", names)
        (part,) = self._one(tuple[int], "SELECT part FROM parts WHERE stream = ? AND account = ?", names)
        self.commit()
        return part

    def begin(self, part: int) -> int:
        """The number of a new walk."""
        self._run("UPDATE parts SET last = last + 1 WHERE part = ?", (part,))
        (last,) = self._one(tuple[int], "SELECT last FROM parts WHERE part = ?", (part,))
        return last

    def generation(self, part: int, name: str) -> Generation | None:
        """The generation of this name; None if the store does not have it."""
        query = "SELECT number, since, scope FROM generations WHERE part = ? AND name = ?"
        rows = self._read(tuple[int, int, bytes], query, (part, name))
        return Generation(*rows[0]) if rows else None

    def has_generation(self, part: int) -> bool:
        """Whether the store has any generation."""
        return bool(self._run("SELECT 1 FROM generations WHERE part = ? LIMIT 1", (part,)))

    def add_generation(self, part: int, name: str, generation: Generation) -> None:
        """Store a generation."""
        self._run(
            "INSERT INTO generations (part, name, number, since, scope) VALUES (?, ?, ?, ?, ?)",
            (part, name, generation.number, generation.since, generation.scope),
        )

    def drop_before(self, part: int, base: Generation) -> None:
        """Drop the earlier generations, and the rows that only they need."""
        self._run("DELETE FROM generations WHERE part = ? AND number < ?", (part, base.number))
        self._run(
            "DELETE FROM entries WHERE part = ? AND (written < ? OR (written <= ? AND hash IS NULL))",
            (part, base.since, base.number),
        )

    # Rows

    def extent(self, part: int) -> tuple[int, int, int]:
        """The number of rows, the lowest of their places, and the first place after them."""
        query = "SELECT COUNT(*), COALESCE(MIN(place), 0), COALESCE(MAX(place), -1) FROM entries WHERE part = ?"
        count, first, last = self._one(tuple[int, int, int], query, (part,))
        return count, first, last + 1

    @abc.abstractmethod
    def find(self, part: int, keys: Sequence[str]) -> dict[str, Found]:
        """The stored rows with these keys, by key."""

    @abc.abstractmethod
    def put(self, part: int, number: int, notes: Collection[Note]) -> None:
        """Store rows that a walk writes; each key may occur once."""

    def scan(self, part: int, before: int, size: int) -> Iterator[list[tuple[str, int]]]:
        """Keys and places of the rows that were last written before this walk, page by page."""
        last = ""
        query = "SELECT key, place, written FROM entries WHERE part = ? AND key > ? ORDER BY key LIMIT ?"
        while page := self._read(tuple[str, int, int], query, (part, last, size)):
            last = page[-1][0]
            yield [(key, place) for key, place, written in page if written < before]

    # One person

    def entries(self, keys: Sequence[str]) -> list[Entry]:
        """The stored rows of all streams and accounts that have one of these keys."""
        accounts = self._read(tuple[int, str, str], "SELECT part, stream, account FROM parts ORDER BY part")
        return [
            Entry(part, stream, account, key, row_hash is not None)
            for part, stream, account in accounts
            for key, (_, row_hash, _) in self.find(part, keys).items()
        ]

    def hold(self, entry: Entry) -> None:
        """Lock a row's stream and account, until the store is closed.

        Raises:
            ConfigurationError: a run has the lock.
        """
        self._hold(entry.stream, entry.account)

    def erase(self, entries: Sequence[Entry]) -> None:
        """Delete rows, which are new if they come again."""
        for entry in entries:
            self._run("DELETE FROM entries WHERE part = ? AND key = ?", (entry.part, entry.key))
        self.commit()

    @abc.abstractmethod
    def compact(self) -> None:
        """Rewrite the rows, so that nothing of deleted ones is left; what a file gives up is overwritten.

        Raises:
            ConfigurationError: that failed.
        """

    # The database

    @abc.abstractmethod
    def commit(self) -> None:
        """Write the changes, so that they survive a power cut."""

    @abc.abstractmethod
    def rollback(self) -> None:
        """Undo the changes since the last commit."""

    @abc.abstractmethod
    def close(self) -> None:
        """Disconnect, and release all locks."""

    @abc.abstractmethod
    def _connect(self) -> None:
        """Connect, and create the tables if they do not exist."""

    @abc.abstractmethod
    def _hold(self, stream: str, account: str) -> None:
        """Lock this stream and account against other runs."""

    @abc.abstractmethod
    def _run(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run a statement, whose placeholders are question marks; returns its rows."""

    def _check_tables(self, existing: AbstractSet[str]) -> None:
        """Check that this version may create what is missing: no table was dropped, and the format is this one's.

        Raises:
            ConfigurationError: another version made the tables, or one is missing although another has rows.
        """
        if "constants" in existing:
            formats = self._read(tuple[bytes], "SELECT value FROM constants WHERE name = 'format'")
            if formats and formats[0][0] != _FORMAT:
                raise self._of_another_version()
        if not existing >= TABLES and any(self._run(f"SELECT 1 FROM {name} LIMIT 1") for name in TABLES & existing):  # noqa: S608
            raise self._damaged()

    def _check_format(self) -> None:
        if self._constant("format", _FORMAT) != _FORMAT:
            raise self._of_another_version()

    def _constant(self, name: str, value: bytes) -> bytes:
        """The stored constant; the first call stores `value`."""
        self._run("INSERT INTO constants (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, value))
        (stored,) = self._one(tuple[bytes], "SELECT value FROM constants WHERE name = ?", (name,))
        return stored

    def _read(self, row: type[_Row], statement: str, parameters: Sequence[Any] = ()) -> list[_Row]:
        """The rows of a statement, checked against their type.

        Raises:
            ConfigurationError: a value has another type, since the store is damaged.
        """
        rows = self._run(statement, parameters)
        try:
            return msgspec.convert(rows, list[row])  # type: ignore[valid-type]
        except msgspec.ValidationError:
            raise self._damaged() from None

    def _one(self, row: type[_Row], statement: str, parameters: Sequence[Any]) -> _Row:
        """The only row of a statement."""
        rows = self._read(row, statement, parameters)
        if len(rows) != 1:
            raise self._damaged()
        return rows[0]

    def _of_another_version(self) -> ConfigurationError:
        return ConfigurationError(
            f"Setting `change_detection`: another version of tap-mailing made {self.name}; nothing was changed. "
            "Install that version, or choose another place, or remove it; then the next run writes all rows."
        )

    def _damaged(self) -> ConfigurationError:
        return ConfigurationError(
            f"Setting `change_detection`: {self.name} is damaged. Restore it from a backup, or move it away: then the "
            "next run writes all rows, without records of rows deleted since the last run."
        )


def held(place: str, holder: str) -> ConfigurationError:
    """The error of a run whose snapshot another run holds."""
    return ConfigurationError(
        f"Setting `change_detection`: {place} is held by {holder}. Wait until that run ends, or give this pipeline "
        "its own snapshot."
    )
