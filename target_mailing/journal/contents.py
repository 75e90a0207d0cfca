"""Contacts of destinations that are replaced as a whole: who is there, as far as runs with this journal delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.statements import replace_rows, select_in
from target_mailing.journal.streams import UNKNOWN

__all__ = ["JournalContents"]


class JournalContents:
    """The contacts, by their keyed hashes; each call is made in a transaction."""

    def __init__(
        self, connection: sa.Connection, meta: JournalMeta, transaction: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Use the table."""
        self._connection = connection
        self._meta = meta
        self._transaction = transaction

    def hold(self, contacts: Sequence[int], destination: int, *, at: float, is_certain: bool = True) -> None:
        """Note contacts of a destination (its hash).

        Args:
            contacts: that were delivered.
            destination: where.
            at: when (Unix seconds).
            is_certain: whether they have certainly arrived: else, what is known of them stays.
        """
        table = tables.contents
        with self._transaction():
            since = {
                row.contact: row.since
                for row in select_in(self._connection, sa.select(table), table.c.contact, contacts)
            }
            rows = [
                {"contact": contact, "destination": destination, "since": since.get(contact, at), "at": at}
                for contact in dict.fromkeys(contacts)
                if is_certain or contact not in since
            ]
            replace_rows(self._connection, table, rows)

    def expect(self, destination: int, before: float, expected: sa.Table) -> int:
        """Put those that have not come again since this moment (Unix seconds) into a table of expected removals.

        Until the contents were replaced once, contacts whose streams are not known are taken to be here: those of
        versions that noted no contents.

        Returns:
            How many contacts the destination had before, whether or not they came again.
        """
        contents, contacts = tables.contents.c, tables.contacts.c
        is_unknown = contacts.streams.bitwise_and(UNKNOWN) == UNKNOWN
        is_unnoted = is_unknown & contacts.id.not_in(sa.select(contents.contact))
        of, no_move, here = sa.literal(destination), sa.literal(0), contents.destination == destination
        old = sa.select(contents.contact, of, no_move).where(here, contents.at < before)
        with self._transaction():
            self._connection.execute(sa.insert(expected).from_select([*expected.c.keys()], old))
            noted = self._count(contents.contact, here, contents.since < before)
            if self._meta.has_replaced(destination) or not self._count(contacts.id, is_unnoted):
                return noted
            unnoted = sa.select(contacts.id, of, no_move).where(is_unnoted).distinct()
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
