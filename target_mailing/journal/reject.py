"""A row that could not be delivered."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Final

import msgspec

from target_mailing.rows.row import Row

__all__ = ["WRITTEN", "Origin", "Reject"]


class Origin(msgspec.Struct, frozen=True):
    """Whose record a reject is, and where it came.

    Attributes:
        destination: the name of the row's destination.
        line: of the record in the input.
        last: that of the row which had its content, too; the same where no other had.
        last_of_key: the last line of its key that this row settles.
        key: keyed hash; None where it is not known, or is that of several people.
        contact: keyed hash of destination and address; None where it is not known.
    """

    destination: str
    line: int
    last: int
    last_of_key: int
    key: bytes | None
    contact: int | None


class Reject(msgspec.Struct):
    """A row that could not be delivered; `origin` is None where it is not known whose it is."""

    stream: str
    record: bytes
    code: str
    reason: str
    job: str | None
    attempt: int
    at: float
    origin: Origin | None = None

    @classmethod
    def of(cls, row: Row, destination: str, code: str, reason: str, job: str | None = None) -> list[Reject]:
        """The rejects of a row: the records that it superseded, whose content it was to deliver too, then its own."""
        now, lines, records = time.time(), row.lines, [*row.records()]
        if len(lines) != len(records):  # it is not known which line each is of
            return [cls(row.stream, record, code, reason, job, attempt, now) for record, attempt in records]
        key, contact = _identity(row)
        sources = [*_sources(row, key)]
        last_of_keys = {one: line for line, (_, one) in zip(lines, sources, strict=True)}
        return [
            cls(stream, record, code, reason, job, attempt, now, origin)
            for line, (record, attempt), (stream, one) in zip(lines, records, sources, strict=True)
            for origin in (Origin(destination, line, lines[-1], last_of_keys[one], one, contact),)
        ]


#: What is written of a reject.
WRITTEN: Final[Sequence[str]] = [name for name in Reject.__struct_fields__ if name != "origin"]


def _identity(row: Row) -> tuple[bytes | None, int | None]:
    """The key and the contact of the record of a row, which may be a row for another address of its key."""
    own = row if row.plan is None or row.former_of is None else row.plan.row
    key = own.key or (row.former_of if own is row else None) or next(iter({*own.own_keys} - {*own.also}), None)
    if own is not row and row.former_of in own.also:  # then its line is that of a row which was superseded
        key = row.former_of
    return None if own.is_of_shared_key else key, own.id if own.email and own.id else None


def _sources(row: Row, key: bytes | None) -> Iterator[tuple[str, bytes | None]]:
    """The stream and the key of each of its lines; `key` is its own."""
    done = 0
    for count, stream, other in row.sources:
        yield from repeat((stream, other), count - done)
        done = count
    yield from repeat((row.stream, key), len(row.lines) - done)
