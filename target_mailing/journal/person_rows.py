"""The rows of a journal that are of one person; they are only read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from mailing_api.addresses import fold_address
from target_mailing.journal import payload, tables
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.reject import WRITTEN, Reject
from target_mailing.journal.rejects_file import key_properties
from target_mailing.journal.streams import names_by_place
from target_mailing.journal.traces import Traces
from target_mailing.rows.row import emails_of

__all__ = ["OpenReject", "PersonRows", "Sought"]

#: Rejects that are read together.
_TOGETHER: Final = 500


class Sought(msgspec.Struct, frozen=True):
    """Who is sought.

    Attributes:
        address: folded; None if only a key is known.
        spellings: of the address, as it may have been sent.
        keys: hashes that the person's key may have, at all destinations.
        by_address: names of the destinations where addresses identify contacts.
    """

    address: str | None
    spellings: Collection[str]
    keys: Collection[bytes]
    by_address: Collection[str]


class OpenReject(msgspec.Struct, frozen=True):
    """A rejected record that is kept to be sent again; the columns are those of the journal's table.

    Attributes:
        id: of its row in the journal.
        destination: the name of its destination.
        at: when it was rejected (Unix seconds).
        overtaken: true where something newer came, or may have come: it is not sent again.
    """

    id: int
    destination: str
    stream: str
    record: bytes
    code: str
    job: str | None
    attempt: int
    at: float
    key: bytes | None
    contact: int | None
    overtaken: bool | None

    @property
    def reject(self) -> Reject:
        """The same without its row; its reason is not kept."""
        return Reject(self.stream, self.record, self.code, "", self.job, self.attempt, self.at)


class PersonRows:
    """Finds what a journal has of one person.

    Attributes:
        hashes: of the journal.
    """

    def __init__(
        self, connection: sa.Connection, hashes: Hashes, reading: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Read a journal.

        Args:
            connection: to the journal, or to a copy.
            hashes: of the journal.
            reading: the context of each query, which turns its errors into the journal's.
        """
        self.hashes = hashes
        self._connection = connection
        self._reading = reading

    def streams(self) -> dict[str, list[str]]:
        """By destination's name, the names of the streams that runs delivered to it, as far as they are known."""
        with self._reading():
            return names_by_place(self._connection)

    def reject_folders(self) -> set[Path]:
        """The folders of rejects files that runs wrote."""
        with self._reading():
            files = self._connection.execute(sa.select(tables.known_rejects.c.file).distinct()).scalars()
            return {Path(file).parent for file in files}

    def rejects(self) -> Iterator[tuple[int, Reject]]:
        """Those that are in no file yet, with their numbers."""
        columns = [tables.rejects.c[name] for name in ("id", *WRITTEN)]
        with self._reading():
            for number, *values in self._connection.execute(sa.select(*columns)).all():
                yield number, Reject(*values)

    def open_rejects(self) -> Iterator[OpenReject]:
        """Those that may be sent again, in the order in which they were noted."""
        table = tables.open_rejects.c
        columns = [table[name] for name in OpenReject.__struct_fields__]
        last = 0
        while True:
            query = sa.select(*columns).where(table.id > last).order_by(table.id).limit(_TOGETHER)
            with self._reading():
                page = [OpenReject(*values) for values in self._connection.execute(query)]
            yield from page
            if len(page) < _TOGETHER:
                return
            last = page[-1].id

    def key_columns(self) -> dict[str, Sequence[str]]:
        """The columns of the key of streams that have open rejects."""
        with self._reading():
            rows = self._connection.execute(sa.select(tables.rejected_streams)).all()
            messages = {row.name: msgspec.json.decode(row.message, type=dict[str, Any]) for row in rows}
            return {
                name: key_properties(message.get("schema") or {}, message.get("key_properties"))
                for name, message in messages.items()
            }

    def find(self, sought: Sought) -> Traces:
        """What a person is known by.

        A former address of one of their keys is theirs, unless another key has it now. Asked by a key, other keys that
        have the same address are not theirs, although the address leaves the journal with all that was delivered to it.
        """
        with self._reading():
            traces = Traces(set(), {*sought.keys})
            if sought.address is not None:
                self._add_address(traces, sought.by_address, sought.address)
            self._add_keys(traces, sought)
            for email in [*traces.emails]:
                self._add_address(traces, sought.by_address, email)
            self._add_former(traces, sought)
            rows = self._rows(tables.keys, "contact", traces.contacts)
            traces.emails.update(row.email for row in rows if row.email)
            traces.ids = {row.name for row in self._rows(tables.names, "contact", traces.contacts)}
            traces.numbers = {row.n for row in self._rows(tables.contacts, "id", traces.contacts)}
            traces.shared = {row.key for row in self._rows(tables.shared_keys, "key", sought.keys)}
            addresses = {sought.address, *map(fold_address, traces.emails)}
            traces.under_way = [*self._under_way(traces, addresses)]
            return traces

    def _add_address(self, traces: Traces, destinations: Collection[str], address: str) -> None:
        folded = fold_address(address)
        traces.contacts.update(self.hashes.contact_ids(one)([folded])[0] for one in destinations)

    def _add_keys(self, traces: Traces, sought: Sought) -> None:
        """The keys that are in question, or have the address in question; with their addresses."""
        rows = [*self._rows(tables.keys, "id", sought.keys)]
        if sought.address is not None:
            rows += self._rows(tables.keys, "contact", traces.contacts)
            # At destinations, too, that neither the settings nor the journal know by name.
            is_spelled = sa.func.lower(tables.keys.c.email).in_([one.lower() for one in sought.spellings])
            rows += self._connection.execute(sa.select(tables.keys).where(is_spelled)).all()
        for row in rows:
            traces.keys.add(row.id)
            if row.email:
                traces.confirmed.add(row.id)
                traces.contacts.add(row.contact)
                traces.emails.add(row.email)

    def _add_former(self, traces: Traces, sought: Sought) -> None:
        """Other addresses that may be at the provider under one of the keys."""
        for row in self._rows(tables.possible_addresses, "key", traces.keys):
            ids = [row.contact]
            if sought.by_address and "@" in row.email:
                ids += [self.hashes.contact_ids(one)([fold_address(row.email)])[0] for one in sought.by_address]
            holders = self._rows(tables.keys, "contact", ids)
            if all(one.id in traces.keys or not one.email for one in holders):
                traces.contacts.update(ids)
                traces.emails.add(row.email)

    def _under_way(self, traces: Traces, addresses: Collection[str | None]) -> Iterator[int]:
        for batch in self._rows(tables.batches, "state", ["open"]):
            rows = payload.decoded(batch.action, batch.payload)
            emails = map(fold_address, emails_of(rows))
            if any(
                row.id in traces.contacts or not traces.keys.isdisjoint(row.own_keys) or email in addresses
                for row, email in zip(rows, emails, strict=True)
            ):
                yield batch.id

    def has_other(self, keys: Collection[bytes], traces: Traces) -> bool:
        """Whether one of these keys has an address that is not the person's."""
        with self._reading():
            rows = self._rows(tables.keys, "id", keys)
        return any(row.email and row.contact not in traces.contacts for row in rows)

    def open_rejects_of(self, traces: Traces) -> set[int]:
        """The numbers of those that may be sent again and have one of their keys or contacts."""
        table = tables.open_rejects.c
        where = sa.or_(table.key.in_([*traces.keys]), table.contact.in_([*traces.contacts]))
        with self._reading():
            return {*self._connection.execute(sa.select(table.id).where(where)).scalars()}

    def _rows(self, table: sa.Table, column: str, values: Collection[Any]) -> Sequence[sa.Row[Any]]:
        if not values:
            return []
        return self._connection.execute(sa.select(table).where(table.c[column].in_([*values]))).all()
