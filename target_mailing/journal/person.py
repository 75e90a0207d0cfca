"""What a journal knows of one person; it is only read, from a copy."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.batches import JournalBatches, StoredBatch
from target_mailing.journal.copied import CopiedStore
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.known import Known
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.person_rows import PersonRows
from target_mailing.journal.replaced import Replaced
from target_mailing.journal.store import FORMER_FORMAT
from target_mailing.journal.stores import FileStore, JournalInUseError, PostgresStore, Store
from target_mailing.journal.streams import UNKNOWN
from target_mailing.journal.transactions import Transactions
from target_mailing.rows.row import Resource

__all__ = ["Job", "KnownContact", "KnownKey", "Person", "PersonReader"]

#: Attempts to copy a journal that a run changes meanwhile, and seconds between two of them.
_TRIES: Final = 20
_PAUSE: Final = 0.1


class Job(msgspec.Struct, frozen=True):
    """A batch, and the provider's job for it.

    Attributes:
        action: of all of its rows.
        route: of the batch.
        job: the provider's IDs, the first job's first; None where there is no job, or none yet.
        began_at: when the batch was made (Unix seconds).
        has_ended: its rows have their outcomes.
    """

    action: str
    route: str
    job: str | None
    began_at: float
    has_ended: bool


class KnownKey(msgspec.Struct, frozen=True):
    """A key of the person.

    Attributes:
        is_deleted: its delete was delivered; the journal keeps no address of it.
        is_shared: it stood for several addresses at once, so it tells nobody's address.
    """

    is_deleted: bool = False
    is_shared: bool = False


class KnownContact(msgspec.Struct, kw_only=True):
    """One contact of the person at one destination.

    Attributes:
        email: as it was sent, or another identity; None where only its hash is known.
        keys: hashes of the keys that it was last delivered under.
        may_stay: hashes of keys under which it may be at the provider, besides their own addresses: True where its
            removal failed or waits.
        known: what was confirmed last; None for nothing.
        streams: names of the streams that put it there; "" for one whose name is not known.
        since: when the first run began that delivered it to a list that is replaced as a whole (Unix seconds).
        removed: when it was taken off lately (Unix seconds), and whether its key has another address.
        names: the provider's IDs.
        declined: topics that it declined and that the provider does not have yet.
        last: the batch that confirmed it last.
        under_way: batches without an outcome that have it.
        absent_from: names of streams whose last run was whole and did not name it, "" for one whose name is not known:
            it leaves if the next run does not, either.
    """

    email: str | None = None
    keys: list[bytes] = []
    may_stay: dict[bytes, bool] = {}
    known: Known | None = None
    streams: list[str] = []
    since: float | None = None
    removed: tuple[float, bool] | None = None
    names: list[str] = []
    declined: list[str] = []
    last: Job | None = None
    under_way: list[Job] = []
    absent_from: list[str] = []

    @property
    def is_known(self) -> bool:
        """Whether the journal has anything of it."""
        others = (self.names, self.declined, self.under_way, self.absent_from)
        return any((self.known, self.keys, self.may_stay, self.removed, *others))


class Person(msgspec.Struct, frozen=True):
    """One person at one destination.

    Attributes:
        keys: those of the keys in question that the journal has, by hash.
        contacts: by hash; the address in question, and all that these keys lead to.
    """

    keys: dict[bytes, KnownKey]
    contacts: dict[int, KnownContact]


class PersonReader:
    """Reads a copy of a journal, which ends with the reader.

    Attributes:
        is_there: there is such a journal.
        hashes: its keyed hashes.
        rows: finds what it has of one person.
    """

    hashes: Hashes
    rows: PersonRows

    def __init__(self, store: Store, *, hash_key: str | None) -> None:
        """Copy the journal.

        Args:
            store: its place; the reader closes it. One in memory holds nothing, and is not copied.
            hash_key: the setting `journal_hash_key`.

        Raises:
            JournalError: it cannot be read, `hash_key` is not as it was, or a run changes it all the time.
        """
        with ExitStack() as opened:
            for left in reversed(range(_TRIES)):
                try:
                    self._open(opened, store, hash_key)
                    break
                except JournalInUseError:
                    if not left:
                        raise
                    time.sleep(_PAUSE)
            self._opened = opened.pop_all()

    def _open(self, opened: ExitStack, store: Store, hash_key: str | None) -> None:
        copy = CopiedStore(store, "explanation") if isinstance(store, FileStore | PostgresStore) else store
        transactions = Transactions(copy)
        self._reading = transactions.read
        opened.enter_context(closing(copy))
        with self._reading():
            self._connection = connection = opened.enter_context(closing(transactions.open()))
            self.is_there = not copy.is_new
            meta = JournalMeta(connection, copy.name)
            meta.check_tables()
            if meta.is_former:
                raise copy.error(FORMER_FORMAT)
            tables.make(connection)  # in the copy
            self.hashes = Hashes(meta.hash_key(hash_key))
            self.rows = PersonRows(connection, self.hashes, self._reading)
            self._replaced = Replaced(transactions.driver, tables.replaced_contacts)
            self._batches = JournalBatches(connection)

    def close(self) -> None:
        """Remove the copy."""
        self._opened.close()

    def left(self, destination: str) -> set[Resource]:
        """Keys and contacts of batches without an outcome, which the next run follows to their end."""
        with self._reading():
            rows = [row for batch in self._batches.unfinished(destination) for row in batch.rows]
        return {one for row in rows for one in (row.id, row.key, *row.also) if one}

    def at(self, destination: str, address: str | None, keys: Collection[bytes]) -> Person:
        """What is known of a person at a destination.

        Args:
            destination: its name.
            address: folded; None if the person is known by key alone.
            keys: hashes that the person's key may have.
        """
        with self._reading():
            contacts: dict[int, KnownContact] = {}
            if address is not None:
                contacts[self.hashes.contact_ids(destination)([address])[0]] = KnownContact()
            found = self._keys(keys, contacts)
            batches = self._batches.unfinished(destination)
            for batch in batches:
                self._take_batch(batch, keys, contacts)
            self._take_rest(contacts)
            self._take_confirmed(destination, contacts)
            return Person(found, contacts)

    def _rows(self, table: sa.Table, column: str, values: Collection[Any]) -> Sequence[sa.Row[Any]]:
        """The rows whose column has one of these values: the copy has no index of some."""
        if not values:
            return []
        return self._connection.execute(sa.select(table).where(table.c[column].in_([*values]))).all()

    def _keys(self, keys: Collection[bytes], contacts: dict[int, KnownContact]) -> dict[bytes, KnownKey]:
        """Those of these keys that the journal has; their contacts are added."""
        found: dict[bytes, KnownKey] = {}
        for row in self._rows(tables.keys, "id", keys):
            found[row.id] = KnownKey(is_deleted=not row.email)
            if row.email:
                contacts.setdefault(row.contact, KnownContact())
        for row in self._rows(tables.possible_addresses, "key", keys):
            found.setdefault(row.key, KnownKey())
            contacts.setdefault(row.contact, KnownContact())
        for row in self._rows(tables.shared_keys, "key", keys):
            known = found.get(row.key, KnownKey())
            found[row.key] = msgspec.structs.replace(known, is_shared=True)
        return found

    def _take_batch(self, batch: StoredBatch, keys: Collection[bytes], contacts: dict[int, KnownContact]) -> None:
        """Take the rows of a batch without an outcome that are of the person."""
        for row in batch.rows:
            if row.id in contacts or row.key in keys:
                contact = contacts.setdefault(row.id, KnownContact())
                contact.email = contact.email or row.email or None
                evidence = [one for one in batch.steps.values() if one]
                contact.under_way.append(
                    Job(batch.action, batch.route, _job_in(evidence), batch.created_at, has_ended=False)
                )

    def _take_rest(self, contacts: dict[int, KnownContact]) -> None:
        """Take what other tables have of these contacts."""
        for row in self._rows(tables.keys, "contact", contacts):
            if row.email:
                contacts[row.contact].email = row.email
                contacts[row.contact].keys.append(row.id)
        for row in self._rows(tables.possible_addresses, "contact", contacts):
            contacts[row.contact].email = contacts[row.contact].email or row.email
            contacts[row.contact].may_stay[row.key] = row.stuck
        for row in self._rows(tables.removed, "contact", contacts):
            contacts[row.contact].removed = row.at, row.is_move
        for row in self._rows(tables.contents, "contact", contacts):
            contacts[row.contact].since = row.since or None
        for row in self._rows(tables.names, "contact", contacts):
            contacts[row.contact].names.append(row.name)
        for row in self._rows(tables.declined, "contact", contacts):
            contacts[row.contact].declined.append(row.name)

    def _take_confirmed(self, destination: str, contacts: dict[int, KnownContact]) -> None:
        """Take what was confirmed of these contacts."""
        numbers: dict[int, int] = {}
        for row in sorted(self._rows(tables.contacts, "id", contacts), key=lambda row: row.n):
            if row.n not in self._replaced:
                contact = contacts[row.id]
                contact.known = Known(row.fingerprint, row.confirmed_at, row.streams)
                contact.streams = self._names_of(destination, row.streams)
                contact.last = None if row.confirmed_at is None else self._settled(destination, row.confirmed_at)
                numbers[row.n] = row.id
        self._take_absent(destination, numbers, contacts)

    def _take_absent(self, destination: str, numbers: Mapping[int, int], contacts: dict[int, KnownContact]) -> None:
        """Take the streams that these contacts were absent from; `numbers` are those of their rows, each with its hash.

        What a run before the last one noted counts no longer.
        """
        streams = tables.streams
        query = sa.select(streams).where(streams.c.destination == self.hashes.destination_id(destination))
        last = {row.number: row for row in self._connection.execute(query)}
        for row in self._rows(tables.absentees, "n", numbers):
            contact = contacts[numbers[row.n]]
            bits = 0 if contact.known is None else contact.known.streams
            contact.absent_from += [
                one.name or "" for number, one in last.items() if bits >> number & 1 and one.runs == row.run
            ]
        for row in self._rows(tables.strangers, "contact", contacts):
            if row.stream in last and last[row.stream].runs == row.run:
                contacts[row.contact].absent_from.append(last[row.stream].name or "")

    def _names_of(self, destination: str, bits: int) -> list[str]:
        table = tables.streams
        query = sa.select(table).where(table.c.destination == self.hashes.destination_id(destination))
        named = [row.name or "" for row in self._connection.execute(query) if bits >> row.number & 1]
        return named if named or not bits & UNKNOWN else [""]

    def _settled(self, destination: str, moment: float) -> Job | None:
        """The batch of a destination that was settled at a moment (Unix seconds)."""
        table = tables.batches
        query = sa.select(table).where(table.c.destination == destination, table.c.settled_at == moment)
        batch = self._connection.execute(query.limit(1)).first()
        if batch is None:
            return None
        steps = tables.steps
        texts = self._connection.execute(
            sa.select(steps.c.evidence).where(steps.c.batch == batch.id).order_by(steps.c.begun_at)
        ).scalars()
        evidence = [msgspec.json.decode(text) for text in texts if text is not None]
        return Job(batch.action, batch.route, _job_in(evidence), batch.created_at, has_ended=True)


def _job_in(evidence: Sequence[dict[str, Any]]) -> str | None:
    """The provider's IDs of jobs in the evidence of steps, which are in order."""
    return ", ".join(dict.fromkeys(str(one["job"]) for one in evidence if one.get("job"))) or None
