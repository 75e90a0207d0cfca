"""An index from hashes to the numbers of a table's rows, in sorted runs.

Hashes are spread over the whole of an index: one that is kept in one piece is rewritten nearly everywhere by each
batch. So the numbers of new rows are in memory only; thirty-two thousand of them become a sorted run, a table of its
own that is written from its beginning to its end; and sixteen runs of one size become one. So each entry is written
once for each sixteenfold growth. A run holds the rows of one range of numbers; those after the last run are read from
the table itself when a program begins.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import takewhile
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.marks import Marks
from target_mailing.journal.statements import Driver, padded

__all__ = ["Entry", "Index", "Runs"]

#: Rows whose numbers are in memory before they become a run.
_RUN_AT: Final = 32_768
#: Runs of one size before they are merged.
_MERGED_AT_ONCE: Final = 16
#: A new index has so many bytes of marks once it has an entry; they double when there is an entry for each byte.
_MARKS: Final = 1 << 21

#: A row: its number, then its columns.
Entry = tuple[Any, ...]

_RUNS: Final = sa.select(tables.runs).where(tables.runs.c.of == sa.bindparam("name")).order_by(tables.runs.c.first)


class Index(msgspec.Struct, frozen=True):
    """What an index is of.

    Attributes:
        name: begins the names of its runs.
        column: of the table.
        start: bytes of the column that are kept; None where it is a number. Rows are compared in full when found.
        where: which rows have an entry, in SQL.
    """

    name: str
    column: str
    start: int | None = None
    where: str = "n IS NOT NULL"

    @property
    def expression(self) -> str:
        """What is kept of a row, in SQL."""
        return self.column if self.start is None else f"substr({self.column}, 1, {self.start})"

    def kept(self, values: Iterable[Any]) -> Sequence[Hashable]:
        """What is kept of values of the column."""
        return [*values] if self.start is None else [value[: self.start] for value in values]


class _Run(msgspec.Struct):
    """A run: the rows with numbers from `first` to `last`."""

    n: int
    table: str
    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


class Runs:
    """One index of a table whose rows are numbered as they come; the caller commits."""

    def __init__(self, driver: Driver, table: sa.Table, index: Index) -> None:
        """Open the index; it takes up the rows that came since its last run when it is first used.

        Args:
            driver: of the journal.
            table: its first column is the number of the row.
            index: a column of the table.
        """
        self._driver = driver
        self._index = index
        self._table = table.name
        self._columns = ",".join(f"t.{column.name}" for column in table.columns)
        self._at = [column.name for column in table.columns].index(index.column)
        self._type = table.c[index.column].type.compile(dialect=driver.dialect)
        runs = driver.execute(_RUNS, {"name": index.name})
        self._runs = [_Run(run.n, f"{index.name}_{run.n}", run.first, run.last) for run in runs]
        #: Numbers of the rows after the last run, by what is kept of them: the last one; None before the first use.
        self._recent: dict[Hashable, int] | None = None
        #: The others, where there are several.
        self._more: dict[Hashable, list[int]] = {}
        self._newest = self.last
        # There is no entry of a hash that is not marked; the hashes of an older index are not all known.
        self._marks = None if self._runs else Marks(0)

    @property
    def last(self) -> int:
        """The greatest number that is in a run; 0 where there is none."""
        return self._runs[-1].last if self._runs else 0

    def rows(self, values: Iterable[Any]) -> list[Entry]:
        """The rows that have one of these values, and perhaps some others."""
        recent = self._taken_up()
        kept = self._index.kept(values)
        wanted = {*kept} if self._marks is None else self._marks.among(kept)  # nearly always none of new rows
        inside = recent.keys() & wanted
        numbers = [recent[value] for value in inside]
        numbers += [number for value in self._more.keys() & inside for number in self._more[value]]
        found = self._driver.select(f"SELECT {self._columns} FROM {self._table} t WHERE n IN", numbers)  # noqa: S608
        if not self._runs:
            return found
        in_order: list[Any] = sorted(wanted)
        # CROSS JOIN has SQLite search the run for each value; else it may read the whole run, and search the values.
        parts = " UNION ALL ".join(
            f"SELECT n FROM w CROSS JOIN {run.table} r WHERE r.value = w.value"  # noqa: S608
            for run in self._runs
        )
        for begin in range(0, len(in_order), at_once := self._driver.values_at_once):
            some = padded(in_order[begin : begin + at_once])
            values_of = ",".join([f"({self._driver.parameter})"] * len(some))
            found += self._driver.query(
                f"WITH w (value) AS (VALUES {values_of}), f (n) AS ({parts}) "  # noqa: S608 - the names are ours
                f"SELECT {self._columns} FROM f CROSS JOIN {self._table} t WHERE t.n = f.n",
                some,
            )
        return found

    def add(self, columns: Sequence[Sequence[Any]]) -> None:
        """Take up rows that were added to the table, by column; a little later if the index is not in use."""
        if self._recent is None:
            return
        self._take_up(columns)
        if self._newest - self.last >= _RUN_AT:
            self._end_run()

    def erase(self, rows: Sequence[Entry]) -> None:
        """Erase rows that were erased from the table; those in memory are found no more."""
        kept = self._index.kept(row[self._at] for row in rows)
        delete = "DELETE FROM {} WHERE value = {} AND n = {}"
        for run in self._runs:
            inside = [(value, row[0]) for value, row in zip(kept, rows, strict=True) if run.first <= row[0] <= run.last]
            self._driver.run_each(delete.format(run.table, *[self._driver.parameter] * 2), inside)

    def forget_before(self, number: int) -> None:
        """Erase rows with smaller numbers, which are no longer in the table."""
        for run in [*self._runs]:
            if run.last < number:
                self._drop([run])
            elif run.first < number:
                self._driver.run(f"DELETE FROM {run.table} WHERE n < {number:d}")  # noqa: S608
                run.first = number
                self._driver.execute(sa.update(tables.runs).where(tables.runs.c.n == run.n).values(first=number))

    def tidy(self) -> None:
        """Merge runs, so that each is longer than all newer ones together: a run of the program begins with few."""
        kept, newer = len(self._runs), 0
        for at in reversed(range(len(self._runs))):
            if self._runs[at].size <= newer:
                kept = at
            newer += self._runs[at].size
        self._merge(self._runs[kept:])

    def _taken_up(self) -> dict[Hashable, int]:
        """The numbers in memory; with the first use, those of the rows that came since the last run."""
        if self._recent is None:
            self._recent = {}
            ((most,),) = self._driver.query(f"SELECT coalesce(max(n), 0) FROM {self._table}")  # noqa: S608
            if most - self.last >= _RUN_AT:
                self._marks = None
                self._add_run(self.last + 1, most)
            else:
                where = self._index.where
                rows = f"SELECT {self._columns} FROM {self._table} t WHERE n > {self.last:d} AND {where} ORDER BY n"  # noqa: S608
                if found := self._driver.query(rows):
                    self._take_up([*zip(*found, strict=True)])
        return self._recent

    def _take_up(self, columns: Sequence[Sequence[Any]]) -> None:
        assert self._recent is not None  # noqa: S101 - the index is in use
        recent, numbers, kept = self._recent, columns[0], self._index.kept(columns[self._at])
        if self._marks is not None:
            self._mark(self._marks or Marks(_MARKS), kept, numbers[-1])
        if [*map(recent.setdefault, kept, numbers)] != [*numbers]:
            for value, number in zip(kept, numbers, strict=True):
                if (before := recent[value]) < number:
                    self._more.setdefault(value, []).append(before)
                    recent[value] = number
        self._newest = numbers[-1]

    def _end_run(self) -> None:
        """Make a run of the rows in memory."""
        assert self._recent is not None  # noqa: S101 - the index is in use
        self._add_run(self.last + 1, self._newest)
        self._recent.clear()
        self._more.clear()
        size = 2 * _RUN_AT
        while len(alike := [*takewhile(lambda run: run.size < size, reversed(self._runs))]) >= _MERGED_AT_ONCE:  # noqa: B023
            self._merge(alike[::-1])
            size *= _MERGED_AT_ONCE

    def _mark(self, marks: Marks, values: Iterable[Hashable], last: int) -> None:
        """Mark the values of rows, of whose numbers this is the last."""
        while len(marks) < last:
            marks.double()
        marks.mark(map(hash, values))
        self._marks = marks

    def _add_run(self, first: int, last: int) -> None:
        where = f"n BETWEEN {first:d} AND {last:d} AND {self._index.where}"
        self._write(f"SELECT {self._index.expression}, n FROM {self._table} WHERE {where}", first, last)  # noqa: S608

    def _merge(self, runs: list[_Run]) -> None:
        if len(runs) > 1:
            select = " UNION ALL ".join(f"SELECT value, n FROM {run.table}" for run in runs)  # noqa: S608
            self._write(select, runs[0].first, runs[-1].last)
            self._drop(runs)

    def _write(self, select: str, first: int, last: int) -> None:
        """Make a run of the rows of a query, which are of this range."""
        insert = sa.insert(tables.runs).values(of=self._index.name, first=first, last=last)
        number = self._driver.execute(insert).inserted_primary_key
        assert number is not None  # noqa: S101 - the table has one
        table = f"{self._index.name}_{number[0]}"
        form = " WITHOUT ROWID" if self._driver.is_sqlite else ""
        columns = f"value {self._type} NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (value, n)"
        self._driver.run(f"CREATE TABLE {table} ({columns}){form}")
        self._driver.run(f"INSERT INTO {table} (value, n) {select} ORDER BY 1, 2")
        self._runs.append(_Run(number[0], table, first, last))

    def _drop(self, runs: list[_Run]) -> None:
        """Drop runs, which hold hashes only: what they held is in another run, or is overwritten when it is needed."""
        numbers = [run.n for run in runs]
        self._driver.execute(sa.delete(tables.runs).where(tables.runs.c.n.in_(numbers)))
        with self._driver.free_pages_stay():
            for run in runs:
                self._driver.run(f"DROP TABLE {run.table}")
        self._runs = sorted((run for run in self._runs if run.n not in numbers), key=lambda run: run.first)
