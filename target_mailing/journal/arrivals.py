"""A table whose rows are kept in the order of their arrival, and found by a hash.

A row is only ever added at the end: a batch writes a few pages, however large the table is. Rows that came one after
the other mostly come so again, whatever their hashes are, so a look-up reads the rows that follow the last one found,
and asks the index only for those that are not among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import sqlalchemy as sa

from target_mailing.journal.replaced import Replaced
from target_mailing.journal.runs import Entry, Index, Runs
from target_mailing.journal.statements import VALUES_AT_ONCE, Driver

__all__ = ["Arrivals", "Purpose"]

#: What rows are looked up for: to decide what is done, to be written, or because the input names them.
Purpose = Literal["decide", "write", "name"]

#: What is written over a row, by column.
Blank = Mapping[str, Any]

#: Numbers that are read together.
_PAGE: Final = 16_384
#: Numbers in use from which on rows are moved, and of how many numbers at most one row is.
_MOVED_FROM: Final = 65_536
_MOVED_OF: Final = 8


class Arrivals:
    """Rows (number, key, value, ...), one for each key; the caller commits."""

    def __init__(
        self, driver: Driver, table: sa.Table, index: Index, *, others: Sequence[Runs] = (), replaced: Replaced | Blank
    ) -> None:
        """Open the table.

        Args:
            driver: of the journal.
            table: its first column is the number, its second the key.
            index: of the key.
            others: other indexes of the table.
            replaced: where rows that have a newer one are noted; or what is written over them at once. They are not
                deleted then, because SQLite moves the other rows of a page when some are, and may leave copies there.
        """
        self._driver = driver
        self._table = table
        self._index = Runs(driver, table, index)
        self._indexes = (self._index, *others)
        self._replaced = replaced
        self._columns = ",".join(column.name for column in table.columns)
        greatest = driver.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.n), 0))).scalar_one()
        # A number is never used again, so that no index and no note of a former row is of a newer one.
        self._last: int = max(
            greatest, replaced.last if isinstance(replaced, Replaced) else 0, *(index.last for index in self._indexes)
        )
        least = driver.execute(sa.select(sa.func.min(table.c.n))).scalar()
        #: By what rows are looked up for, where the next ones are expected; None where nowhere.
        self._expected: dict[Purpose, int | None] = {"decide": least, "write": least, "name": least}
        self._following = (
            f"SELECT {self._columns} FROM {table.name} WHERE n BETWEEN {driver.parameter} AND {driver.parameter}"  # noqa: S608
        )

    @property
    def last(self) -> int:
        """The greatest number so far."""
        return self._last

    def find(self, keys: Sequence[Any], purpose: Purpose = "decide") -> dict[Any, Entry]:
        """The rows of these keys, by key.

        Args:
            keys: in the order in which they come.
            purpose: the same rows are looked up for each of them, in the same order, but at other times.
        """
        if not keys:
            return {}
        wanted = {*keys}
        found: dict[Any, Entry] = {}
        if (first := self._expected[purpose]) is not None:
            found = self._current(self._driver.query(self._following, (first, first + len(keys))), wanted)
        if missing := wanted - found.keys():
            found |= self._current(self._index.rows(missing), missing)
        last = next((key for key in reversed(keys) if key in found), None) if found else None
        self._expected[purpose] = None if last is None else found[last][0] + 1
        return found

    def replace(self, rows: Mapping[Any, Entry], former: Mapping[Any, Entry]) -> None:
        """Add rows, and take away those of the same keys.

        Args:
            rows: without their numbers, by key.
            former: all that there are, by key.
        """
        if not rows:
            return
        self._take_away([former[key] for key in rows if key in former] if former else ())
        columns = [range(self._last + 1, self._last + 1 + len(rows)), *zip(*rows.values(), strict=True)]
        self._driver.insert(self._table, columns)
        self._last += len(rows)
        for index in self._indexes:
            index.add(columns)

    def put(self, rows: Iterable[Entry]) -> None:
        """Add rows, without their numbers, in place of those of the same keys."""
        newest = {row[0]: row for row in rows}
        self.replace(newest, self.find([*newest], "write"))

    def drop(self, keys: Iterable[Any]) -> None:
        """Remove the rows of these keys."""
        self._take_away([*self.find([*keys], "write").values()])

    def count(self, *where: sa.ColumnElement[bool]) -> int:
        """How many keys have such a row, where rows that have a newer one are noted."""
        query = sa.select(sa.func.count()).select_from(self._table).where(*where)
        count: int = self._driver.execute(query).scalar_one()
        if isinstance(self._replaced, Replaced) and self._replaced:
            count -= sum(number in self._replaced for number in self._numbers(*where))
        return count

    def _numbers(self, *where: sa.ColumnElement[bool]) -> Iterator[int]:
        """The numbers of such rows, of which few are in memory at a time."""
        n, after, page = self._table.c.n, -1, [0]
        while page:
            query = sa.select(n).where(n > after, *where).order_by(n).limit(_PAGE)
            page = [*self._driver.execute(query).scalars()]
            yield from page
            after = page[-1] if page else after

    def forget(self, *where: sa.ColumnElement[bool]) -> None:
        """Erase rows that are no longer needed, wherever they are noted."""
        if not isinstance(self._replaced, Replaced):
            self._take_away([tuple(row) for row in self._driver.execute(sa.select(self._table).where(*where))])
        else:
            self._driver.execute(sa.delete(self._table).where(*where))
            first = self._move_up(self._replaced)
            self._replaced.forget_before(first)
            self._index.forget_before(first)

    def is_current(self, number: int) -> bool:
        """Whether the row of a number has no newer one; for tables whose replaced rows are noted."""
        return not isinstance(self._replaced, Replaced) or number not in self._replaced

    def tidy(self) -> None:
        """Merge what a long run left in pieces."""
        for index in self._indexes:
            index.tidy()

    def _move_up(self, replaced: Replaced) -> int:
        """Move rows that are left where most are gone to the end; returns the first number, or the next one.

        So the index need not keep the hashes of rows that are gone because a few among them stay.
        """
        number = self._table.c.n
        while True:
            first = self._driver.execute(sa.select(sa.func.min(number))).scalar() or self._last + 1
            middle = (first + self._last) // 2
            is_early = number <= middle
            left = self._driver.execute(
                sa.select(sa.func.count()).select_from(self._table).where(is_early)
            ).scalar_one()
            if self._last - first < _MOVED_FROM or left * _MOVED_OF > middle - first:
                return int(first)
            rows = [tuple(row) for row in self._driver.execute(sa.select(self._table).where(is_early).order_by(number))]
            self._driver.execute(sa.delete(self._table).where(is_early))
            self.replace({row[1]: row[1:] for row in rows if row[0] not in replaced}, {})

    def _current(self, rows: Iterable[Entry], wanted: set[Any]) -> dict[Any, Entry]:
        """Those of some rows that are of these keys and have no newer one."""
        replaced = self._replaced
        if not replaced or not isinstance(replaced, Replaced):
            return {row[1]: row for row in rows if row[1] in wanted}
        return {row[1]: row for row in rows if row[1] in wanted and row[0] not in replaced}

    def _take_away(self, rows: Sequence[Entry]) -> None:
        numbers = [row[0] for row in rows]
        if isinstance(self._replaced, Replaced):
            self._replaced.add(numbers)
            return
        self._driver.has_erased |= bool(numbers)
        for begin in range(0, len(numbers), VALUES_AT_ONCE):
            some = self._table.c.n.in_(numbers[begin : begin + VALUES_AT_ONCE])
            self._driver.execute(sa.update(self._table).where(some).values(**self._replaced))
        for index in self._indexes:
            index.erase(rows)
