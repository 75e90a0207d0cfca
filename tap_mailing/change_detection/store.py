"""What every place for snapshots does: its tables, and the statements over them."""

from __future__ import annotations

import abc
import secrets
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Self, TypeVar

import msgspec

from mailing_api.errors import ConfigurationError

__all__ = ["TABLES", "Found", "Generation", "Note", "Store", "held"]

_Row = TypeVar("_Row", bound=tuple[Any, ...])

#: A row as it is noted: key, place, and hash, which is None for a row that is gone.
Note = tuple[str, int, int | None]

#: A row as it is found: place, hash, and the number of the walk that wrote it.
Found = tuple[int, int | None, int]

#: The names of the tables.
TABLES: Final = frozenset({"constants", "parts", "generations", "entries"})

_FORMAT: Final = b"1"


class Generation(msgspec.Struct, frozen=True):
    """A walk that was read to its end.

    Attributes:
        number: greater than those of all earlier walks.
        since: the number of the first walk that it builds on; what none wrote since then is not of it.
        scope: what limited the walk.
    """

    number: int
    since: int
    scope: bytes


class Store(abc.ABC):
    """A place for snapshots, open between `with` and its end. What was not committed may be lost.

    Attributes:
        name: for messages and logs; holds no password.
        secret: keys the hashes.
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
        """The number of a stream and account, which this run holds until it closes the store.

        Raises:
            ConfigurationError: another run holds it, or the place cannot be written.
        """
        self._hold(stream, account)
        of = (stream, account)
        self._run("INSERT INTO parts (stream, account, last) VALUES (?, ?, 0) ON CONFLICT DO NOTHING", of)
        (part,) = self._one(tuple[int], "SELECT part FROM parts WHERE stream = ? AND account = ?", of)
        self.commit()
        return part

    def begin(self, part: int) -> int:
        """The number of a new walk."""
        self._run("UPDATE parts SET last = last + 1 WHERE part = ?", (part,))
        (last,) = self._one(tuple[int], "SELECT last FROM parts WHERE part = ?", (part,))
        return last

    def generation(self, part: int, name: str) -> Generation | None:
        """The generation of this name, if it is there."""
        query = "SELECT number, since, scope FROM generations WHERE part = ? AND name = ?"
        found = self._read(tuple[int, int, bytes], query, (part, name))
        return Generation(*found[0]) if found else None

    def has_generation(self, part: int) -> bool:
        """Whether there is any."""
        return bool(self._run("SELECT 1 FROM generations WHERE part = ? LIMIT 1", (part,)))

    def add_generation(self, part: int, name: str, generation: Generation) -> None:
        """Keep a generation."""
        of = (part, name, generation.number, generation.since, generation.scope)
        self._run("INSERT INTO generations (part, name, number, since, scope) VALUES (?, ?, ?, ?, ?)", of)

    def drop_before(self, part: int, base: Generation) -> None:
        """Drop the generations before this one, with what only they need."""
        self._run("DELETE FROM generations WHERE part = ? AND number < ?", (part, base.number))
        self._run(
            "DELETE FROM entries WHERE part = ? AND (written < ? OR (written <= ? AND hash IS NULL))",
            (part, base.since, base.number),
        )

    # Rows

    def extent(self, part: int) -> tuple[int, int, int]:
        """How many rows there are, the least of their places, and the first after them."""
        query = "SELECT COUNT(*), COALESCE(MIN(place), 0), COALESCE(MAX(place), -1) FROM entries WHERE part = ?"
        count, first, last = self._one(tuple[int, int, int], query, (part,))
        return count, first, last + 1

    @abc.abstractmethod
    def find(self, part: int, keys: Sequence[str]) -> dict[str, Found]:
        """Those of the rows that are there."""

    @abc.abstractmethod
    def put(self, part: int, number: int, notes: Collection[Note]) -> None:
        """Note rows, each key once, as written by a walk."""

    def scan(self, part: int, before: int, size: int) -> Iterator[list[tuple[str, int]]]:
        """Keys and places of the rows that were last written before a walk, some at a time."""
        last = ""
        query = "SELECT key, place, written FROM entries WHERE part = ? AND key > ? ORDER BY key LIMIT ?"
        while page := self._read(tuple[str, int, int], query, (part, last, size)):
            last = page[-1][0]
            yield [(key, place) for key, place, written in page if written < before]

    # The place

    @abc.abstractmethod
    def commit(self) -> None:
        """Keep what was noted, so that it survives a power cut."""

    @abc.abstractmethod
    def rollback(self) -> None:
        """Forget what was not committed."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of the place."""

    @abc.abstractmethod
    def _connect(self) -> None:
        """Connect, and make the tables where there are none."""

    @abc.abstractmethod
    def _hold(self, stream: str, account: str) -> None:
        """Keep other runs from this stream and account."""

    @abc.abstractmethod
    def _run(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """The rows that a statement finds; its parameters' sign is a question mark."""

    def _check_tables(self, there: AbstractSet[str]) -> None:
        """See that no table is missing of those there were, which would be made again, empty.

        Raises:
            ConfigurationError: one is.
        """
        if not there >= TABLES and any(self._run(f"SELECT 1 FROM {name} LIMIT 1") for name in TABLES & there):  # noqa: S608
            raise self._damaged()

    def _check_format(self) -> None:
        if self._constant("format", _FORMAT) != _FORMAT:
            raise ConfigurationError(
                f"Setting `change_detection`: {self.name} was made by another version of tap-mailing. Choose another "
                "place, or remove it; then all rows count as new."
            )

    def _constant(self, name: str, value: bytes) -> bytes:
        """What was given at the first call."""
        self._run("INSERT INTO constants (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, value))
        (found,) = self._one(tuple[bytes], "SELECT value FROM constants WHERE name = ?", (name,))
        return found

    def _read(self, row: type[_Row], statement: str, parameters: Sequence[Any] = ()) -> list[_Row]:
        """The rows that a statement finds, of which each is as it should be.

        Raises:
            ConfigurationError: one is not, since the place is damaged.
        """
        found = self._run(statement, parameters)
        try:
            return msgspec.convert(found, list[row])  # type: ignore[valid-type]
        except msgspec.ValidationError:
            raise self._damaged() from None

    def _one(self, row: type[_Row], statement: str, parameters: Sequence[Any]) -> _Row:
        """The one row that a statement must find."""
        found = self._read(row, statement, parameters)
        if len(found) != 1:
            raise self._damaged()
        return found[0]

    def _damaged(self) -> ConfigurationError:
        return ConfigurationError(
            f"Setting `change_detection`: {self.name} is damaged. Restore it from a backup, or move it away: then all "
            "rows count as new, and rows that are gone by then are not told."
        )


def held(place: str, holder: str) -> ConfigurationError:
    """What is said to a run that comes while another holds the place."""
    return ConfigurationError(
        f"Setting `change_detection`: {place} is held by {holder}. Wait for it to end, or give this pipeline a "
        "snapshot of its own."
    )
