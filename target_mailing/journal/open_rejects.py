"""Open rejects: rejected records of which nothing newer came since, kept to be sent again."""

from __future__ import annotations

import logging
import time
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import sqlalchemy as sa

from mailing_api.counted import counted
from target_mailing.journal import tables
from target_mailing.journal.batches import StoredLines
from target_mailing.journal.ended_rows import EndedRows
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.keys import Keys
from target_mailing.journal.reject import Origin, Reject
from target_mailing.journal.reject_owners import with_owners
from target_mailing.journal.rejected_streams import RejectedStreams
from target_mailing.journal.statements import Driver, select_in
from target_mailing.rows.row import Resource, Row

__all__ = ["KEPT", "OpenRejects"]

logger = logging.getLogger("target-mailing.retry")

#: Seconds for which they are kept by default.
KEPT: Final = 90 * 24 * 3600.0
#: Codes of records that are not kept as they came; earlier ones of their keys are dropped nevertheless.
_NOT_SENT_AGAIN: Final = frozenset({"unreadable"})
#: Bytes of records that are kept; beyond that, the oldest are dropped, down to the second number.
_MOST_BYTES: Final = 256 << 20
_KEPT_BYTES: Final = 240 << 20
#: Their keys and contacts are in memory as long as there are no more of them.
_MOST_IN_MEMORY: Final = 100_000
#: 2020: the places of lines are numbers of 63 bits.
_EPOCH: Final = 1_577_836_800.0
#: Lines that a run reads in a millisecond, at most, as the power of two.
_LINE_BITS: Final = 22


