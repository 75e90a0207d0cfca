"""The streams of a journal: which bit stands for each, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.deletions import Deletions
from target_mailing.journal.hashes import Hashes

__all__ = ["UNKNOWN", "JournalStreams", "names_by_place"]

#: The bit of a contact that may have been put there by any stream: no stream takes it off as absent.
UNKNOWN: Final = 1
#: Streams that have a bit of their own, of 64 bits with a sign.
_MOST: Final = 61


class JournalStreams:
    """The streams that brought rows to each destination; the caller commits."""

    def __init__(self, connection: sa.Connection, hashes: Hashes) -> None:
        """Read the table."""
        self._connection = connection
        self._hashes = hashes
        self._bits: dict[bytes, int] = {}
        #: Streams of which an earlier run ended well.
        self._ended: set[bytes] = set()
        #: By stream, how many people were forgotten whom its deleted rows took off; None if that was not noted.
        self._forgotten: dict[bytes, int | None] = {}
        self._deletions: dict[tuple[str, str], Deletions] = {}
        #: By destination's hash, the bits of its streams that may have put contacts there which were forgotten.
        self._forgot: dict[int, int] = {}
        #: By destination's hash, the bits of all of its streams.
        self._of: dict[int, int] = {}
        #: Streams whose lists were compared with them by an earlier run that ended well; those of this run.
        self._compared: set[bytes] = set()
        self._compares: set[tuple[str, str]] = set()
        #: By destination's hash, the bits of streams whose rows have no key but their address.
        self._by_address: dict[int, int] = {}
        #: Streams that were read in this run.
        self._begun: set[tuple[str, str]] = set()
        self._by_name: dict[str, _Bits] = {}
        #: A run of a version that does not close open rejects read one of them.
        self.closed_nothing = False
        for row in connection.execute(sa.select(tables.streams)):
            self._bits[row.id] = 1 << row.number
            self._forgotten[row.id] = row.forgotten
            if row.has_ended:
                self._ended.add(row.id)
            if row.compared:
                self._compared.add(row.id)
            self._of[row.destination] = self._of.get(row.destination, 0) | 1 << row.number
            if row.by_address:
                self._by_address[row.destination] = self._by_address.get(row.destination, 0) | 1 << row.number
            if row.closing_runs != row.runs:
                self.closed_nothing = True
            if row.forgot:
                self._forgot[row.destination] = self._forgot.get(row.destination, 0) | 1 << row.number

        self._earlier_of = dict(self._of)

    def bits(self, destination: str) -> Mapping[str, int]:
        """The bit of each stream of a destination, by its name in the input; 0 for "", a row of an earlier run."""
        if destination not in self._by_name:
            self._by_name[destination] = _Bits(self, destination)
        return self._by_name[destination]

    def note_closing(self) -> None:
        """All runs up to now are noted as those of versions that close open rejects."""
        self._connection.execute(sa.update(tables.streams).values(closing_runs=tables.streams.c.runs))

    def deletions(self, destination: str, stream: str) -> Deletions:
        """The people whom this run takes off a destination by the deleted rows of a stream."""
        if (destination, stream) not in self._deletions:
            forgotten = self._forgotten.get(self._id(destination, stream), 0)
            if forgotten is None and not self.has_ended(destination, stream):
                forgotten = 0
            self._deletions[destination, stream] = Deletions(forgotten)
        return self._deletions[destination, stream]

    def add_forgotten(self, counts: Mapping[int, int]) -> None:
        """So many more people of streams (their bits) were forgotten, or fewer if they were taken off again."""
        ids = {bit: one for one, bit in self._bits.items()}
        for bit, count in counts.items():
            one = ids.get(bit)
            if one is None or (before := self._forgotten[one]) is None:
                continue
            self._forgotten[one] = now = max(0, before + count)
            of_stream = tables.streams.c.id == one
            self._connection.execute(sa.update(tables.streams).where(of_stream).values(forgotten=now))

    def has_ended(self, destination: str, stream: str) -> bool:
        """Whether an earlier run that brought rows of a stream to a destination ended well."""
        return self._id(destination, stream) in self._ended

    def has_compared(self, destination: str, stream: str) -> bool:
        """Whether an earlier run that ended well compared all members of a list with a whole input of a stream."""
        return self._id(destination, stream) in self._compared

    def compares(self, destination: str, stream: str) -> None:
        """This run does."""
        self._compares.add((destination, stream))

    def note_end(self) -> None:
        """The run ends well: so do the streams that it read."""
        for destination, stream in self._begun:
            one = self._id(destination, stream)
            if not self.has_ended(destination, stream) or self._forgotten.get(one, 0) is None:
                self._change(destination, stream, has_ended=True, forgotten=self._forgotten.get(one) or 0)
        for destination, stream in self._compares:
            if not self.has_compared(destination, stream):
                self._change(destination, stream, compared=True)

    @property
    def taken_off_before(self) -> Iterator[tuple[int, int, float]]:
        """Contacts that were taken off by a version that did not note it: with the bit of the stream, and the time."""
        for (destination, stream), deletions in self._deletions.items():
            bit = self.bits(destination)[stream]
            yield from ((contact, bit, at) for contact, at in deletions.before.items())

    def all_bits(self, destination: str) -> int:
        """The bits of all streams of a destination."""
        return self._of.get(self._hashes.destination_id(destination), 0)

    def of_earlier(self, destination: str) -> int:
        """The bit of the stream that earlier runs brought to a destination; UNKNOWN if it is not one."""
        bits = self._earlier_of.get(self._hashes.destination_id(destination), 0)
        return bits if bits.bit_count() == 1 else UNKNOWN

    def has_only(self, destination: str) -> bool:
        """Whether no other destination has streams."""
        return not self._of.keys() - {self._hashes.destination_id(destination)}

    def others_forgotten(self, destination: str, bits: int) -> int:
        """UNKNOWN if a contact that is new here may have been put there by another stream before; else 0."""
        forgot = self._forgot.get(self._hashes.destination_id(destination), 0)
        return UNKNOWN if forgot & ~bits else 0

    def forget(self, bits: int) -> None:
        """Contacts that these streams put there are forgotten."""
        numbers = [number for number in range(1, _MOST + 1) if bits >> number & 1]
        streams = tables.streams
        self._connection.execute(sa.update(streams).where(streams.c.number.in_(numbers)).values(forgot=True))
        query = sa.select(streams.c.destination, streams.c.number).where(streams.c.number.in_(numbers))
        for destination, number in self._connection.execute(query):
            self._forgot[destination] = self._forgot.get(destination, 0) | 1 << number

    def is_new_version(self, destination: str, stream: str, version: int) -> bool:
        """Whether no row of the stream had this version before, nor a greater one; from now on it is known."""
        known: int | None = self._value(destination, stream, tables.streams.c.version)
        if known is not None and version <= known:
            return False
        self._change(destination, stream, version=version)
        return True

    def others_by_address(self, destination: str, stream: str) -> int:
        """The bits of a destination's other streams whose rows have no key but their address."""
        bits = self._by_address.get(self._hashes.destination_id(destination), 0)
        return bits and bits & ~self.bits(destination)[stream]

    def begin(self, destination: str, stream: str, form: bytes, *, names_lists: bool, by_address: bool = False) -> bool:
        """A stream is read; whether its keys have the form that those have which it delivered, if it delivered any."""
        is_new = self._id(destination, stream) not in self._bits
        if (destination, stream) not in self._begun:
            self._begun.add((destination, stream))
            names = {"name": stream, "place": destination}
            runs = self.runs(destination, stream) + 1
            self._change(destination, stream, runs=runs, closing_runs=runs, **names)
        where, bit = self._hashes.destination_id(destination), self.bits(destination)[stream] & ~UNKNOWN
        before = self._by_address.get(where, 0)
        if by_address != bool(before & bit):
            self._by_address[where] = before ^ bit
            self._change(destination, stream, by_address=by_address)
        if is_new or names_lists:
            self._change(destination, stream, names_lists=names_lists)
        if is_new:
            self.note_key_form(destination, stream, form)
        known: bytes | None = self._value(destination, stream, tables.streams.c.key_form)
        return known == form

    def note_key_form(self, destination: str, stream: str, form: bytes) -> None:
        """All contacts of a stream have keys of this form."""
        self._change(destination, stream, key_form=form)

    @property
    def name_lists(self) -> bool:
        """Whether rows of any stream name their own lists."""
        query = sa.select(tables.streams.c.number).where(tables.streams.c.names_lists.is_(True)).limit(1)
        return self._connection.execute(query).first() is not None

    def runs(self, destination: str, stream: str) -> int:
        """How many runs read the stream, whether or not they were whole; this one is the last."""
        runs: int | None = self._value(destination, stream, tables.streams.c.runs)
        return runs or 0

    def _value(self, destination: str, stream: str, column: sa.Column[Any]) -> Any:
        self.bits(destination)[stream]  # which makes its row
        of_stream = tables.streams.c.id == self._id(destination, stream)
        return self._connection.execute(sa.select(column).where(of_stream)).scalar()

    def _change(self, destination: str, stream: str, **values: Any) -> None:
        self.bits(destination)[stream]  # which makes its row
        of_stream = tables.streams.c.id == self._id(destination, stream)
        self._connection.execute(sa.update(tables.streams).where(of_stream).values(values))

    def _id(self, destination: str, stream: str) -> bytes:
        return self._hashes.key_ids(destination, stream)([b"stream"])[0]

    def bit(self, destination: str, stream: str) -> int:
        """The bit of one stream, which it gets now if it has none."""
        if not stream:
            return 0
        hashed = self._id(destination, stream)
        if hashed not in self._bits:
            number = len(self._bits) + 1
            if number > _MOST:
                return UNKNOWN
            where = self._hashes.destination_id(destination)
            values = {"number": number, "destination": where, "id": hashed, "forgotten": 0, "closing_runs": 0}
            self._connection.execute(
                sa.insert(tables.streams).values(runs=0, has_ended=False, forgot=False, names_lists=False, **values)
            )
            self._bits[hashed] = 1 << number
            self._forgotten[hashed] = 0
            self._of[where] = self._of.get(where, 0) | 1 << number
        return self._bits[hashed]


class _Bits(dict[str, int]):
    """The bits of one destination's streams."""

    def __init__(self, streams: JournalStreams, destination: str) -> None:
        self._of = streams
        self._destination = destination

    def __missing__(self, stream: str) -> int:
        bit = self[stream] = self._of.bit(self._destination, stream)
        return bit


def names_by_place(connection: sa.Connection) -> dict[str, list[str]]:
    """By destination's name, the names of the streams that runs delivered to it, as far as they are known."""
    table, batches = tables.streams.c, tables.batches.c
    found: dict[str, list[str]] = {}
    for place, name in connection.execute(sa.select(table.place, table.name).order_by(table.number)):
        if place is not None:
            found.setdefault(place, []).append(name)
    for place in connection.execute(sa.select(batches.destination).distinct()).scalars():
        found.setdefault(place, [])
    return found
