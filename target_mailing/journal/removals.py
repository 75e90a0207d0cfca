"""Contacts that this run may take off, and those that runs took off lately; few are in memory, however many."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.allowances import JournalAllowances
from target_mailing.journal.contents import JournalContents
from target_mailing.journal.known import CLOCKS_DIFFER
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.run_table import RunTable
from target_mailing.journal.statements import replace_rows
from target_mailing.rows.row import Row

__all__ = ["LATELY", "UNLIMITED", "Counts", "JournalRemovals"]

#: Seconds for which a removal counts together with later ones.
LATELY: Final = 86_400.0
#: The allowance of removals that are made while there is no limit: a later limit does not count them.
UNLIMITED: Final = -1
#: Contacts in memory, until they are written to the table.
_RECENT: Final = 16_384


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Contacts of one destination; none is counted twice.

    Attributes:
        removals: that are to be removed by rows of this run, and not because their keys have other addresses.
        moves: that are to be removed because their keys have other addresses.
        lately_removed: removed lately by other runs within the limit, and not to be removed now.
        lately_moved: the same, because their keys had other addresses.
    """

    removals: int
    moves: int
    lately_removed: int
    lately_moved: int

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
        self._transaction = transaction
        self._expected = RunTable(connection, "expected_removals", transaction, "contact", "destination", "is_move")
        self.allowances = JournalAllowances(connection, transaction)
        self.contents = JournalContents(connection, meta, transaction)
        #: By contact: destination, and whether it is only moved from.
        self._recent: dict[int, tuple[int, bool]] = {}

    def expect(self, contact: int, destination: int, *, is_move: bool) -> None:
        """This run may take a contact off a destination (its hash)."""
        before = self._recent.get(contact, (destination, True))[1]
        self._recent[contact] = destination, is_move and before
        if len(self._recent) >= _RECENT:
            self._store()

    def counts(self, destination: int) -> Counts:
        """How many contacts are to be taken off a destination, and were lately."""
        self._store()
        expected, removed = self._expected.table.c, tables.removed.c
        now = sa.select(expected.is_move, sa.func.count()).where(expected.destination == destination)
        is_expected = sa.exists().where(expected.contact == removed.contact)
        lately = sa.select(removed.is_move, sa.func.count()).where(
            removed.destination == destination, removed.at > time.time() - LATELY, removed.allowance == 0, ~is_expected
        )
        with self._transaction():
            by_kind = {bool(kind): count for kind, count in self._connection.execute(now.group_by(expected.is_move))}
            rows = self._connection.execute(lately.group_by(removed.is_move))
            within = {bool(kind): count for kind, count in rows}
        return Counts(
            removals=by_kind.get(False, 0),
            moves=by_kind.get(True, 0),
            lately_removed=within.get(False, 0),
            lately_moved=within.get(True, 0),
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

    def note_unlimited(self, destination: int, rows: Iterable[Row]) -> None:
        """Note that these rows are about to take contacts off a destination without a limit; the caller commits."""
        kinds = {row.id: row.former_of is not None for row in rows if row.id}  # 0: another spelling of a contact
        common = {"destination": destination, "allowance": UNLIMITED, "at": time.time()}
        noted = [{"contact": contact, "is_move": is_move, **common} for contact, is_move in kinds.items()]
        replace_rows(self._connection, tables.removed, noted)

    def made(self, allowances: Collection[int]) -> int:
        """How many contacts were taken off under these allowances, and are not to be taken off again now."""
        self._store()
        return self.allowances.made(allowances, self._expected.table)

    def expect_contents(self, destination: int, before: float) -> int:
        """All who have not come again to a destination since this moment (Unix seconds) may leave; returns its size."""
        self._store()
        return self.contents.expect(destination, before, self._expected.table)

    def note_contents(self, destination: int, *, allowance: int) -> None:
        """Note that those are about to leave."""
        table, removed = self._expected.table, tables.removed
        noted = (sa.false(), sa.literal(allowance), sa.literal(time.time()))
        leaving = sa.select(table.c.contact, table.c.destination, *noted).where(table.c.destination == destination)
        with self._transaction():
            again = sa.select(table.c.contact).where(table.c.destination == destination)
            self._connection.execute(sa.delete(removed).where(removed.c.contact.in_(again)))
            self._connection.execute(sa.insert(removed).from_select([*removed.c.keys()], leaving))

    def date_back(self, now: float) -> None:
        """Date what a clock noted that was ahead to now (Unix seconds), so that its time passes; the caller commits."""
        dated = (
            *((tables.allowances, name) for name in ("named_at", "began_at", "base_at")),
            *((tables.contents, name) for name in ("since", "at")),
            (tables.removed, "at"),
        )
        for table, name in dated:
            is_ahead = table.c[name] > now + CLOCKS_DIFFER
            self._connection.execute(sa.update(table).where(is_ahead).values({name: now}))

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
