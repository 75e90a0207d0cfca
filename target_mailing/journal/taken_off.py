"""The people whom streams took off by deleted rows: those whom the journal remembers, and how many it forgot since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.arrivals import Arrivals
from target_mailing.journal.keys import Keys
from target_mailing.journal.statements import delete_rows, replace_rows
from target_mailing.journal.streams import UNKNOWN, JournalStreams
from target_mailing.rows.row import Row

__all__ = ["TakenOff"]


class TakenOff:
    """Contacts by their keyed hashes; the caller commits.

    Who opted out stays, although a deleted row takes the contact off: that is remembered until the contact is put there
    again. All others are forgotten with the journal's other contacts, and are counted then (`JournalStreams`).
    """

    def __init__(self, connection: sa.Connection, streams: JournalStreams, contacts: Arrivals, keys: Keys) -> None:
        """Use the table, and those of contacts and keys."""
        self._connection = connection
        self._streams = streams
        self._contacts = contacts
        self._keys = keys
        at = tables.taken_off.c.at
        self._is_empty = not self._has(sa.true())
        self._has_staying = not self._is_empty and self._has(at.is_(None))

    def stays(self, contact: int) -> bool:
        """Whether a contact was to be taken off, and stayed because it opted out."""
        table = tables.taken_off.c
        return self._has_staying and self._has(sa.and_(table.contact == contact, table.at.is_(None)))

    def note(self, destination: str, gone: Sequence[Row], staying: Sequence[Row], at: float) -> None:
        """Note how rows ended that were to take off their own contacts, before these are noted elsewhere.

        Args:
            destination: of the rows.
            gone: those that did.
            staying: those whose contacts opted out.
            at: when (Unix seconds).
        """
        gone, staying = _deletions(gone), _deletions(staying)
        if not (gone or staying):
            return
        bits = self._streams.bits(destination)
        of_earlier = self._streams.of_earlier(destination)
        streams = {row.id: bits[row.stream] or of_earlier for row in (*gone, *staying)}
        known = self._contacts.find([row.id for row in gone], "write").keys()
        keys = [key for row in gone for key in row.contact_keys]
        known_keys = self._keys.table.find(keys, "write").keys() if keys else ()
        unknown = {
            row.id: streams[row.id] for row in gone if row.id not in known and row.contact_keys.isdisjoint(known_keys)
        }
        self._streams.add_forgotten({bit: -count for bit, count in Counter(unknown.values()).items()})
        moments = {**{row.id: at for row in gone}, **{row.id: None for row in staying}}
        self.put((contact, streams[contact], moment) for contact, moment in moments.items())

    def put(self, contacts: Iterable[tuple[int, int, float | None]]) -> None:
        """Note contacts, each with the bit of its stream, and when it was taken off; None for one that stays."""
        rows = [
            {"contact": contact, "stream": bit.bit_length() - 1, "at": at}
            for contact, bit, at in contacts
            if bit > UNKNOWN
        ]
        replace_rows(self._connection, tables.taken_off, rows)
        self._is_empty = self._is_empty and not rows
        self._has_staying = self._has_staying or any(row["at"] is None for row in rows)

    def put_back(self, contacts: Iterable[int]) -> None:
        """These are there again."""
        if not self._is_empty:
            delete_rows(self._connection, tables.taken_off, [{"contact": contact} for contact in contacts])

    def forget_before(self, moment: float) -> None:
        """Forget and count those that were taken off before this time (Unix seconds)."""
        if self._is_empty:
            return
        table = tables.taken_off
        is_old = table.c.at < moment
        query = sa.select(table.c.stream, sa.func.count()).where(is_old).group_by(table.c.stream)
        self._streams.add_forgotten({1 << number: count for number, count in self._connection.execute(query)})
        self._connection.execute(sa.delete(table).where(is_old))

    def _has(self, where: sa.ColumnElement[bool]) -> bool:
        query = sa.select(tables.taken_off.c.contact).where(where).limit(1)
        return self._connection.execute(query).first() is not None


def _deletions(rows: Sequence[Row]) -> Sequence[Row]:
    """Those that take off their own contact: not a former one of their key, and not because no line names it.

    Rows of an earlier run without a key may be any of these.
    """
    return [
        row
        for row in rows
        if row.id and row.former_of is None and not row.is_absent and (row.stream or row.key is not None)
    ]
