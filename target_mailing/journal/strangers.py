"""Members of a list whom an input does not name and no stream put there, as far as the journal knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.contacts import JournalContacts
from target_mailing.journal.keys import Keys
from target_mailing.journal.run_contacts import RunContacts
from target_mailing.journal.runs import Entry
from target_mailing.journal.statements import Driver, replace_rows, select_in
from target_mailing.journal.streams import UNKNOWN, JournalStreams

__all__ = ["ListedContact", "Strangers", "Unnamed"]


class ListedContact(msgspec.Struct, frozen=True, gc=False):
    """A member of a list.

    Attributes:
        contact: its keyed hash.
        email: in the provider's spelling.
    """

    contact: int
    email: str


class Unnamed(msgspec.Struct, frozen=True):
    """Members whom no line named, and of whom no absent contact of the journal is one.

    Attributes:
        strangers: those that may be taken off.
        waiting: how many stay because they are strangers for the first time.
        opted_out: how many others stay because the listing says that they opted out.
        others: how many stay because another stream, or one that is unknown, put them there.
    """

    strangers: Sequence[ListedContact]
    waiting: int
    opted_out: int
    others: int


class Strangers:
    """Tells them; while it is in use, everybody whom the input names is kept on disk.

    Attributes:
        last: the number of the journal's last contact when the run began: later ones are of this run.
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
        """Begin without keeping names."""
        self._driver = driver
        self._contacts = contacts
        self._keys = keys
        self._streams = streams
        self._reading = reading
        self._writing = writing
        self._named: RunContacts | None = None
        self._opted_out = RunContacts(driver.connection, "listed_opt_outs", writing)
        self.last = 0

    def begin(self) -> None:
        """Keep names from now on."""
        self._named = RunContacts(self._driver.connection, "named_contacts", self._writing)

    def name(self, contacts: Sequence[int]) -> None:
        """The input names these, or they are about to be taken off."""
        if self._named is not None:
            self._named.add_all(contacts)

    def is_first(self, destination: str, stream: str) -> bool:
        """Whether no earlier run that ended well was as far as this one, which is noted if it ends well.

        A journal without such a run may be new, in place of one that was lost.
        """
        self._streams.compares(destination, stream)
        return not self._streams.has_compared(destination, stream)

    def note_opt_outs(self, contacts: Sequence[int]) -> None:
        """A listing says that these opted out, in one spelling of their addresses at least."""
        self._opted_out.add_all(contacts)

    def opted_out(self, contacts: Sequence[int]) -> set[int]:
        """Those of these contacts of whom a listing says that."""
        return self._opted_out.look_up(contacts)

    def knows(self, keys: Sequence[bytes]) -> bool:
        """Whether each of these keys has an address by the journal."""
        with self._reading():
            emails = self._keys.emails(keys)
        return all(emails.get(key) for key in keys)

    def among(
        self,
        destination: str,
        stream: str,
        members: Sequence[ListedContact],
        *,
        removal: Callable[[str], int],
        twice: bool,
    ) -> Unnamed:
        """The unnamed among members of a list, for one stream that is to equal it.

        Args:
            destination: of the list.
            stream: its name in the input.
            members: some, in any order; of each contact the first one counts.
            removal: the fingerprint of what takes off an address.
            twice: only those who were strangers in the run before this one, too, which was whole.
        """
        with self._writing():
            bit = self._streams.bits(destination)[stream]
        if self._named is None or bit == UNKNOWN:
            return Unnamed((), 0, 0, 0)
        named = self._named.look_up([member.contact for member in members])
        unnamed = {member.contact: member for member in reversed(members) if member.contact not in named}
        has_opted_out = self.opted_out([*unnamed])
        with self._reading():
            known = self._contacts.table.find([*unnamed], "name")
            keyed = self._keys.of(unnamed)
            has_others = bool(self._streams.all_bits(destination) & ~bit)
        strangers: list[ListedContact] = []
        opted_out: list[int] = []
        others = 0
        for contact, member in unnamed.items():
            entry = known.get(contact)
            if entry is not None and entry[0] > self.last:
                continue  # it left by this run, or a batch of an earlier run put it there
            is_doubtful = entry is not None and entry[3] is None and entry[2] != removal(member.email)
            if _is_of_others(entry, bit, is_doubtful=has_others and (is_doubtful or bool(keyed[contact]))):
                others += 1
            elif entry is not None and entry[4] == bit and keyed[contact]:
                continue  # it is absent by the journal
            elif contact in has_opted_out:
                opted_out.append(contact)
            else:
                strangers.append(member)
        leaving = self._again(destination, stream, strangers) if twice else strangers
        self.name(opted_out)  # so that they are counted once
        return Unnamed(leaving, len(strangers) - len(leaving), len(opted_out), others)

    def offered(self, contacts: Sequence[int]) -> None:
        """These are about to be taken off. What the journal knows of them is out of date: others put them there."""
        self.name(contacts)
        with self._writing():
            self._contacts.unsettle(contacts)

    def end(self, destination: str, stream: str) -> None:
        """At the end of an input, whole or not: forget who was a stranger in an earlier run, but not in this one."""
        with self._writing():
            number, run = self._place(destination, stream)
            table = tables.strangers
            self._driver.execute(sa.delete(table).where(table.c.stream == number, table.c.run < run))

    def _again(self, destination: str, stream: str, members: Sequence[ListedContact]) -> list[ListedContact]:
        """Those of strangers who were some in the whole run before this one; all are noted for the next."""
        table = tables.strangers
        with self._writing():
            number, run = self._place(destination, stream)
            query = sa.select(table.c.contact).where(table.c.stream == number, table.c.run == run - 1)
            contacts = [member.contact for member in members]
            before = {one for (one,) in select_in(self._driver.connection, query, table.c.contact, contacts)}
            rows = [{"contact": contact, "stream": number, "run": run} for contact in contacts]
            replace_rows(self._driver.connection, table, rows)
        return [member for member in members if member.contact in before]

    def _place(self, destination: str, stream: str) -> tuple[int, int]:
        """The number of a stream, and of its run."""
        bit = self._streams.bits(destination)[stream]
        return bit.bit_length() - 1, self._streams.runs(destination, stream)


def _is_of_others(entry: Entry | None, bit: int, *, is_doubtful: bool) -> bool:
    """Whether another stream, or one that is unknown, put a contact there, or may have.

    That is in doubt of a contact that has a key, or was submitted without a result: the stream is not known.
    """
    return bool(entry[4] & ~bit) if entry is not None and entry[4] else is_doubtful
