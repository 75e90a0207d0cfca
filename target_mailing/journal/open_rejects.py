"""Open rejects: rejected records of which nothing newer came since, kept to be sent again."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from mailing_api.addresses import fold_address
from target_mailing.journal import tables
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.keys import Keys
from target_mailing.journal.reject import Origin, Reject
from target_mailing.journal.statements import Driver, replace_rows, select_in
from target_mailing.row import Resource, Row

__all__ = ["KEPT", "OpenRejects"]

#: Seconds for which they are kept by default.
KEPT: Final = 90 * 24 * 3600.0
#: Codes of records that are not kept as they came; earlier ones of their keys are dropped nevertheless.
_NOT_SENT_AGAIN: Final = frozenset({"unreadable"})
#: Bytes of records that are kept; beyond that, the oldest are dropped, down to the second number.
_MOST_BYTES: Final = 256 << 20
_KEPT_BYTES: Final = 240 << 20
#: Their keys and contacts are in memory as long as there are no more of them.
_MOST_IN_MEMORY: Final = 100_000
#: Rows that ended before rows of earlier lines are remembered up to this number of keys and contacts.
_MOST_ENDED: Final = 200_000
#: 2020: the places of lines are numbers of 63 bits.
_EPOCH: Final = 1_577_836_800.0
#: Lines that a run reads in a millisecond, at most, as the power of two.
_LINE_BITS: Final = 22
_LAST: Final = (1 << 63) - 1


class OpenRejects:
    """Open rejects; a row of the same stream and key, or of the same contact, that ends otherwise closes them.

    Lines of all runs have an order: a reject is only closed by a row that comes after it, whichever ends first, and a
    record that is sent again keeps its place.

    Attributes:
        is_empty: there are none, so that rows which end close none.
        run: the name of this run.
        known_since: what happened to contacts after this time is in the journal (Unix seconds).
        places: by line, the places of records that are sent again; None where the input is another one.
        connection, transaction: of the journal.
    """

    def __init__(
        self,
        driver: Driver,
        hashes: Hashes,
        keys: Keys,
        transaction: Callable[[], AbstractContextManager[None]],
        *,
        is_kept: bool,
    ) -> None:
        """Open the table.

        Args:
            driver: of the journal.
            hashes: of the journal.
            keys: the addresses of keys.
            transaction: of the journal.
            is_kept: the journal outlives the run; else nothing is kept.
        """
        self.transaction = transaction
        self._driver = driver
        self.connection = driver.connection
        self._hashes = hashes
        self._keys = keys
        self.run = ""
        self.known_since = 0.0
        self.places: array[int] | None = None
        self._is_kept = is_kept
        table = tables.open_rejects.c
        query = sa.select(sa.func.count(), sa.func.max(table.n), sa.func.sum(table.size))
        count, last, size = self.connection.execute(query).one()
        now = _order_at(time.time())
        #: The place before the first line.
        self._base = max(now, (last or 0) + 1)
        #: The clock was put back since they were noted.
        self._is_late = last is not None and last >= now
        self._bytes = int(size or 0)
        self.is_empty = not count
        #: Their keys and contacts; None if they were not read, or are too many.
        self._resources: set[Resource] | None = set() if not count else None
        self._is_read = not count
        #: The last line that ended before lines that came earlier, by key and contact.
        self._ended: dict[Resource, int] = {}
        #: Up to this line, any may have.
        self._maybe_ended = 0
        #: By stream, its latest SCHEMA in this run, and whether that is the tap's.
        self._declared: dict[str, tuple[bytes, bool]] = {}
        self._noted: dict[str, bytes] = {}

    def place(self, line: int) -> int:
        """The place of a line of this run among those of all runs."""
        return self._base + line if self.places is None else self.places[line]

    # Opening

    def declare(self, stream: str, message: Mapping[str, Any], *, is_taps: bool) -> None:
        """Take a stream's SCHEMA message; `is_taps` is false for that of rejects which are sent again."""
        if not self._is_kept or self.places is not None or (stream in self._declared and not is_taps):
            return
        self._declared[stream] = msgspec.json.encode(message), is_taps
        if not self.is_empty and is_taps:
            with self.transaction():
                if self._noted_message(stream) is not None:
                    self._note_stream(stream)

    def _noted_message(self, stream: str) -> bytes | None:
        table = tables.rejected_streams.c
        return self.connection.execute(sa.select(table.message).where(table.name == stream)).scalar_one_or_none()

    def _note_stream(self, stream: str) -> None:
        message, is_taps = self._declared.get(stream, (b"", False))
        if not message or self._noted.get(stream) == message:
            return
        self._noted[stream] = message
        if is_taps or self._noted_message(stream) is None:
            replace_rows(self.connection, tables.rejected_streams, [{"name": stream, "message": message}])

    def add(self, rejects: Iterable[Reject]) -> None:
        """Keep those of which it is known whose they are, instead of earlier ones of the same stream and key.

        The caller commits.
        """
        if not self._is_kept:
            return
        newest: dict[tuple[Any, ...], list[Reject]] = {}
        for reject, origin in self._known([*rejects]):
            resource = origin.contact if origin.key is None else origin.key
            place = self.place(origin.last)
            if self._has_ended(origin):
                continue
            one = (reject.stream, origin.key is None, resource)
            others = newest.get(one)
            before = None if others is None else others[0].origin
            if others is None or before is None or place > self.place(before.last):
                newest[one] = [reject]
            elif place == self.place(before.last):
                others.append(reject)
        self._drop_replaced(newest)
        rows = [self._row(one) for some in newest.values() for one in some if one.code not in _NOT_SENT_AGAIN]
        if not rows:
            return
        self.connection.execute(sa.insert(tables.open_rejects), rows)
        for stream in {row["stream"] for row in rows}:
            self._note_stream(stream)
        self.is_empty = False
        if self._resources is not None:
            self._resources.update(one for row in rows for one in (row["key"], row["contact"]) if one is not None)
            self._limit_memory()
        self._bytes += sum(row["size"] for row in rows)
        self._limit_size()

    def _known(self, rejects: Sequence[Reject]) -> list[tuple[Reject, Origin]]:
        """Rejects of which it is known whose they are; where only the key is, by the contact that the key has."""
        found = [(one, one.origin) for one in rejects if one.origin is not None]
        alone = [origin.key for _, origin in found if origin.key is not None and origin.contact is None]
        emails = self._keys.emails(alone) if alone else {}
        keys = [origin.key for _, origin in found if origin.key is not None]
        shared_keys, table = set[bytes](), tables.shared_keys
        if keys:
            shared_keys = {row.key for row in select_in(self.connection, sa.select(table), table.c.key, keys)}
        for at, (reject, origin) in enumerate(found):
            if origin.key in shared_keys:
                origin = msgspec.structs.replace(origin, key=None)  # noqa: PLW2901
                found[at] = (msgspec.structs.replace(reject, origin=origin), origin)
            if origin.contact is None and origin.key is not None and (email := emails.get(origin.key)):
                contact = self._hashes.contact_ids(origin.destination)([fold_address(email)])[0]
                origin = msgspec.structs.replace(origin, contact=contact)  # noqa: PLW2901
                found[at] = (msgspec.structs.replace(reject, origin=origin), origin)
        return [one for one in found if one[1].key is not None or one[1].contact is not None]

    def _row(self, reject: Reject) -> dict[str, Any]:
        origin = reject.origin
        assert origin is not None  # noqa: S101 - of `_known`
        return {
            "n": self.place(origin.line),
            "destination": origin.destination,
            "stream": reject.stream,
            "key": origin.key,
            "contact": origin.contact,
            "record": reject.record,
            "size": len(reject.record),
            "code": reject.code,
            "job": reject.job,
            "attempt": reject.attempt,
            "at": reject.at,
            "run": self.run,
        }

    def _drop_replaced(self, newest: dict[tuple[Any, ...], list[Reject]]) -> None:
        """Drop earlier rejects of the same streams and keys; those that have a later one are taken from `newest`."""
        table = tables.open_rejects.c
        query = sa.select(table.id, table.n, table.stream, table.key, table.contact)
        if self.is_empty or not newest:
            return
        replaced: list[int] = []
        for column, is_keyless in ((table.key, False), (table.contact, True)):
            wanted = [resource for _, keyless, resource in newest if keyless is is_keyless]
            for row in [*select_in(self.connection, query, column, wanted)] if wanted else ():
                if is_keyless and row.key is not None:
                    continue
                one = (row.stream, is_keyless, row.contact if is_keyless else row.key)
                some = newest.get(one)
                origin = None if some is None else some[0].origin
                if origin is None:
                    continue
                if row.n > self.place(origin.last):
                    del newest[one]
                else:
                    replaced.append(row.id)
        self._delete(replaced)

    # Closing

    def close(self, rows: Iterable[Row], made_at: float = 0.0) -> None:
        """Close the rejects of rows that ended otherwise; the caller commits.

        Args:
            rows: of this run, or of an earlier one.
            made_at: when the batch of those without a line was made (Unix seconds).
        """
        if self.is_empty:
            return
        other = _LAST if self._is_late else _order_at(made_at + 0.001)
        places: dict[Resource, int] = {}
        for row in rows:
            place = self.place(row.line) if row.line else other
            resources: tuple[Resource, ...] = (row.id, *row.own_keys)
            for resource in resources:
                if resource:
                    places[resource] = max(place, places.get(resource, 0))
        self._close(places)

    def ended(self, resources: Sequence[tuple[Resource, int]], prefix: int) -> None:
        """Records ended otherwise than as rejects when they were read, each with a key or contact, and its line.

        Rows of earlier lines may be rejected after that.

        Args:
            resources: of the records.
            prefix: all lines up to this one have ended.
        """
        if not self._is_kept:
            return
        self._ended.update(resources)
        if not self.is_empty:
            with self.transaction():
                self._close({resource: self.place(line) for resource, line in resources})
        if len(self._ended) > _MOST_ENDED:
            self._ended = {resource: line for resource, line in self._ended.items() if line > prefix}
            if len(self._ended) > _MOST_ENDED // 2:
                self._maybe_ended = max(self._ended.values())
                self._ended.clear()

    def _has_ended(self, origin: Origin) -> bool:
        """Whether a later row of the same key or contact has ended otherwise."""
        if origin.last < self._maybe_ended:
            return True
        return any(one is not None and self._ended.get(one, 0) > origin.last for one in (origin.key, origin.contact))

    def _close(self, places: Mapping[Resource, int]) -> None:
        resources = self._in_memory()
        wanted = [one for one in places if resources is None or one in resources]
        if not wanted:
            return
        table = tables.open_rejects.c
        query = sa.select(table.id, table.n, table.key, table.contact, table.run)
        closed: set[int] = set()
        for column, kind in ((table.key, bytes), (table.contact, int)):
            for row in select_in(self.connection, query, column, [one for one in wanted if isinstance(one, kind)]):
                place = places[row.key if kind is bytes else row.contact]
                # A record that this run rejected is not closed by what else was done for its line.
                if row.n < place or (row.n == place and row.run != self.run):
                    closed.add(row.id)
        self._delete([*closed])

    def _in_memory(self) -> set[Resource] | None:
        """Their keys and contacts, unless they are too many."""
        if not self._is_read:
            self._is_read = True
            table = tables.open_rejects.c
            found = self.connection.execute(sa.select(table.key, table.contact).limit(_MOST_IN_MEMORY)).all()
            self._resources = {one for row in found for one in row if one is not None}
            if len(found) == _MOST_IN_MEMORY:
                self._resources = None
        return self._resources

    def _limit_memory(self) -> None:
        if self._resources is not None and len(self._resources) > 2 * _MOST_IN_MEMORY:
            self._resources = None

    def _delete(self, numbers: Sequence[int]) -> None:
        """Delete rejects; what is deleted is overwritten, in the log of the database, too."""
        if numbers:
            mark = self._driver.parameter
            self._driver.run_each(f"DELETE FROM open_rejects WHERE id = {mark}", [(one,) for one in numbers])  # noqa: S608
            self._driver.has_erased = True

    # Bounds

    def tidy(self, before: float) -> None:
        """Drop rejects that are older than this (Unix seconds), and the SCHEMAs of streams without any."""
        if self.is_empty:
            return
        with self.transaction():
            self._tidy(before)

    def _tidy(self, before: float) -> None:
        table = tables.open_rejects
        self._delete([*self.connection.execute(sa.select(table.c.id).where(table.c.at < before)).scalars()])
        of_none = tables.rejected_streams.c.name.not_in(sa.select(table.c.stream))
        self.connection.execute(sa.delete(tables.rejected_streams).where(of_none))
        self.is_empty = self.connection.execute(sa.select(table.c.id).limit(1)).first() is None

    def _limit_size(self) -> None:
        """Drop the oldest where they are too much."""
        if self._bytes <= _MOST_BYTES:
            return
        table = tables.open_rejects.c
        self._bytes = int(self.connection.execute(sa.select(sa.func.sum(table.size))).scalar_one() or 0)
        if self._bytes <= _MOST_BYTES:
            return
        dropped: list[int] = []
        for row in self.connection.execute(sa.select(table.id, table.size).order_by(table.n)):
            if self._bytes <= _KEPT_BYTES:
                break
            dropped.append(row.id)
            self._bytes -= row.size
        self._delete(dropped)


def _order_at(moment: float) -> int:
    """The place of the first line of a run that begins at this time (Unix seconds)."""
    return int(max(0.0, moment - _EPOCH) * 1000) << _LINE_BITS
