"""The rows of a batch as its steps see them: read from disk when they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Final, overload

import msgspec

from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.packed_rows import PackedRows
from target_mailing.rows.row import Row, by_place, have_extras
from target_mailing.rows.spool import Kept

__all__ = ["SentRows"]

#: Places on disk whose contacts are in memory at a time: those of a usual batch.
_MOST: Final = 32


class SentRows(Sequence[EncodedContact]):
    """The contacts of some rows. For one thread at a time, which need not be the one that owns the rows."""

    def __init__(self, rows: Sequence[Row]) -> None:
        """Look at these rows; what is sent of them no longer changes."""
        self._count = len(rows)
        self._source = rows
        self._read: dict[Kept, list[EncodedContact]] = {}

    @cached_property
    def _rows(self) -> Sequence[Row]:
        source = self._source
        return source.made() if isinstance(source, PackedRows) else source

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[EncodedContact]:
        rows = iter(self._rows)
        for held, positions in by_place(self._rows):
            together = [*islice(rows, len(positions))]
            if isinstance(held, Kept) and not have_extras(together) and not any(row.resubmitted for row in together):
                contacts = self._read.get(held) or held.contacts()  # all are seen once, so none stay in memory
                yield from [contacts[at] for at in positions]
            else:
                yield from map(self._sent, together)

    @overload
    def __getitem__(self, at: int) -> EncodedContact: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[EncodedContact]: ...

    def __getitem__(self, at: int | slice) -> EncodedContact | Sequence[EncodedContact]:
        return SentRows(self._rows[at]) if isinstance(at, slice) else self._sent(self._rows[at])

    def _sent(self, row: Row) -> EncodedContact:
        contact, plan = self._contact(row), row.plan
        if row.resubmitted:
            contact = msgspec.structs.replace(contact, resubmitted=True)
        if plan is not None and plan.row is not row:
            contact = msgspec.structs.replace(contact, follower=self._contact(plan.row))
        return contact

    def _contact(self, row: Row) -> EncodedContact:
        held = row.held
        return held if isinstance(held, EncodedContact) else self._place(held)[row.position]

    def _place(self, kept: Kept) -> list[EncodedContact]:
        if kept not in self._read:
            if len(self._read) == _MOST:
                self._read.clear()
            self._read[kept] = kept.contacts()
        return self._read[kept]
