"""What the journal knows of the rows being decided, and what it notes of them afterwards."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from target_mailing.delivery.outcomes import End, OutcomesAt
from target_mailing.interface.destination import Destination
from target_mailing.journal.journal import Journal, Known, Reject
from target_mailing.rows.outcome import Outcome
from target_mailing.rows.row import Row

__all__ = ["Facts"]


class Facts:
    """The journal, together with outcomes that are not noted in it yet.

    Nothing else writes to the journal until `note`.
    """

    def __init__(self, journal: Journal, destination: Destination, rows: Collection[Row] = ()) -> None:
        """Look up the keys and contacts of rows of a destination; others are looked up when needed."""
        self._journal = journal
        self._destination = destination
        self._claims: list[Row] = []
        #: Contacts of claims that are not noted yet, with the streams of these.
        self._claimed: dict[int, set[str]] = {}
        self._settled: list[Row] = []
        self._spared: list[Row] = []
        self._rejects: list[Reject] = []
        self._ended: list[Row] = []
        self._kept: list[tuple[bytes, str, int]] = []
        self._ends: list[End] = []
        self._unchanged: list[int] = []
        #: Contacts whose keys were read from the journal.
        self._contacts_read: set[int] = set()
        #: Contact by key settled or read here, 0 for none; and those keys by contact.
        self._contact_of: dict[bytes, int] = {}
        self._keys_of: dict[int, dict[bytes, None]] = {}
        #: Contacts of the rows.
        self.ids = [row.id for row in rows]
        #: Their keys.
        self.keys = [row.key for row in rows if row.key is not None]
        #: What is known of contacts that were looked up.
        self.contacts: dict[int, Known | None] = dict.fromkeys(self.ids)
        #: The addresses of keys that were looked up, as `email` returns them.
        self.emails: dict[bytes | None, str | None] = dict.fromkeys(self.keys)
        self._noted_keys: Mapping[bytes, tuple[Any, ...]] = {}
        #: Which of the contacts opted out by rows of this run, or were found to have opted out.
        self.opted_out: set[int] = set()
        #: Which of the keys stand for several addresses; those that prove to are added.
        self.shared_keys: set[bytes] = set()
        if self.ids:
            self.contacts.update(journal.contacts(self.ids))
            self.opted_out = journal.told.look_up(self.ids) | journal.followed.look_up(self.ids)
        if self.keys:
            self._noted_keys = journal.noted_keys(self.keys)
            self.emails.update((key, entry[2]) for key, entry in self._noted_keys.items())
            self.shared_keys = journal.shared_keys.among(self.keys)

    def known(self, contact: int) -> Known | None:
        """The journal's entry of a contact, if there is one."""
        if contact not in self.contacts:
            self.contacts[contact] = self._journal.contacts([contact]).get(contact)
        return self.contacts[contact]

    def email(self, key: bytes) -> str | None:
        """The address of a key; "" if the key is gone, None if it is unknown."""
        if key not in self.emails:
            self.emails[key] = self._journal.emails([key]).get(key)
        return self.emails[key]

    def key_number(self, key: bytes | None) -> int | None:
        """The number of a row's key in the journal, if it is there."""
        entry = self._noted_keys.get(key) if key is not None else None
        return None if entry is None else entry[0]

    def key_numbers(self, rows: Sequence[Row]) -> Iterable[int]:
        """Those of rows whose keys are in the journal."""
        noted = self._noted_keys
        keys = [row.key for row in rows if row.key is not None] if noted else ()
        return [noted[key][0] for key in keys if key in noted]

    def keys_of(self, contact: int) -> Iterable[bytes]:
        """The keys of a contact."""
        if contact not in self._contacts_read:
            self._contacts_read.add(contact)
            for key in self._journal.keys_of(contact):
                if self._contact_of.setdefault(key, contact) == contact:
                    self._keys_of.setdefault(contact, {})[key] = None
        return self._keys_of.get(contact, ())

    def is_held(self, row: Row, gone: Collection[bytes], *, is_move: bool = False) -> bool:
        """Whether a row's contact stays for somebody else.

        Another key has it; or, where the row's key only moves to another contact, rows of another stream put it there
        that have no key but their address.

        Args:
            row: takes the contact off.
            gone: keys that leave it.
            is_move: the row's key is not deleted, but has another contact.
        """
        if any(key not in gone for key in self.keys_of(row.id)):
            return True
        others = self._journal.others_by_address(self._destination.name, row.stream) if is_move else 0
        if not others:
            return False
        known = self.known(row.id)
        claimed = self._claimed.get(row.id, ())
        bits = self._journal.others_by_address
        return bool(known is not None and known.streams & others) or any(
            others & ~bits(self._destination.name, stream) for stream in claimed
        )

    def possible_addresses(self, key: bytes | None) -> Sequence[str]:
        """Addresses that a key may have beside its own."""
        return self._journal.possible_addresses(key)

    def end(self, row: Row, outcome: Outcome, code: str | None = None, reason: str | None = None) -> None:
        """A row ends; with a reason, it is a reject."""
        self._ends.append((row.lines, outcome, code))
        if reason is not None:
            self._rejects.extend(Reject.of(row, self._destination.name, code or "", reason))
        elif outcome is not Outcome.REJECTED:
            self._ended.append(row)

    def end_unchanged(self, rows: Sequence[Row]) -> None:
        """Rows without extras end, because the provider has them as they are."""
        self.claim(rows)
        self._ended.extend(rows)
        for row in rows:
            if row.key is not None and self.emails[row.key] != row.email:
                self.settle(row)
            self._unchanged.append(row.line)

    def claim(self, rows: Sequence[Row]) -> None:
        """The contacts of rows are as these say: they were put there by the rows' streams, too, if these add."""
        name, places = self._destination.name, self._destination.actions.places
        lacking = self._journal.lacking(name, [(row, self.known(row.id)) for row in rows])
        for row in lacking:
            if places(row.action):
                self._claims.append(row)
                self._claimed.setdefault(row.id, set()).add(row.stream)

    def settle(self, row: Row) -> None:
        """The keys of a row that ends as unchanged have its address, or are gone."""
        for key in _keys(row):
            self.emails[key] = "" if row.drops_key else row.email
            self._keys_of.get(self._contact_of.get(key, 0), {}).pop(key, None)
            self._contact_of[key] = 0 if row.drops_key else row.id
            if not row.drops_key:
                self._keys_of.setdefault(row.id, {})[key] = None
        self._settled.append(row)

    def spare(self, row: Row) -> None:
        """A removal is not sent, because another key has the contact."""
        self._spared.append(row)

    def keep(self, removals: Iterable[tuple[bytes, str, int]]) -> None:
        """Keys with former addresses that are still to be removed."""
        self._kept.extend(removals)

    def note(self, outcomes: OutcomesAt) -> None:
        """Write to the journal how rows end, then report it."""
        if not self._rejects and self._journal.open_rejects.is_empty:
            self._ended.clear()  # there is nothing to close
        if self._settled or self._rejects or self._spared or self._claims or self._ended:
            self._journal.note_rows(
                destination=self._destination.name,
                unchanged=self._settled,
                claims=self._claims,
                rejects=self._rejects,
                pending_removals=self._kept,
                spared=self._spared,
                settled=self._ended,
            )
        outcomes.settle_all(self._ends)
        outcomes.settle_alike(self._unchanged, Outcome.UNCHANGED, None)


def _keys(row: Row) -> Iterable[bytes]:
    return row.also if row.noted_key is None else (row.noted_key, *row.also)
