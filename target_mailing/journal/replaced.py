"""Rows of a table of which there are newer ones: a bit for each in memory, and a list of numbers on disk."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import sqlalchemy as sa

from target_mailing.journal.statements import Driver

__all__ = ["Replaced"]


class Replaced:
    """Numbers of rows; the caller commits."""

    def __init__(self, driver: Driver, table: sa.Table) -> None:
        """Read the numbers from the table, which has some in each row."""
        self._driver = driver
        self._table = table
        self._bits = bytearray()
        #: The number of the first bit, a multiple of eight.
        self._first = 0
        self._load()

    @property
    def last(self) -> int:
        """A number that is not smaller than any of them."""
        return self._first + len(self._bits) * 8

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._bits)

    def __contains__(self, number: int) -> bool:
        """Whether a row has a newer one."""
        place = number - self._first
        return 0 <= place < len(self._bits) * 8 and bool(self._bits[place >> 3] >> (place & 7) & 1)

    def add(self, numbers: Sequence[int]) -> None:
        """Note rows that have a newer one now."""
        if numbers:
            self._set(numbers)
            self._driver.execute(sa.insert(self._table).values(numbers=array("q", numbers).tobytes()))

    def forget_before(self, number: int) -> None:
        """Forget smaller numbers, whose rows are no longer there."""
        numbers = self._numbers()
        kept = array("q", (one for one in numbers if one >= number))
        if len(kept) < len(numbers):
            self._driver.execute(sa.delete(self._table))
            self._bits, self._first = bytearray(), 0
            self.add(kept)

    def _load(self) -> None:
        self._set(self._numbers())

    def _numbers(self) -> array[int]:
        numbers = array("q")
        for some in self._driver.execute(sa.select(self._table.c.numbers).order_by(self._table.c.n)).scalars():
            numbers.frombytes(some)
        return numbers

    def _set(self, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        least, greatest = min(numbers), max(numbers)
        if not self._bits:
            self._first = least & ~7
        elif least < self._first:
            self._bits[:0] = bytes((self._first - (least & ~7)) >> 3)
            self._first = least & ~7
        self._bits.extend(bytes(max(0, (greatest - self._first >> 3) + 1 - len(self._bits))))
        for number in numbers:
            place = number - self._first
            self._bits[place >> 3] |= 1 << (place & 7)
