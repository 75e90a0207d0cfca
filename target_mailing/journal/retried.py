"""Open rejects that are sent again: which of them, in their order, and whether something newer may have come since."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from mailing_api.errors import ConfigurationError
from mailing_api.suggestions import did_you_mean
from target_mailing.journal import tables
from target_mailing.journal.journal import Journal
from target_mailing.rows.row import Resource, Row

__all__ = ["Retried", "Selection"]

#: Rejects that are read together, and bytes of their records; a single one may be larger.
_TOGETHER: Final = 500
_BYTES: Final = 1 << 20
#: Values that are listed where there is none of those that were given, at most.
_MOST_TOLD: Final = 20


class Selection(msgspec.Struct, frozen=True):
    """Which open rejects are sent again: those that have one of the values of each; without values, all.

    Attributes:
        codes: of the rejects.
        streams: names in the input.
        runs: names of runs that rejected them last.
    """

    codes: Sequence[str] = ()
    streams: Sequence[str] = ()
    runs: Sequence[str] = ()


class _Expected(msgspec.Struct, frozen=True):
    """Whose a record was when it was rejected, and when that was (Unix seconds)."""

    key: bytes | None
    contact: int | None
    at: float


class Retried:
    """The open rejects of a journal that one run sends again."""

    def __init__(self, journal: Journal, selection: Selection) -> None:
        """Choose them.

        Args:
            journal: keeps them.
            selection: which of them.

        Raises:
            ConfigurationError: there are none with a value of the selection.
        """
        self._journal = journal
        self._connection = journal.open_rejects.connection
        self._reading = journal.open_rejects.reading
        table = tables.open_rejects.c
        chosen = {"code": selection.codes, "stream": selection.streams, "run": selection.runs}
        with self._reading():
            found = {name: self._present(name, values) for name, values in chosen.items() if values}
            self._where = [table[name].in_(values) for name, values in found.items()]
            #: Records that are not sent: something newer came, or may have come, and was not seen to end.
            self.overtaken_before = self._overtaken()
            self._where.append(table.overtaken.is_(None))
            self.schemas = self._schemas()
            places = [*self._connection.execute(sa.select(table.destination).distinct()).scalars()]
        #: Keys and contacts of batches that earlier runs left: what did not arrive comes again in their input.
        self._left: set[Resource] = set()
        for row in (row for place in places for batch in journal.unfinished(place) for row in batch.rows):
            self._left.update(one for one in (row.id, row.key, *row.also) if one)
        #: How many records were not sent because of these.
        self.left_alone = 0
        #: By line, and by destination.
        self._expected: dict[int, dict[str, _Expected]] = {}

    def _present(self, name: str, values: Sequence[str]) -> list[str]:
        """The values of a column that are meant: of a run, the beginning of its name is enough."""
        column = tables.open_rejects.c[name]
        if self._journal.open_rejects.is_empty:
            return [*values]
        present = sorted(self._connection.execute(sa.select(column).distinct()).scalars())
        meant = {value: [one for one in present if one == value] for value in values}
        if name == "run":
            meant = {value: [one for one in present if value and one.startswith(value)] for value in values}
        if missing := [value for value, ones in meant.items() if not ones]:
            shown = ", ".join(present[-_MOST_TOLD:]) + (", and others" if len(present) > _MOST_TOLD else "")
            hint = did_you_mean(missing[:1], present)
            raise ConfigurationError(
                f"Option --reject-{name}: no open reject is of {name} {missing[0]!r}.{hint} There are: {shown}."
            )
        return [one for ones in meant.values() for one in ones]

    def counts(self, destinations: Mapping[str, Collection[str]]) -> dict[str, int]:
        """By code, how many records go to these destinations, named by stream."""
        table = tables.open_rejects.c
        here = [(table.stream == stream) & table.destination.in_(names) for stream, names in destinations.items()]
        query = sa.select(table.code, sa.func.count(table.n.distinct())).where(*self._where, sa.or_(sa.false(), *here))
        query = query.group_by(table.code).order_by(table.code)
        with self._reading():
            return {row[0]: row[1] for row in self._connection.execute(query)}

    def _overtaken(self) -> int:
        """How many records are overtaken."""
        table = tables.open_rejects.c
        query = sa.select(sa.func.count(table.n.distinct())).where(*self._where, table.overtaken.is_not(None))
        return int(self._connection.execute(query).scalar_one())

    def _schemas(self) -> dict[str, dict[str, Any]]:
        """By stream, its SCHEMA message."""
        table, streams = tables.open_rejects, tables.rejected_streams
        wanted = sa.select(table.c.stream).where(*self._where)
        query = sa.select(streams).where(streams.c.name.in_(wanted)).order_by(streams.c.name)
        return {row.name: msgspec.json.decode(row.message) for row in self._connection.execute(query)}

    def records(self, first: int, destinations: Mapping[str, Collection[str]]) -> Iterator[list[bytes]]:
        """The lines of their RECORDs, some at a time, in the order in which the records came first.

        Args:
            first: the number of the first of these lines.
            destinations: by stream, the names of the destinations that the settings lead to.
        """
        opened, place = self._journal.open_rejects, 0
        opened.places = array("q", [0] * first)
        while rows := self._next(place):
            self._expected.clear()
            lines: list[bytes] = []
            for place, alike in groupby(rows, attrgetter("n")):
                here = [row for row in alike if row.destination in destinations.get(row.stream, ())]
                own, here = here, [row for row in here if self._left.isdisjoint((row.key, row.contact))]
                self.left_alone += bool(own and not here)
                if here:
                    self._expected[len(opened.places)] = {
                        row.destination: _Expected(row.key, row.contact, row.at) for row in here
                    }
                    opened.places.append(place)
                    lines.append(_record_line(max(here, key=attrgetter("attempt"))))
            if lines:
                yield lines

    def _next(self, place: int) -> Sequence[sa.Row[Any]]:
        """The next rejects after this place, in order: all those of each line."""
        table = tables.open_rejects
        with self._reading():
            sizes = sa.select(table.c.n, table.c.size).where(*self._where, table.c.n > place).order_by(table.c.n)
            last = size = 0
            for row in self._connection.execute(sizes.limit(_TOGETHER)).all():
                size += row.size
                if last and size > _BYTES:
                    break
                last = row.n
            query = sa.select(table).where(*self._where, table.c.n > place, table.c.n <= last)
            return self._connection.execute(query.order_by(table.c.n, table.c.id)).all()

    def overtaken(self, destination: str, rows: Sequence[Row]) -> list[Row]:
        """Those rows of a destination whose keys or contacts may have got something newer, and are not sent.

        A reject is closed by what comes for the key and the contact that were known of it. Where settings changed
        since, or its address could not be read, the row may be of others.
        """
        expected = [(row, self._expected.get(row.line, {}).get(destination)) for row in rows]
        others = [
            (row, one)
            for row, one in expected
            if one is None or row.key not in {None, one.key} or (row.email and row.id != one.contact)
        ]
        first = {id(row) for row, one in others if one is not None and self._is_first(row, one)}
        self._renew(destination, [row for row, _ in others if id(row) in first])
        return [row for row, _ in others if id(row) not in first]

    def _renew(self, destination: str, rows: Sequence[Row]) -> None:
        """Note whose these rows are now, so that what this run makes known of them is not taken for something newer."""
        opened, table = self._journal.open_rejects, tables.open_rejects
        if not rows:
            return
        known = opened.resources()
        with opened.transaction():
            for row in rows:
                here = sa.and_(table.c.n == opened.place(row.line), table.c.destination == destination)
                owner = {"key": row.key, "contact": row.id if row.email else None}
                now = {name: one for name, one in owner.items() if one is not None}
                self._connection.execute(sa.update(table).where(here).values(now))
                if known is not None:
                    known.update(now.values())

    def _is_first(self, row: Row, expected: _Expected) -> bool:
        """Whether nothing of a row's key or contact is known that a reject was not known to have."""
        journal = self._journal
        if expected.at < journal.open_rejects.known_since:
            return False
        keys = [key for key in (row.key,) if key is not None and key != expected.key]
        if keys and journal.emails(keys) and not journal.shared_keys.among(keys):
            return False
        if not row.email or row.id == expected.contact:
            return True
        return not journal.contacts([row.id]) and not {*journal.keys_of(row.id)} - row.contact_keys


def _record_line(row: sa.Row[Any]) -> bytes:
    """The line of a RECORD message, as a rejects file has it."""
    columns = {"_reject_code": row.code, "_reject_job": row.job, "_reject_attempt": row.attempt}
    record, more = row.record.rstrip(), msgspec.json.encode(columns)
    joint = b"" if record == b"{}" else b","
    return b"".join(
        (
            b'{"type":"RECORD","stream":',
            msgspec.json.encode(row.stream),
            b',"record":',
            record[:-1],
            joint,
            more[1:],
            b"}",
        )
    )
