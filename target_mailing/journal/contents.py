"""Contacts of destinations that are replaced as a whole: who is there, as far as runs with this journal delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.statements import replace_rows, select_in
from target_mailing.journal.streams import UNKNOWN
from target_mailing.row import Row

__all__ = ["JournalContents"]

#: Of the hash of a key, what tells it from others.
_KEY_BYTES: Final = 8


class JournalContents:
    """The contacts, by their keyed hashes; each call is made in a transaction."""

    def __init__(
        self, connection: sa.Connection, meta: JournalMeta, transaction: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Use the table."""
        self._connection = connection
        self._meta = meta
        self._transaction = transaction

    def hold(self, rows: Sequence[Row], destination: int, *, at: float, is_certain: bool = True) -> None:
        """Note the contacts of rows at a destination (its hash).

        Args:
            rows: that were delivered.
            destination: where.
            at: when (Unix seconds).
            is_certain: whether they have certainly arrived: else, what is known of them stays.
        """
        table, keys = tables.contents, {row.id: row.key for row in rows if row.id}
        with self._transaction():
            known = select_in(self._connection, sa.select(table), table.c.contact, [*keys])
            since = {one.contact: one.since for one in known}
            held = [
                {
                    "contact": contact,
                    "destination": destination,
                    "key": None if key is None else int.from_bytes(key[:_KEY_BYTES], "big", signed=True),
                    "since": since.get(contact, at),
                    "at": at,
                }
                for contact, key in keys.items()
                if is_certain or contact not in since
            ]
            replace_rows(self._connection, table, held)

    def expect(self, destination: int, before: float, expected: sa.Table) -> int:
        """Put those that have not come again since this moment (Unix seconds) into a table of expected removals.

        Those that came again with other content, under the same key, are not among them.

        Until the contents were replaced once, contacts whose streams are not known are taken to be here: those of
        versions that noted no contents. They may be of other destinations, too, so each of these has them under a hash
        of its own.

        Returns:
            How many contacts the destination had before, whether or not they came again.
        """
        contents, contacts = tables.contents.c, tables.contacts.c
        is_unknown = contacts.streams.bitwise_and(UNKNOWN) == UNKNOWN
        is_unnoted = is_unknown & contacts.id.not_in(sa.select(contents.contact))
        of, no_move, here = sa.literal(destination), sa.literal(0), contents.destination == destination
        new = (
            sa.select(contents.key).where(here, contents.at >= before, contents.key.is_not(None)).distinct().subquery()
        )
        old = sa.select(contents.contact, of, no_move).where(here, contents.at < before, new.c.key.is_(None))
        old = old.select_from(sa.outerjoin(tables.contents, new, new.c.key == contents.key))
        with self._transaction():
            self._connection.execute(sa.insert(expected).from_select([*expected.c.keys()], old))
            noted = self._count(contents.contact, here, contents.since < before)
            if self._meta.has_replaced(destination) or not self._count(contacts.id, is_unnoted):
                return noted
            unnoted = sa.select(_at(contacts.id, destination), of, no_move).where(is_unnoted).distinct()
            self._connection.execute(sa.insert(expected).from_select([*expected.c.keys()], unnoted))
            # Some may have come in this run for the first time: that is not known of those of earlier versions.
            arrived = self._count(contents.contact, here, contents.at >= before)
            return arrived + self._count(expected.c.contact, expected.c.destination == destination)

    def _count(self, column: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> int:
        return int(self._connection.execute(sa.select(sa.func.count(column)).where(*where)).scalar_one())

    def forget(self, destination: int, before: float) -> None:
        """Note that those that have not come again since this moment (Unix seconds) have left."""
        contents = tables.contents.c
        is_old = sa.and_(contents.destination == destination, contents.at < before)
        with self._transaction():
            self._connection.execute(sa.delete(tables.contents).where(is_old))
            self._meta.note_replaced(destination)


def _at(contact: sa.ColumnElement[int], destination: int) -> sa.ColumnElement[int]:
    """The bits of both that differ (SQLite has no operator for that): another number for each destination."""
    of = sa.literal(destination, sa.BigInteger())
    return contact.bitwise_or(of) - contact.bitwise_and(of)
