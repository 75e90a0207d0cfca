"""Whom an input names, and who of a stream is named by no line of it; in little memory, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.contacts import JournalContacts
from target_mailing.journal.keys import Keys
from target_mailing.journal.statements import Driver, replace_rows, select_in
from target_mailing.journal.strangers import Strangers
from target_mailing.journal.streams import UNKNOWN, JournalStreams
from target_mailing.journal.taken_off import TakenOff

__all__ = ["Absent", "AbsentContact"]

#: Contacts that are read at a time.
_TOGETHER: Final = 5000


class AbsentContact(msgspec.Struct, frozen=True):
    """A contact that no line named.

    Attributes:
        contact: its keyed hash.
        addresses: the keys that it has, each with its address; there may be none. One that no stream put there has an
            address without a key.
    """

    contact: int
    addresses: Sequence[tuple[bytes | None, str]]


class Absent:
    """The contacts that the journal had when the run began, and which of them the input named: a bit for each.

    Attributes:
        has_named: whether the input named any of those who were put there by the stream that `of` was last asked about.
        waiting: how many of them stay because they are absent for the first time.
        taken_off: contacts that deleted rows took off.
        strangers: members of lists whom the input did not name, and no stream put there.
    """

    def __init__(
        self,
        driver: Driver,
        contacts: JournalContacts,
        keys: Keys,
        streams: JournalStreams,
        *,
        reading: Callable[[], AbstractContextManager[None]],
        writing: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Begin with nobody named."""
        self._driver = driver
        self._contacts = contacts.table
        self._keys = keys
        self._streams = streams
        self._reading = reading
        self._writing = writing
        self.has_named = False
        self.waiting = 0
        #: The number of the last contact; later ones were confirmed in this run, so they are not absent. 0 until the
        #: first question.
        self._last = 0
        self._named = bytearray()
        #: The same for the rows of keys.
        self._last_key = 0
        self._named_keys = bytearray()
        self.strangers = Strangers(driver, contacts, keys, streams, reading=reading, writing=writing)
        self.taken_off = TakenOff(driver.connection, streams, contacts.table, keys)

    def begin(self) -> None:
        """Contacts that are confirmed from now on are not absent."""
        if not self._named:
            self._last = self.strangers.last = self._contacts.last
            self._named = bytearray((self._last >> 3) + 1)
            self._last_key = self._keys.table.last
            self._named_keys = bytearray((self._last_key >> 3) + 1)

    def name(self, contacts: Sequence[int], keys: Sequence[bytes]) -> tuple[bool, bool]:
        """The input names these contacts, and the people who have one of these keys.

        Returns:
            Whether a key was named before, as far as the journal knew it when the run began, or is here twice; and
            whether there are keys that the journal does not know.
        """
        self.begin()
        with self._reading():
            of_keys, rows = self._keys.named(keys) if keys else ([], [])
            named = dict.fromkeys([*contacts, *of_keys])
            numbers = [row[0] for row in self._contacts.find([*named], "name").values() if row[0] <= self._last]
        self.strangers.name([*named])
        for number in numbers:
            self._named[number >> 3] |= 1 << (number & 7)
        repeated = len({*keys}) < len(keys)
        for number in rows:
            if number <= self._last_key:
                repeated = repeated or bool(self._named_keys[number >> 3] >> (number & 7) & 1)
                self._named_keys[number >> 3] |= 1 << (number & 7)
        return repeated, len({*keys}) > len(rows)

    def begin_stream(
        self, destination: str, stream: str, form: bytes, *, names_lists: bool, by_address: bool = False
    ) -> bool:
        """As of `JournalStreams.begin`."""
        with self._writing():
            return self._streams.begin(destination, stream, form, names_lists=names_lists, by_address=by_address)

    def end_streams(self) -> None:
        """As of `JournalStreams.note_end`; it is forgotten who was absent of contacts that have left the journal."""
        with self._writing():
            self._streams.note_end()
            self.taken_off.put(self._streams.taken_off_before)
        self._forget_absent(self._left)

    def note_key_form(self, destination: str, stream: str, form: bytes) -> None:
        """As of `JournalStreams`."""
        with self._writing():
            self._streams.note_key_form(destination, stream, form)

    @property
    def name_lists(self) -> bool:
        """As of `JournalStreams`."""
        with self._reading():
            return self._streams.name_lists

    def is_new_version(self, destination: str, stream: str, version: int) -> bool:
        """As of `JournalStreams`; it is known afterwards, whatever becomes of the run."""
        with self._writing():
            return self._streams.is_new_version(destination, stream, version)

    def of(self, destination: str, stream: str, *, twice: bool) -> Iterator[list[AbsentContact]]:
        """Those who were put there by this stream and by no other, and were not named; some at a time.

        Args:
            destination: where they are.
            stream: its name in the input.
            twice: only those who were absent in the run before this one, too, which was whole.
        """
        self.begin()
        self.has_named, self.waiting = False, 0
        with self._reading():
            run = self._streams.runs(destination, stream)
        for numbers in self._absent(destination, stream):
            if twice:
                self.waiting += len(numbers)
                numbers = self._again(numbers, run)  # noqa: PLW2901 - the others are only noted
                self.waiting -= len(numbers)
            if numbers:
                with self._reading():
                    addresses = self._keys.addresses(numbers.values())
                yield [AbsentContact(contact, addresses[contact]) for contact in numbers.values()]

    def end(self, streams: Iterable[tuple[str, str]] = ()) -> None:
        """At the end of an input, whole or not: those whom it named are not absent for the second time next time.

        `streams` are those that were read, each with its destination before it.
        """
        for destination, stream in streams:
            self.strangers.end(destination, stream)
        self._forget_absent(lambda numbers: filter(self._is_named, numbers))

    def _forget_absent(self, find_gone: Callable[[Sequence[int]], Iterable[int]]) -> None:
        """Forget that contacts were absent, those whose numbers `find_gone` finds among some."""
        table, last = tables.absentees, 0
        query = sa.select(table.c.n).order_by(table.c.n).limit(_TOGETHER)
        while True:
            with self._writing():
                numbers = self._driver.execute(query.where(table.c.n > last)).scalars().all()
                if not numbers:
                    return
                if gone := [{"key_n": number} for number in find_gone(numbers)]:
                    self._driver.execute(sa.delete(table).where(table.c.n == sa.bindparam("key_n")), gone)
                last = numbers[-1]

    def _left(self, numbers: Sequence[int]) -> Iterable[int]:
        """Those of these numbers whose contacts have newer rows, or none."""
        n = tables.contacts.c.n
        present = {number for (number,) in select_in(self._driver.connection, sa.select(n), n, numbers)}
        return [number for number in numbers if number not in present or not self._contacts.is_current(number)]

    def _absent(self, destination: str, stream: str) -> Iterator[dict[int, int]]:
        """The contacts by number."""
        with self._writing():
            bit = self._streams.bits(destination)[stream]
        after, table = 0, tables.contacts.name
        while bit != UNKNOWN:
            with self._reading():
                found = self._driver.query(
                    f"SELECT n, id FROM {table} WHERE n > {after:d} AND n <= {self._last:d} AND streams = {bit:d} "  # noqa: S608
                    f"ORDER BY n LIMIT {_TOGETHER:d}"
                )
            if not found:
                return
            after = found[-1][0]
            self.has_named = self.has_named or any(self._is_named(n) for n, _ in found)
            absent = {n: contact for n, contact in found if not self._is_named(n) and self._contacts.is_current(n)}
            if absent:
                yield absent

    def _is_named(self, number: int) -> bool:
        named = self._named
        return number >> 3 < len(named) and bool(named[number >> 3] >> (number & 7) & 1)

    def _again(self, numbers: dict[int, int], run: int) -> dict[int, int]:
        """Those of these contacts that were absent in the whole run before this one; all are noted for the next."""
        table = tables.absentees
        query = sa.select(table.c.n).where(table.c.run == run - 1)
        with self._writing():
            before = {n for (n,) in select_in(self._driver.connection, query, table.c.n, [*numbers])}
            replace_rows(self._driver.connection, table, [{"n": n, "run": run} for n in numbers])
        return {n: contact for n, contact in numbers.items() if n in before}
