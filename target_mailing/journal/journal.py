"""The target's local memory: unfinished batches, their steps, and what was confirmed.

It holds contact data (the addresses of unfinished batches, rejects that are in no file yet, the address of each key),
so only its owner may read it; the addresses of a batch are erased when it is settled. Confirmed addresses and contents
are kept as keyed hashes only; the key is random and is in the journal, sealed if `journal_hash_key` is set.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from target_mailing.journal import former, tables
from target_mailing.journal.absent import Absent
from target_mailing.journal.batches import JournalBatches, StoredBatch
from target_mailing.journal.contact_names import ContactName, ContactNames
from target_mailing.journal.contacts import JournalContacts
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.held_resources import HeldResources
from target_mailing.journal.key_set import KeySet
from target_mailing.journal.keys import Keys
from target_mailing.journal.known import Known
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.open_rejects import OpenRejects
from target_mailing.journal.past_runs import PastRuns
from target_mailing.journal.recent_times import RecentTimes
from target_mailing.journal.reject import Reject
from target_mailing.journal.rejects import JournalRejects
from target_mailing.journal.removals import UNLIMITED, JournalRemovals
from target_mailing.journal.retention import Retention
from target_mailing.journal.run_contacts import RunContacts
from target_mailing.journal.seen_keys import SeenKeys
from target_mailing.journal.stores import JournalError, MemoryStore, Store
from target_mailing.journal.streams import JournalStreams
from target_mailing.journal.transactions import Transactions
from target_mailing.rows.row import Row
from target_mailing.rows.spool import Spool

__all__ = ["Journal", "JournalError", "Known", "Reject", "StoredBatch"]


class Journal:
    """One journal, held by one process at a time.

    Attributes:
        hashes: its keyed hashes.
        spool: beside it, what is under way in this run.
        shared_keys: keys that stood for several addresses at once in one run.
        returned_keys: keys that left an address and came back to it in one run.
        declined: topics that contacts declined which are not at the provider yet.
        possible_addresses: the addresses that may be at the provider under a key, besides its own.
        told: contacts that rows of this run opted out.
        absent: who is named by no line of the input.
        followed: contacts that this run does not subscribe, because the former address of their key opted out.
        held: keys and contacts of rows that wait until removals may be made.
        removals: contacts that are taken off, in this run and lately.
        rejects: rows that could not be delivered, on their way into a file.
        open_rejects: those of which nothing newer came since.
        deletions: of a stream at a destination (names), people whom its deleted rows take off.
        taken_off: those that were taken off before.
        recent_times: how long jobs took lately.
        past_runs: the runs up to now.
        retention: how long all this is remembered.
    """

    def __init__(self, store: Store, *, hash_key: str | None = None) -> None:
        """Open or make the journal.

        Args:
            store: its place; the journal closes it.
            hash_key: the secret that seals the key of its hashes, at least 16 characters; None for none.

        Raises:
            JournalError: another process holds it, it cannot be written, or `hash_key` is not as it was.
        """
        self._store = store
        self.spool = Spool(store.folder)
        transactions = Transactions(store)
        self._transaction, self._reading = write, read = transactions.write, transactions.read
        try:
            with self._reading():
                self._connection = transactions.open()
                self._meta = JournalMeta(self._connection, store.name)
                self._meta.check_tables()
                driver = transactions.driver
                if is_former := self._meta.is_former:
                    former.put_aside(driver)
                tables.make(self._connection)
                if is_former:
                    former.copy(driver)
                self._hash_key = self._meta.hash_key(hash_key)
                self.hashes = Hashes(self._hash_key)
                self._streams = streams = JournalStreams(self._connection, self.hashes)
                self.deletions, self.others_by_address = streams.deletions, streams.others_by_address
                self._contacts = JournalContacts(driver, streams)
                self._keys = Keys(self._connection, driver)
                self.possible_addresses = self._keys.possible_addresses
                if is_former:
                    former.take_over(driver, self._contacts.table, self._keys.table)
                    self._meta.note_format()
                self.open_rejects = opened = OpenRejects(
                    driver, self.hashes, self._keys, write, read, is_kept=not isinstance(store, MemoryStore)
                )
                self._batches = JournalBatches(self._connection, opened.numbering)
                if streams.closed_nothing:
                    opened.overtake_all()
                    streams.note_closing()
                self.rejects = JournalRejects(self._connection, self.hashes, write, read, opened)
                self.absent = Absent(driver, self._contacts, self._keys, streams, reading=read, writing=write)
                self.taken_off = self.absent.taken_off
                self._provider_ids = ContactNames(self._connection, tables.names, nullcontext)
                self.shared_keys = KeySet(self._connection, tables.shared_keys, self._reading)
                self.returned_keys = KeySet(self._connection, tables.returned_keys, self._reading)
                self.declined = ContactNames(self._connection, tables.declined, self._reading)
                self.told, self.followed = (RunContacts(self._connection, it, write) for it in ("told", "followed"))
                self.recent_times = RecentTimes(self._connection, write)
                self.past_runs = PastRuns(self._connection, write)
                self.held = HeldResources(self._connection, self._transaction)
                self.removals = JournalRemovals(self._connection, self._meta, self._transaction)
                parts = (self._meta, self._contacts, self._keys, self._batches, self.rejects, self.removals)
                self.retention = Retention(*parts, self.taken_off, self._transaction)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """A hash that tells this journal from others; "" for one that ends with the run."""
        return "" if isinstance(self._store, MemoryStore) else self.hashes.key_ids("", "journal")([b""])[0].hex()

    @property
    def is_new(self) -> bool:
        """Whether this run made it, so that it is empty."""
        return self._store.is_new

    @property
    def place(self) -> str:
        """Its place, for messages and logs."""
        return self._store.name

    def hold_list(self, name: str) -> str | None:
        """Lock a list, whose name is the same whatever settings lead to it, until `close`; as `Store.hold_list`."""
        with self._transaction():
            return self._store.hold_list(self._connection, name)

    def check(self) -> None:
        """Check that this run holds the journal and the lists that it locked there."""
        with self._transaction():
            self._store.prove()

    def seal(self, hash_key: str) -> bool:
        """Seal the key of the hashes, unless it is sealed; returns whether it was not."""
        with self._transaction():
            if self._meta.is_sealed:
                return False
            self._meta.seal(self._hash_key, hash_key)
        with self._transaction():
            self._store.overwrite(self._connection)
        return True

    def close(self) -> None:
        """Close the store."""
        if hasattr(self, "_connection"):
            self._connection.close()
        self._store.close()
        self.spool.close()

    # Hashes

    def contact_id(self, destination: str, address: str) -> int:
        """The keyed hash of a contact of a destination."""
        return self.hashes.contact_ids(destination)([address])[0]

    def fingerprint(self, action: str, contact: bytes) -> int:
        """The keyed hash of an action and the content that it delivers."""
        return self.hashes.fingerprints(action)([contact])[0]

    # Reading

    def contacts(self, ids: Sequence[int]) -> dict[int, Known]:
        """What is known of these contacts."""
        with self._reading():
            return self._contacts.known(ids)

    def lacking(self, destination: str, rows: Iterable[tuple[Row, Known | None]]) -> list[Row]:
        """Those of a destination's rows whose contacts are known, but not that the rows' streams put them there."""
        return self._contacts.lacking(destination, rows)

    def emails(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        """The address last delivered under each of these keys; "" for a key that was deleted since."""
        return {key: entry[2] for key, entry in self.noted_keys(keys).items()}

    def noted_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, tuple[Any, ...]]:
        """The number, the key, the address and the contact of each of these keys that is here."""
        with self._reading():
            return self._keys.table.find(keys)

    def seen_keys(self) -> SeenKeys:
        """Those that rows of one destination have from now on; none has come yet."""
        return self._keys.seen()

    def keys_of(self, contact: int) -> Sequence[bytes]:
        """The keys that a contact was last delivered under."""
        if (keys := self._keys.read_ahead.get(contact)) is not None:
            return keys
        with self._reading():
            return self._keys.of_one(contact)

    @property
    def has_possible_addresses(self) -> bool:
        """Whether any key has a possible address."""
        return self._keys.has_possible_addresses

    def provider_ids(self, contacts: Sequence[int]) -> dict[int, list[str]]:
        """The provider's IDs of these contacts."""
        with self._reading():
            return {contact: sorted(ids) for contact, ids in self._provider_ids.of(contacts).items()}

    def holders(self, destination: str, ids: Sequence[str]) -> dict[str, dict[int, Sequence[bytes]]]:
        """By provider's ID, the contacts of a destination that have it, each with the keys last delivered under."""
        with self._reading():
            holders = self._provider_ids.holders(ids, destination=self.hashes.destination_id(destination))
            keys = self._keys.of({contact for contacts in holders.values() for contact in contacts})
        return {name: {contact: keys[contact] for contact in contacts} for name, contacts in holders.items()}

    def known(self, destination: str) -> int:
        """How many contacts a destination has: those that its streams delivered lately and have not taken off since.

        Where no other destination has streams, those that keys have, if they are more.
        """
        with self._reading():
            here = self._contacts.count(destination)
            return max(here, self._keys.count()) if self._streams.has_only(destination) else here

    def unfinished(self, destination: str) -> list[StoredBatch]:
        """The batches of this destination that have no outcome yet, oldest first."""
        with self._reading():
            return self._batches.unfinished(destination, self.hashes.contact_ids(destination))

    def evidence(self, destination: str) -> list[dict[str, Any]]:
        """The evidence of all steps that are done of this destination's batches, settled batches included."""
        with self._reading():
            return self._batches.evidence(destination)

    # Writing

    def begin_batch(
        self,
        destination: str,
        action: str,
        route: str,
        rows: Sequence[Row],
        *,
        pending_removals: Iterable[tuple[bytes, str, int]] = (),
        kept: Sequence[int] = (),
        allowance: int | None = None,
    ) -> int:
        """Note a batch; returns its number. It is committed with its first step.

        `pending_removals` are as in `settle`; `kept` are positions of rows whose content is noted, too; `allowance` is
        for rows that take contacts off: what allowed it, 0 for the limit, UNLIMITED where there is none.
        """
        with self._transaction(commit=False):
            self._keys.note_pending_removals(pending_removals)
            if allowance == UNLIMITED:
                self.removals.note_unlimited(self.hashes.destination_id(destination), rows)
            elif allowance is not None:
                self.removals.note([row.id for row in rows], allowance=allowance)
            return self._batches.add(destination, action, route, rows, kept)

    def begin_step(self, batch: int, step: str) -> float:
        """Note that a step begins; returns the time noted (Unix seconds)."""
        with self._transaction():
            return self._batches.begin_step(batch, step)

    def end_step(
        self,
        destination: str,
        batch: int,
        step: str,
        evidence: dict[str, Any],
        *,
        ids: Iterable[ContactName] = (),
        dropped_ids: Iterable[ContactName] = (),
    ) -> None:
        """Note the evidence of a step of a destination's batch, and IDs that the provider gave contacts or dropped."""
        with self._transaction():
            self._batches.end_step(batch, step, evidence)
            self._provider_ids.add(ids, destination=self.hashes.destination_id(destination))
            self._provider_ids.drop(dropped_ids)

    def forget_step(self, batch: int, step: str) -> None:
        """Note that a step that was begun did certainly not happen."""
        with self._transaction():
            self._batches.forget_step(batch, step)

    def settle(
        self,
        batch: int,
        *,
        destination: str,
        action: str,
        route: str,
        outcomes: dict[str, int],
        placed: bool | None = None,
        confirmed: Sequence[Row] = (),
        uncertain: Sequence[Row] = (),
        forgotten: Iterable[int] = (),
        released: Iterable[int] = (),
        gone: Sequence[Row] = (),
        staying: Sequence[Row] = (),
        pending_removals: Iterable[tuple[bytes, str, int]] = (),
        rejects: Sequence[Reject] = (),
        settled: Sequence[Row] = (),
        recovered: bool = False,
        following: Sequence[Sequence[Row]] = (),
    ) -> list[int]:
        """Settle a batch, in one transaction: note its outcomes, erase its payload, make batches of undecided rows.

        Args:
            batch: its number.
            destination: of the batch.
            action: of the batch.
            route: of the batch.
            outcomes: rows by outcome.
            placed: whether its action puts contacts there, or takes them off; None where it does neither.
            confirmed: rows that arrived; the addresses of their keys are noted, or that the keys are deleted.
            uncertain: rows that may have arrived.
            forgotten: contacts whose content at the provider is unknown now.
            released: contacts that stay there although their streams do not name them.
            gone: as of `TakenOff.note`.
            staying: as of `TakenOff.note`.
            pending_removals: keys, each with a former address that is still to be removed, and its contact.
            rejects: rows for the rejects file.
            settled: rows that ended otherwise, which close open rejects.
            recovered: it is a batch of an earlier run: its other rows come again.
            following: rows that have no outcome yet, in batches.

        Returns:
            The numbers of the following batches.
        """
        now = time.time()
        with self._transaction():
            # Of a batch of this run, the rows have their lines.
            lines = self._batches.lines(batch) if recovered and not self.open_rejects.is_empty else None
            self._batches.close(batch, "settled", outcomes, now)
            self.taken_off.note(destination, gone, staying, now)
            self.taken_off.put_back(row.id for row in confirmed if placed)
            self._contacts.note(destination, confirmed, now, placed=placed)
            self._keys.confirm(confirmed)
            self._contacts.note(destination, uncertain, None)
            self._keys.note_uncertain(uncertain)
            self._keys.note_pending_removals(pending_removals)
            self._contacts.unsettle(forgotten)
            self._contacts.release(released)
            self.rejects.add(rejects)
            self.open_rejects.close(settled, lines)
            return [self._batches.add(destination, action, route, rows) for rows in following]

    def note_rows(
        self,
        *,
        destination: str = "",
        unchanged: Sequence[Row] = (),
        claims: Sequence[Row] = (),
        rejects: Sequence[Reject] = (),
        pending_removals: Iterable[tuple[bytes, str, int]] = (),
        spared: Sequence[Row] = (),
        settled: Sequence[Row] = (),
    ) -> None:
        """Note the outcomes of rows of a destination that need no batch; as in `settle`, but for these.

        `unchanged` are rows that change nothing at the provider: the addresses of their keys are noted; `claims`, rows
        whose contacts are there already, and were put there by their streams, too; `spared`, removals that are not
        sent, because another key has the address; `settled`, all rows that ended and are no rejects.
        """
        with self._transaction():
            self._keys.note(unchanged)
            self._contacts.claim(destination, claims)
            self._keys.note_pending_removals(pending_removals)
            self._keys.forget_possible(spared)  # which may be among them
            self._contacts.leave(destination, spared)
            self.rejects.add(rejects)
            self.open_rejects.close(settled)

    def discard(self, batch: int, *, uncertain: Sequence[Row] = (), asks: bool = False) -> None:
        """Forget a batch (its number) whose rows come again; `uncertain` may have arrived; `asks`: none changes."""
        with self._transaction():
            if not (asks or self.open_rejects.is_empty):
                self.open_rejects.close((), self._batches.lines(batch))
            self._batches.close(batch, "lost", {})
            self._contacts.note("", uncertain, None)
            self._keys.note_uncertain(uncertain)

    def note_unconfirmed(self, contacts: Iterable[tuple[int, int]]) -> None:
        """Note that these contacts may have other content than was confirmed; each with a fingerprint."""
        with self._transaction():
            self._contacts.note_unconfirmed(contacts)