class OpenRejects:
    """Open rejects; a row of the same stream and key, or of the same contact, that ends otherwise closes them.

    Lines of all runs have an order: a reject is only closed by a row that comes after it, whichever ends first, and a
    record that is sent again keeps its place.

    Attributes:
        is_empty: there are none, so that rows which end close none.
        run: the name of this run.
        known_since: what happened to contacts after this time is in the journal (Unix seconds).
        base: the place before the first line of this run.
        places: by line, the places of records that are sent again; None where the input is another one.
        connection, transaction, reading: of the journal.
    """

    def __init__(
        self,
        driver: Driver,
        hashes: Hashes,
        keys: Keys,
        transaction: Callable[[], AbstractContextManager[None]],
        reading: Callable[[], AbstractContextManager[None]],
        *,
        is_kept: bool,
    ) -> None:
        """Open the table.

        Args:
            driver: of the journal.
            hashes: of the journal.
            keys: the addresses of keys.
            transaction: of the journal.
            reading: the same for what is only read, and may be damaged.
            is_kept: the journal outlives the run; else nothing is kept.
        """
        self.transaction = transaction
        self.reading = reading
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
        self.base = max(now, (last or 0) + 1)
        #: The clock was put back since they were noted.
        self._is_late = last is not None and last >= now
        self._bytes = int(size or 0)
        self.is_empty = not count
        #: Their keys and contacts; None if they were not read, or are too many.
        self._resources: set[Resource] | None = set() if not count else None
        self._is_read = not count
        #: Lines of records that were sent again and are rejected again.
        self._rejected: set[int] = set()
        self._ended = EndedRows()
        self._has_warned = False
        self._streams = RejectedStreams(self.connection)

    def place(self, line: int) -> int:
        """The place of a line of this run among those of all runs."""
        return self.base + line if self.places is None else self.places[line]

    def numbering(self) -> tuple[int, Callable[[int], int]]:
        """What batches note of lines: a base, and what is added to it for the place of a line."""
        return (self.base, _same) if self.places is None else (0, self._place_sent_again)

    def _place_sent_again(self, line: int) -> int:
        """The place of a record that is sent again; of what is done for one that is rejected again, that before it."""
        assert self.places is not None  # noqa: S101 - see above
        return self.places[line] - (line in self._rejected)

    # Opening

    def declare(self, stream: str, message: Mapping[str, Any], *, is_taps: bool) -> None:
        """Take a stream's SCHEMA message; `is_taps` is false for that of rejects which are sent again."""
        if not self._is_kept or self.places is not None or not self._streams.declare(stream, message, is_taps=is_taps):
            return
        if not self.is_empty and is_taps:
            with self.transaction():
                self._streams.renew(stream)

    def add(self, rejects: Sequence[Reject]) -> None:
        """Keep those of which it is known whose they are, instead of earlier ones of the same stream and key.

        The caller commits.
        """
        if not self._is_kept:
            return
        if self.places is not None:
            self._rejected.update(one.origin.line for one in rejects if one.origin is not None)
        newest: dict[tuple[Any, ...], list[Reject]] = {}
        for reject, origin in with_owners(rejects, self.connection, self._keys, self._hashes):
            resource = origin.contact if origin.key is None else origin.key
            if self._ended.has(origin):
                continue
            one = (reject.stream, origin.key is None, resource)
            others = newest.get(one)
            before = None if others is None else others[0].origin
            if others is None or before is None or self._last(origin) > self._last(before):
                newest[one] = [reject]
            elif self._last(origin) == self._last(before):
                others.append(reject)
        self._drop_replaced(newest)
        rows = [self._row(one) for some in newest.values() for one in some if self._is_sent_again(one)]
        if not rows:
            return
        self.connection.execute(sa.insert(tables.open_rejects), rows)
        for stream in {row["stream"] for row in rows}:
            self._streams.note(stream)
        self.is_empty = False
        if self._resources is not None:
            self._resources.update(one for row in rows for one in (row["key"], row["contact"]) if one is not None)
            self._limit_memory()
        self._bytes += sum(row["size"] for row in rows)
        self._limit_size()

    def _last(self, origin: Origin) -> int:
        """The place of the last line that has the content of a record, of its key if it is known."""
        return self.place(origin.last if origin.key is None else origin.last_of_key)

    def _is_sent_again(self, reject: Reject) -> bool:
        """Whether a reject is kept, and not only replaces earlier ones."""
        if reject.code in _NOT_SENT_AGAIN:
            return False
        if reject.origin is None or not self._ended.may_have(reject.origin):
            return True
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "Very many rows ended while rows of earlier lines were under way, so it is unknown whether these came "
                "before others of their contacts: rejects of such rows are not kept for --retry-rejects, and are only "
                "in the rejects file"
            )
        return False

    def _row(self, reject: Reject) -> dict[str, Any]:
        origin = reject.origin
        assert origin is not None  # noqa: S101 - of `with_owners`
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
                if row.n > self._last(origin):
                    del newest[one]
                else:
                    replaced.append(row.id)
        self.delete(replaced)

    # Closing

    def close(self, rows: Iterable[Row], stored: StoredLines | None = None) -> None:
        """Close the rejects of rows that ended otherwise; the caller commits.

        Args:
            rows: of this run, or of a batch of an earlier one.
            stored: the lines of that batch, whose other rows are to come again: rejects before them are overtaken.
        """
        if self.is_empty:
            return
        if stored is None:
            places: dict[Resource, int] = {}
            for row in rows:
                # A record that is sent again is not done before its key's former address is removed.
                before = 1 if self.places is not None and row.pending_removals else 0
                lines: list[tuple[Resource, int]] = [(row.id, row.line)]
                lines += [(key, row.also.get(key, row.line)) for key in row.own_keys]
                _add_places(places, ((one, self.place(line) - before) for one, line in lines))
            self.delete(self._before(places))
            return
        created = _order_at(stored.created_at + 0.001)
        noted = stored.places(self.base if self._is_late else min(self.base, created))  # its clock may have been ahead
        ended: dict[Resource, int] = {}
        for row in rows:
            # What is done for a record that was rejected does not close it; of records sent again it has another place.
            leaves = any(map(self._keys.possible_addresses, row.contact_keys))  # addresses still to be removed
            before = 0 if stored.are_rejects and not leaves else 1
            _add_places(ended, ((one, at - before) for one, at in noted.pop((row.id, row.key), {}).items()))
        coming: dict[Resource, int] = {}
        for each in () if stored.are_rejects else noted.values():  # these are still open themselves
            _add_places(coming, ((one, at - 1) for one, at in each.items()))  # its own line is not before it
        self.delete(self._before(ended))
        if numbers := self._before(coming):
            self._overtake(tables.open_rejects.c.id == sa.bindparam("number"), [{"number": one} for one in numbers])

    def ended(self, resources: Sequence[tuple[Resource, int]], prefix: int) -> None:
        """Records ended otherwise than as rejects when they were read, each with a key or contact, and its line.

        Rows of earlier lines may be rejected after that.

        Args:
            resources: of the records.
            prefix: all lines up to this one have ended.
        """
        if not self._is_kept:
            return
        self._ended.add(resources, prefix)
        if self.is_empty or (self._resources is not None and self._resources.isdisjoint(one for one, _ in resources)):
            return
        places: dict[Resource, int] = {}
        _add_places(places, ((one, self.place(line)) for one, line in resources))
        with self.transaction():
            self.delete(self._before(places))

    def overtake_all(self) -> None:
        """Newer rows of any of them may have come: a version of the program ran that closes none.

        The caller commits.
        """
        table = tables.open_rejects
        query = sa.select(sa.func.count()).where(table.c.overtaken.is_(None))
        if count := self.connection.execute(query.select_from(table)).scalar_one():
            self._overtake(table.c.overtaken.is_(None))
            logger.warning(
                "An earlier version of this program used the journal meanwhile, so newer rows may have come for %s: "
                "--retry-rejects leaves them alone, the rejects files have them",
                counted(count, "open reject"),
            )

    def _overtake(self, where: sa.ColumnElement[bool], values: Sequence[Mapping[str, Any]] = ()) -> None:
        self.connection.execute(sa.update(tables.open_rejects).where(where).values(overtaken=True), values or None)

    def _before(self, places: Mapping[Resource, int]) -> list[int]:
        """The numbers of rejects whose key or contact has a later place."""
        resources = self._in_memory() if places else None
        wanted = [one for one in places if resources is None or one in resources]
        if not wanted:
            return []
        table = tables.open_rejects.c
        query = sa.select(table.id, table.n, table.key, table.contact, table.run)
        found: set[int] = set()
        for column, kind in ((table.key, bytes), (table.contact, int)):
            for row in select_in(self.connection, query, column, [one for one in wanted if isinstance(one, kind)]):
                place = places[row.key if kind is bytes else row.contact]
                # A record that this run rejected is not closed by what else was done for its line.
                if row.n < place or (row.n == place and row.run != self.run):
                    found.add(row.id)
        return [*found]

    def resources(self) -> set[Resource] | None:
        """Their keys and contacts, and some of rejects that were closed; None if they are too many."""
        if not self._is_read:
            with self.transaction():
                self._in_memory()
        return self._resources

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

    def delete(self, numbers: Sequence[int]) -> None:
        """Delete rejects by number; these are overwritten, in the log of the database, too. The caller commits."""
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
        self.delete([*self.connection.execute(sa.select(table.c.id).where(table.c.at < before)).scalars()])
        self._streams.tidy()
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
        self.delete(dropped)
        logger.warning(
            "There are more open rejects than are kept: --retry-rejects no longer has the oldest %s, which are only in "
            "the rejects files",
            len(dropped),
        )


def _same(line: int) -> int:
    return line


def _add_places(places: dict[Resource, int], added: Iterable[tuple[Resource, int]]) -> None:
    """Add places of keys and contacts, of which the latest counts."""
    for resource, place in added:
        if resource:
            places[resource] = max(place, places.get(resource, 0))


def _order_at(moment: float) -> int:
    """The place of the first line of a run that begins at this time (Unix seconds)."""
    return int(max(0.0, moment - _EPOCH) * 1000) << _LINE_BITS
