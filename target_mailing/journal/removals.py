"""Contacts that this run may take off, and those that runs took off lately; few are in memory, however many."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.run_table import RunTable, number
from target_mailing.journal.statements import replace_rows
from target_mailing.journal.streams import UNKNOWN

__all__ = ["LATELY", "Counts", "JournalRemovals"]

#: Seconds for which a removal counts together with later ones.
LATELY: Final = 86_400.0
#: Contacts in memory, until they are written to the table.
_RECENT: Final = 16_384


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Contacts of one destination; none is counted twice.

    Attributes:
        removals: that are to be removed by rows of this run, and not because their keys have other addresses.
        moves: that are to be removed because their keys have other addresses.
        lately_removed: removed lately by other runs within the limit, and not to be removed now.
        lately_moved: the same, because their keys had other addresses.
        allowed: removed lately under the same allowance, and not to be removed now.
    """

    removals: int
    moves: int
    lately_removed: int
    lately_moved: int
    allowed: int

    @property
    def now(self) -> int:
        """All that are to be removed by this run."""
        return self.removals + self.moves


class JournalRemovals:
    """The contacts, by their keyed hashes."""

    def __init__(
        self,
        connection: sa.Connection,
        meta: JournalMeta,
        transaction: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Begin with none that this run may take off; each call is made in a transaction, unless the caller commits."""
        self._connection = connection
        self._meta = meta
        self._transaction = transaction
        columns = (
            sa.Column("contact", number(), primary_key=True, autoincrement=False),
            sa.Column("destination", number(), nullable=False),
            sa.Column("is_move", number(), nullable=False),
        )
        self._expected = RunTable(connection, "expected_removals", transaction, *columns)
        #: By contact: destination, and whether it is only moved from.
        self._recent: dict[int, tuple[int, bool]] = {}

    def expect(self, contact: int, destination: int, *, is_move: bool) -> None:
        """This run may take a contact off a destination (its hash)."""
        before = self._recent.get(contact, (destination, True))[1]
        self._recent[contact] = destination, is_move and before
        if len(self._recent) >= _RECENT:
            self._store()

    def counts(self, destination: int, *, allowance: int) -> Counts:
        """How many contacts are to be taken off a destination, and were lately."""
        self._store()
        expected, removed = self._expected.table.c, tables.removed.c
        now = sa.select(expected.is_move, sa.func.count()).where(expected.destination == destination)
        is_expected = sa.exists().where(expected.contact == removed.contact)
        lately = sa.select(removed.is_move, removed.allowance, sa.func.count()).where(
            removed.destination == destination, removed.at > time.time() - LATELY, ~is_expected
        )
        with self._transaction():
            by_kind = {bool(kind): count for kind, count in self._connection.execute(now.group_by(expected.is_move))}
            rows = [*self._connection.execute(lately.group_by(removed.is_move, removed.allowance))]
        within = {bool(kind): count for kind, under, count in rows if not under}
        return Counts(
            removals=by_kind.get(False, 0),
            moves=by_kind.get(True, 0),
            lately_removed=within.get(False, 0),
            lately_moved=within.get(True, 0),
            allowed=sum(count for _, under, count in rows if under and under == allowance),
        )

    def note(self, contacts: Sequence[int], *, allowance: int) -> None:
        """Note that those of these contacts that were expected are about to be taken off; the caller commits."""
        if not self._expected.is_made:
            return
        now = time.time()
        rows = [
            {"contact": contact, "destination": where, "is_move": bool(is_move), "allowance": allowance, "at": now}
            for contact, where, is_move in self._expected.rows([*dict.fromkeys(contacts)])
        ]
        replace_rows(self._connection, tables.removed, rows)

    @property
    def used_allowance(self) -> int:
        """The setting `allow_removals_once` that a run used up; 0 for none."""
        with self._transaction():
            return self._meta.used_allowance

    def note_used_allowance(self, number: int) -> None:
        """Note that it is used up, or with 0 that none is."""
        with self._transaction():
            self._meta.note_used_allowance(number)

    # Destinations that are replaced as a whole

    def hold_contents(self, contacts: Sequence[int], destination: int) -> None:
        """Note contacts that a destination (its hash) has now."""
        now = time.time()
        with self._transaction():
            rows = [{"contact": contact, "destination": destination, "at": now} for contact in dict.fromkeys(contacts)]
            replace_rows(self._connection, tables.contents, rows)

    def expect_contents(self, destination: int, before: float) -> int:
        """All contacts that were delivered before this moment (Unix seconds) may leave; returns how many there are.

        Until the contents were replaced once, contacts whose streams are not known are taken to be here: those of
        versions that noted no contents.
        """
        self._store()
        contents, contacts, table = tables.contents.c, tables.contacts.c, self._expected.table
        here = contents.destination == destination
        is_unknown = contacts.streams.bitwise_and(UNKNOWN) == UNKNOWN
        is_unnoted = is_unknown & contacts.id.not_in(sa.select(contents.contact))
        of, no_move = sa.literal(destination), sa.literal(0)
        leaving = [sa.select(contents.contact, of, no_move).where(here, contents.at < before)]
        with self._transaction():
            if not self._meta.has_replaced(destination):
                leaving.append(sa.select(contacts.id, of, no_move).where(is_unnoted).distinct())
            for rows in leaving:
                self._connection.execute(sa.insert(table).from_select([*table.c.keys()], rows))
            ((arrived,),) = self._connection.execute(sa.select(sa.func.count()).where(here, contents.at >= before))
            of_table = table.c.destination == destination
            return int(arrived + self._connection.execute(sa.select(sa.func.count()).where(of_table)).scalar_one())

    def note_contents(self, destination: int, before: float, *, allowance: int) -> None:
        """Note that they are about to leave, and are here no longer."""
        contents, table, removed = tables.contents.c, self._expected.table, tables.removed
        leaving = table.c.destination == destination
        noted = (sa.false(), sa.literal(allowance), sa.literal(time.time()))
        rows = sa.select(table.c.contact, table.c.destination, *noted).where(leaving)
        with self._transaction():
            again = sa.select(table.c.contact).where(leaving)
            self._connection.execute(sa.delete(removed).where(removed.c.contact.in_(again)))
            self._connection.execute(sa.insert(removed).from_select([*removed.c.keys()], rows))
            is_old = (contents.destination == destination) & (contents.at < before)
            self._connection.execute(sa.delete(tables.contents).where(is_old))
            self._meta.note_replaced(destination)

    def forget_before(self, moment: float) -> None:
        """Forget those that were taken off before this time (Unix seconds); the caller commits."""
        self._connection.execute(sa.delete(tables.removed).where(tables.removed.c.at < moment))

    def _store(self) -> None:
        self._expected.make()
        recent, self._recent = self._recent, {}
        with self._transaction():
            was_removal = {contact for contact, _, is_move in self._expected.rows([*recent]) if not is_move}
            self._expected.replace(
                [
                    (contact, where, int(is_move and contact not in was_removal))
                    for contact, (where, is_move) in sorted(recent.items())
                ]
            )
