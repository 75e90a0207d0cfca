"""Contacts of destinations that are replaced as a whole: who is there, as far as runs with this journal delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.run_contacts import RunContacts
from target_mailing.journal.statements import replace_rows, select_in
from target_mailing.journal.streams import UNKNOWN
from target_mailing.rows.row import Row

__all__ = ["JournalContents"]

#: Of the hash of a key, what tells it from others.
_KEY_BYTES: Final = 8
#: When a contact was first delivered that was only added beside all others: before any of them, so it replaces none.
_BESIDE: Final = 0.0


class JournalContents:
    """The contacts, by their keyed hashes; each call is made in a transaction.

    Attributes:
        opted_out: contacts that opted out in this run: if they leave, they do not count.
    """

    def __init__(
        self, connection: sa.Connection, meta: JournalMeta, transaction: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Use the table."""
        self._connection = connection
        self._meta = meta
        self._transaction = transaction
        self.opted_out = RunContacts(connection, "opted_out", transaction)

    def hold(
        self, rows: Sequence[Row], destination: int, *, at: float, replaces: bool, is_certain: bool = True
    ) -> None:
        """Note the contacts of rows at a destination (its hash).

        Args:
            rows: that were delivered.
            destination: where.
            at: when the run began (Unix seconds): what one run delivers has one time.
            replaces: whether the run delivers all that is to be there, so that what is new may replace what is missing.
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
                    "since": since.get(contact, at if replaces else _BESIDE),
                    "at": at,
                }
                for contact, key in keys.items()
                if is_certain or contact not in since
            ]
            replace_rows(self._connection, table, held)

    def expect(self, destination: int, before: float, expected: sa.Table) -> int:
        """Put those that have not come again since this moment (Unix seconds) into a table of expected removals.

        Those that opted out are not among them, nor those that new ones of the same key replace: as many as first came
        in a run after theirs.

        Until the contents were replaced once, contacts whose streams are not known are taken to be here: those of
        versions that noted no contents. They may be of other destinations, too, so each of these has them under a hash
        of its own.

        Returns:
            How many contacts the destination had before, whether or not they came again.
        """
        contents, contacts = tables.contents.c, tables.contacts.c
        is_unknown = contacts.streams.bitwise_and(UNKNOWN) == UNKNOWN
        opted_out = self.opted_out.all()
        is_unnoted = is_unknown & contacts.id.not_in(sa.select(contents.contact)) & contacts.id.not_in(opted_out)
        of, no_move, here = sa.literal(destination), sa.literal(0), contents.destination == destination
        old = sa.select(_missing(destination, before, opted_out).c.contact, of, no_move)
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


def _missing(destination: int, before: float, opted_out: sa.Select[tuple[int]]) -> sa.Subquery:
    """The contacts that neither came again nor opted out, and that no new one of their key replaces (each one)."""
    contents = tables.contents.c
    here = contents.destination == destination
    old = sa.select(contents.contact, contents.key, contents.at.label("run"), sa.literal(0).label("is_new"))
    new = sa.select(contents.contact, contents.key, contents.since, sa.literal(1))
    of_a_key = contents.key.is_not(None)
    old = old.where(here, contents.at < before, contents.contact.not_in(opted_out))
    each = sa.union_all(old, new.where(here, contents.at >= before, of_a_key))
    one = each.subquery().c
    # From the latest run: those of one key that are missing so far, and those new ones that came in runs after theirs.
    order = (one.run.desc(), one.is_new, one.contact)
    new_so_far = sa.func.sum(one.is_new).over(partition_by=one.key, order_by=order, rows=(None, 0))
    old_so_far = sa.func.sum(1 - one.is_new).over(partition_by=one.key, order_by=order, rows=(None, 0))
    ranked = sa.select(one.contact, one.is_new, new_so_far.label("new"), old_so_far.label("old")).subquery().c
    return sa.select(ranked.contact).where(ranked.is_new == 0, ranked.old > ranked.new).subquery()


def _at(contact: sa.ColumnElement[int], destination: int) -> sa.ColumnElement[int]:
    """The bits of both that differ (SQLite has no operator for that): another number for each destination."""
    of = sa.literal(destination, sa.BigInteger())
    return contact.bitwise_or(of) - contact.bitwise_and(of)
