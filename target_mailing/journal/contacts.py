"""The contacts of a journal: what was confirmed of each, and by which streams it was put there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.arrivals import Arrivals
from target_mailing.journal.known import Known
from target_mailing.journal.replaced import Replaced
from target_mailing.journal.runs import Entry, Index
from target_mailing.journal.statements import Driver
from target_mailing.journal.streams import UNKNOWN, JournalStreams
from target_mailing.rows.row import Row

__all__ = ["JournalContacts"]

#: When a contact was confirmed of whose content nothing is certain: never, so that it is sent, and soon forgotten.
_NEVER: Final = -1.0


class JournalContacts:
    """Contacts by their keyed hashes; the caller commits.

    Attributes:
        table: its rows: number, contact, fingerprint, time of confirmation, bits of streams.
    """

    def __init__(self, driver: Driver, streams: JournalStreams) -> None:
        """Open the table."""
        self._driver = driver
        self._streams = streams
        replaced = Replaced(driver, tables.replaced_contacts)
        self.table = Arrivals(driver, tables.contacts, Index("contacts_by_id", "id"), replaced=replaced)

    def known(self, contacts: Sequence[int]) -> dict[int, Known]:
        """What is known of these."""
        found = self.table.find(contacts)
        return {contact: Known(fingerprint, at, streams) for _, contact, fingerprint, at, streams in found.values()}

    def count(self, destination: str) -> int:
        """How many a destination's streams, or streams that are not known, have put there."""
        here = tables.contacts.c.streams.bitwise_and(self._streams.all_bits(destination) | UNKNOWN)
        return self.table.count(here != 0)

    def note(
        self, destination: str, rows: Sequence[Row], confirmed_at: float | None, *, placed: bool | None = None
    ) -> None:
        """Note what these rows delivered, or may have delivered.

        Args:
            destination: of the rows.
            rows: of one batch.
            confirmed_at: when (Unix seconds); None if it is not certain.
            placed: whether they put their contacts there, or took them off; None where neither is certain.
        """
        newest = {row.id: row for row in rows}
        former = self.table.find([*newest], "write")
        entries: dict[int, Entry]
        if placed is False:
            entries = {contact: (contact, row.fingerprint, confirmed_at, 0) for contact, row in newest.items()}
        else:
            bits = self._bits(destination, newest.values(), former) if placed else dict.fromkeys(newest, 0)
            for contact, entry in former.items():
                bits[contact] |= entry[4]
            entries = {
                contact: (contact, row.fingerprint, confirmed_at, bits[contact]) for contact, row in newest.items()
            }
        self.table.replace(entries, former)

    def claim(self, destination: str, rows: Sequence[Row]) -> None:
        """These rows say what is there already: it was put there by their streams, too."""
        newest = {row.id: row for row in rows}
        former = self.table.find([*newest], "write")
        bits = self._bits(destination, newest.values(), former)
        self.table.replace(
            {contact: (*entry[1:4], entry[4] | bits[contact]) for contact, entry in former.items()}, former
        )

    def lacking(self, destination: str, rows: Iterable[tuple[Row, Known | None]]) -> list[Row]:
        """Those of rows whose contacts are known, but not that these were put there by the rows' streams."""
        bits = self._streams.bits(destination)
        return [row for row, known in rows if known is not None and bits[row.stream] & ~known.streams]

    def unsettle(self, contacts: Iterable[int]) -> None:
        """The contents of these are unknown now; by which streams they were put there is not."""
        former = self.table.find([*contacts], "write")
        self.table.replace({contact: (contact, 0, _NEVER, entry[4]) for contact, entry in former.items()}, former)

    def release(self, contacts: Iterable[int]) -> None:
        """These are no longer of any stream."""
        former = self.table.find([*contacts], "write")
        self.table.replace({contact: (*entry[1:4], 0) for contact, entry in former.items()}, former)

    def leave(self, destination: str, rows: Iterable[Row]) -> None:
        """These rows, if they have no key but their address, take contacts off that stay for others."""
        of_stream = self._streams.bits(destination)
        bits = {row.id: of_stream[row.stream] for row in rows if row.key is None and row.former_of is None}
        former = self.table.find([*bits], "write") if bits else {}
        self.table.replace(
            {contact: (*entry[1:4], entry[4] & ~bits[contact]) for contact, entry in former.items()}, former
        )

    def note_unconfirmed(self, contacts: Iterable[tuple[int, int]]) -> None:
        """These may have other content than was confirmed; each with a fingerprint."""
        fingerprints = dict(contacts)
        former = self.table.find([*fingerprints], "write")
        streams = {contact: entry[4] for contact, entry in former.items()}
        self.table.replace(
            {contact: (contact, one, None, streams.get(contact, 0)) for contact, one in fingerprints.items()}, former
        )

    def forget_before(self, moment: float, *, keeps_streams: bool) -> None:
        """Forget those that were confirmed before this time (Unix seconds).

        Args:
            moment: in the past.
            keeps_streams: keep those of which it is known by which streams they were put there.
        """
        table = tables.contacts.c
        where = [table.confirmed_at < moment]
        if keeps_streams:
            where.append(sa.or_(table.streams == 0, table.streams.bitwise_and(UNKNOWN) == UNKNOWN))
        bits = 0
        for streams in self._driver.execute(sa.select(table.streams).where(*where).distinct()).scalars():
            bits |= streams
        if bits & ~UNKNOWN:
            self._streams.forget(bits)
        self.table.forget(*where)

    def _bits(self, destination: str, rows: Iterable[Row], former: dict[int, Entry]) -> dict[int, int]:
        """By contact, the bits of the streams of a row; of one that is new here, whether it may not have been.

        Rows of a batch that an earlier run left no longer tell their stream.
        """
        of_stream = self._streams.bits(destination)
        bits = {row.id: of_stream[row.stream] or self._streams.of_earlier(destination) for row in rows}
        for row in filter(attrgetter("extras"), rows):
            for stream in row.streams:
                bits[row.id] |= of_stream[stream]
        for one in {*bits.values()}:
            if self._streams.others_forgotten(destination, one):
                bits = {contact: own | (own == one and contact not in former) for contact, own in bits.items()}
        return bits
