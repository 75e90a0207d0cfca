"""What the setting `allow_removals_once` was at each destination, and the allowances of runs that did not make all."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.statements import replace_rows

__all__ = ["Allowed", "JournalAllowances"]


class Allowed(msgspec.Struct, frozen=True):
    """What the journal knows of the allowances at a destination.

    Attributes:
        destination: its keyed hash.
        last: the setting of the last run that judged removals there; 0 if it was unset.
        named: the latest number that an error named; 0 for none that was not used.
        named_at: when (Unix seconds).
        allowance: the allowance under which not all removals were made yet, as in the table `removed`; 0 for none.
        number: its setting.
        began_at: when it was first allowed (Unix seconds).
        base: of how many contacts the limit was a share when a run was refused.
        base_at: when (Unix seconds).
    """

    destination: int
    last: int = 0
    named: int = 0
    named_at: float = 0.0
    allowance: int = 0
    number: int = 0
    began_at: float = 0.0
    base: int = 0
    base_at: float = 0.0


class JournalAllowances:
    """The table, by destination; each call is made in a transaction."""

    def __init__(self, connection: sa.Connection, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        """Use the table."""
        self._connection = connection
        self._transaction = transaction

    def of(self, destinations: Collection[int]) -> list[Allowed]:
        """What is known of each of these destinations."""
        table = tables.allowances
        with self._transaction():
            rows = self._connection.execute(sa.select(table).where(table.c.destination.in_(destinations))).mappings()
            known = {row["destination"]: Allowed(**row) for row in rows}
        return [known.get(one) or Allowed(one) for one in destinations]

    def put(self, allowed: Collection[Allowed]) -> None:
        """Note what is known now."""
        with self._transaction():
            replace_rows(self._connection, tables.allowances, [msgspec.structs.asdict(one) for one in allowed])

    def made(self, allowances: Collection[int], expected: sa.Table) -> int:
        """How many contacts were taken off under these allowances, and are not among the expected ones."""
        removed = tables.removed.c
        is_expected = sa.exists().where(expected.c.contact == removed.contact)
        made = sa.select(sa.func.count()).where(removed.allowance.in_(allowances), ~is_expected)
        with self._transaction():
            return int(self._connection.execute(made).scalar_one())

    def join(self, allowances: Collection[int], number: int) -> int:
        """Make one new allowance of these, whichever destinations they have, for this number; returns it."""
        table, removed = tables.allowances, tables.removed
        with self._transaction():
            latest: list[Any] = [
                self._connection.execute(sa.select(sa.func.max(column))).scalar()
                for column in (table.c.allowance, removed.c.allowance)
            ]
            new = 1 + max(one or 0 for one in latest)
            for each, values in ((table, {"number": number}), (removed, {})):
                is_joined = each.c.allowance.in_(allowances)
                self._connection.execute(sa.update(each).where(is_joined).values(allowance=new, **values))
        return new

    def end(self, allowance: int) -> None:
        """Note that everything that an allowance allowed was made."""
        table = tables.allowances
        ended = sa.update(table).where(table.c.allowance == allowance).values(allowance=0, number=0)
        with self._transaction():
            self._connection.execute(ended)
