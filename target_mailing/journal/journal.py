"""The target's local memory: what is on its way, how far it is, and what was confirmed.

It holds contact data (the addresses of unfinished batches, rejects not yet written, the address of each key), so it
is for its owner alone; a batch's addresses are erased when it is settled. Addresses and contents that were confirmed
are remembered as keyed hashes only; the key is random and lives in the journal, sealed by a setting if there is one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.batches import JournalBatches, StoredBatch
from target_mailing.journal.contact_ids import ContactIds, Named
from target_mailing.journal.declined import Declined
from target_mailing.journal.hash_table import HashTable
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.keys import Keys
from target_mailing.journal.known import Known
from target_mailing.journal.known_rejects import KnownRejects
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.stores import JournalError, MemoryStore, Store, damaged
from target_mailing.journal.unwritten_rejects import Reject, UnwrittenRejects
from target_mailing.row import Row

__all__ = ["Journal", "JournalError", "Known", "Reject", "StoredBatch"]


class Journal:
    """One journal, held by one process at a time."""

    def __init__(self, store: Store, *, hash_key: str | None = None) -> None:
        """Open or make the journal.

        Args:
            store: where it is kept; this journal closes it.
            hash_key: what the key of its hashes is sealed with, at least 16 characters; None for nothing.

        Raises:
            JournalError: another process holds it, it cannot be written, or `hash_key` is not as it was.
        """
        self._store = store
        try:
            with self._reading():
                self._connection = store.open()
                self._meta = JournalMeta(self._connection, store.name)
                self._meta.check_tables()
                tables.make(self._connection)
                self._hash_key = self._meta.hash_key(hash_key)
                self.hashes = Hashes(self._hash_key)
                self._batches = JournalBatches(self._connection)
                self._rejects = UnwrittenRejects(self._connection)
                self._contacts = HashTable(self._connection, tables.contacts, tables.contacts_log)
                self._keys = Keys(self._connection)
                self._names = ContactIds(self._connection)
                self._known_rejects = KnownRejects(self._connection)
                self.declined = Declined(self._connection, self._reading)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """A name that tells nothing but which journal it is; "" for one that ends with the run."""
        return "" if isinstance(self._store, MemoryStore) else self.hashes.key_id("", "journal")(b"").hex()

    @property
    def is_new(self) -> bool:
        """Whether it was made just now, so that it remembers nothing."""
        return self._store.is_new

    @property
    def place(self) -> str:
        """Where it is kept, for messages and logs."""
        return self._store.name

    def hold_list(self, name: str) -> str | None:
        """Keep runs with other journals in the same place from a list, as long as this one is open.

        Args:
            name: the list's, whatever settings lead there.

        Returns:
            The run that delivers to it now; None if there is none.
        """
        with self._transaction():
            return self._store.hold_list(self._connection, name)

    def seal(self, hash_key: str) -> bool:
        """Seal the key of the hashes of a journal from before; returns whether it stood open until now."""
        with self._transaction():
            is_open = not self._meta.is_sealed
            if is_open:
                self._meta.seal(self._hash_key, hash_key)
        if is_open:
            with self._transaction():
                self._store.overwrite(self._connection)
        return is_open

    def close(self) -> None:
        """Let go of the store."""
        if hasattr(self, "_connection"):
            self._connection.close()
        self._store.close()

    # Hashes

    def contact_id(self, destination: str, address: str) -> int:
        """The keyed hash under which a destination's contact is remembered."""
        return self.hashes.contact_id(destination)(address)

    def fingerprint(self, action: str, contact: bytes) -> int:
        """The keyed hash of what is done with a contact."""
        return self.hashes.fingerprint(action)(contact)

    # What is known

    def contacts(self, ids: Sequence[int]) -> dict[int, Known]:
        """What is known of these contacts."""
        with self._reading():
            return {one: Known(fingerprint, at) for one, fingerprint, at in self._contacts.find(ids).values()}

    def emails(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        """The address last delivered under each of these keys; "" for a key that is gone since."""
        with self._reading():
            return self._keys.emails(keys)

    def shared_keys(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of these keys that one run had with several addresses at once."""
        with self._transaction():
            return self._keys.shared(keys)

    def share_keys(self, keys: Iterable[bytes]) -> None:
        """Note that these keys, not known as such yet, stand for several addresses at once."""
        with self._transaction():
            self._keys.share(keys)

    def has_returned(self, key: bytes) -> bool:
        """Whether an earlier run ended in which this key left an address and came back to it."""
        with self._transaction():
            return self._keys.has_returned(key)

    def note_returned(self, keys: Iterable[bytes]) -> None:
        """Note that these keys, not known as such yet, left an address in this run and came back to it."""
        with self._transaction():
            self._keys.note_returned(keys)

    def keys_of(self, contact: int) -> Sequence[bytes]:
        """The keys that a contact was last delivered under."""
        with self._reading():
            return self._keys.of(contact)

    @property
    def has_possible_addresses(self) -> bool:
        """Whether any key has a possible address."""
        return self._keys.has_possible_addresses

    def possible_addresses(self, key: bytes | None) -> Sequence[str]:
        """Addresses that may be at the provider under a key, beside its own."""
        return self._keys.possible_addresses(key)

    def provider_ids(self, contacts: Sequence[int]) -> dict[int, list[str]]:
        """What the provider calls these contacts."""
        with self._reading():
            return self._names.of(contacts)

    def holders(self, destination: str, names: Sequence[str]) -> dict[str, dict[int, Sequence[bytes]]]:
        """By name, the contacts of a destination that are called so, each with the keys last delivered under."""
        with self._reading():
            found = self._names.contacts(self.hashes.destination_id(destination), names)
            return {name: {one: self._keys.of(one) for one in contacts} for name, contacts in found.items()}

    def unfinished(self, destination: str) -> list[StoredBatch]:
        """The batches of this destination that have no outcome yet, oldest first."""
        contact_id = self.hashes.contact_id(destination)
        with self._reading():
            found = self._batches.unfinished(destination)
            if any(row.id != contact_id(row.address) for batch in found for row in batch.rows):
                raise ValueError("an address that is not that of its hash")
        return found

    def evidence(self, destination: str) -> list[dict[str, Any]]:
        """What the steps of every batch of this destination noted when they were done, settled batches included."""
        with self._reading():
            return self._batches.evidence(destination)

    def evidence_of_others(
        self, destination: str, step: str, *, batch: int, since: float
    ) -> list[dict[str, Any] | None]:
        """What other batches of this destination noted of this step, begun since then; None for no end of it."""
        with self._reading():
            return self._batches.evidence_of_others(destination, step, batch=batch, since=since)

    # What happens

    def begin_batch(
        self,
        destination: str,
        action: str,
        route: str,
        rows: Sequence[Row],
        *,
        pending_removals: Iterable[tuple[bytes, str, int]] = (),
    ) -> int:
        """Note a batch that is about to be sent, on disk with its first step at the latest; returns its number.

        `pending_removals` are as in `settle`.
        """
        with self._transaction(commit=False):
            self._keys.keep(pending_removals)
            return self._batches.add(destination, action, route, rows)

    def begin_step(self, batch: int, step: str) -> float:
        """Note that a step is about to be taken; returns the time noted (Unix seconds)."""
        with self._transaction():
            return self._batches.begin_step(batch, step)

    def end_step(
        self,
        destination: str,
        batch: int,
        step: str,
        evidence: dict[str, Any],
        *,
        ids: Named = (),
        dropped_ids: Named = (),
    ) -> None:
        """Note what a step of a destination's batch brought, and what the provider calls contacts, or no longer."""
        text = msgspec.json.encode(evidence).decode()
        with self._transaction():
            self._names.add(self.hashes.destination_id(destination), ids)
            self._names.drop(dropped_ids)
            self._batches.end_step(batch, step, text)

    def forget_step(self, batch: int, step: str) -> None:
        """Note that a step begun did certainly not happen."""
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
        confirmed: Sequence[Row] = (),
        uncertain: Sequence[Row] = (),
        forgotten: Iterable[int] = (),
        pending_removals: Iterable[tuple[bytes, str, int]] = (),
        rejects: Sequence[Reject] = (),
        following: Sequence[Sequence[Row]] = (),
    ) -> list[int]:
        """In one transaction: a batch has its outcomes, its payload is erased, its undecided rows get new batches.

        Args:
            batch: its number.
            destination: of the batch.
            action: of the batch.
            route: of the batch.
            outcomes: how many rows ended how.
            confirmed: rows that the provider now certainly has; their keys are remembered, or that they are gone.
            uncertain: rows that the provider may have.
            forgotten: contacts of which nothing is certain any more.
            pending_removals: keys, each with a former address that is still to be removed, and its contact.
            rejects: rows for the rejects file.
            following: rows that have no outcome yet, as batches that take them on.

        Returns:
            The numbers of the following batches.
        """
        now = time.time()
        with self._transaction():
            self._batches.close(batch, "settled", outcomes)
            self._note_contacts(confirmed, now)
            self._keys.confirm(confirmed)
            self._note_contacts(uncertain, None)
            self._keys.doubt(uncertain)
            self._keys.keep(pending_removals)
            self._contacts.drop(forgotten)
            self._rejects.add(rejects)
            return [self._batches.add(destination, action, route, rows) for rows in following]

    def note_rows(
        self,
        *,
        unchanged: Sequence[Row] = (),
        rejects: Sequence[Reject] = (),
        pending_removals: Iterable[tuple[bytes, str, int]] = (),
        stay: Sequence[Row] = (),
    ) -> None:
        """Note what became of rows that need no batch.

        Args:
            unchanged: rows whose keys have their addresses, or are gone, with nothing to be done at the provider.
            rejects: rows for the rejects file.
            pending_removals: as in `settle`.
            stay: removals of addresses that are to stay, because another key has them.
        """
        with self._transaction():
            self._keys.note(unchanged)
            self._keys.stay(stay)
            self._keys.keep(pending_removals)
            self._rejects.add(rejects)

    def discard(self, batch: int, *, uncertain: Sequence[Row] = ()) -> None:
        """Forget a batch whose rows will come again.

        Args:
            batch: its number.
            uncertain: rows that the provider may have received.
        """
        with self._transaction():
            self._batches.close(batch, "lost", {})
            self._note_contacts(uncertain, None)
            self._keys.doubt(uncertain)

    def pending_rejects(self, most: int) -> list[tuple[int, Reject]]:
        """So many rejects at most that are not in a rejects file yet, oldest first, with their numbers."""
        with self._reading():
            return self._rejects.oldest(most)

    def reject_id(self, reject: Reject) -> int:
        """The keyed hash by which the same reject of the same row is known again."""
        return self.fingerprint("reject", b"\0".join((reject.stream.encode(), reject.code.encode(), reject.record)))

    def written_rejects(self, ids: Sequence[int]) -> dict[int, tuple[int, str]]:
        """Of these rejects those that are in a file that is still there, with their attempts and files."""
        with self._transaction():
            return self._known_rejects.of(ids)

    def erase_rejects(self, up_to: int, *, written: Iterable[tuple[int, int, str]] = ()) -> None:
        """These rejects are safe in a file; `written` has hash, attempt and file of each."""
        with self._transaction():
            self._known_rejects.note(written)
            self._rejects.erase(up_to)

    def keep_contacts(self) -> None:
        """From now on, in this run and all later ones, no contact is forgotten with time."""
        with self._transaction():
            self._meta.keep_contacts()

    def forget_before(self, moment: float) -> None:
        """Forget contacts confirmed, unless they are kept, and batches settled, before this time (Unix seconds).

        Keys that were deleted before are forgotten like contacts.
        """
        with self._transaction():
            if not self._meta.keeps_contacts:
                self._contacts.merge_if(lambda entry: entry[2] is not None and entry[2] < moment)
                self._connection.execute(sa.delete(tables.contacts).where(tables.contacts.c.confirmed_at < moment))
                self._keys.forget_before(moment)
            self._batches.forget_before(moment)
            self._known_rejects.forget_before(moment)

    # Plumbing

    @contextmanager
    def _transaction(self, *, commit: bool = True) -> Iterator[None]:
        """Read or write, and end the transaction, so that none stays open while the run waits."""
        try:
            yield
            if commit:
                self._connection.commit()
                self._store.check()
                if self._has_erased():
                    self._store.overwrite(self._connection)
        except self._store.errors as exc:
            self._roll_back()
            raise JournalError(
                f"Setting `journal`: {self._store.name} {self._store.failure(exc)}; nothing that is not noted there is "
                "acknowledged."
            ) from None
        except OverflowError as exc:  # a number that no version has written
            self._roll_back()
            raise damaged(self._store.name, exc) from None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Read, in a transaction; what is there may be anything."""
        try:
            with self._transaction():
                yield
        except (msgspec.MsgspecError, UnicodeError, AttributeError, LookupError, TypeError, ValueError) as exc:
            self._roll_back()
            raise damaged(self._store.name, exc) from exc

    def _has_erased(self) -> bool:
        """Whether an address left since the last time."""
        keys: Keys | None = getattr(self, "_keys", None)
        if keys is None or not keys.has_erased:
            return False
        keys.has_erased = False
        return True

    def _roll_back(self) -> None:
        with suppress(sa.exc.SQLAlchemyError, AttributeError):  # it may not even be open
            self._connection.rollback()

    def _note_contacts(self, rows: Sequence[Row], confirmed_at: float | None) -> None:
        self._contacts.put([(row.id, row.fingerprint, confirmed_at) for row in rows])
