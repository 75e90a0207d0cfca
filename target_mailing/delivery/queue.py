"""One destination's rows between the input and its batches: what is unchanged, moved, deleted or to be sent."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from mailing_api.addresses import fold_address, is_reachable, other_spelling
from target_mailing.contacts.contact import MappedContact
from target_mailing.delivery.append_only import AppendOnly
from target_mailing.delivery.batcher import Batcher
from target_mailing.delivery.keys_under_way import KeysUnderWay
from target_mailing.delivery.opt_outs import OptOuts
from target_mailing.delivery.outcomes import End, Outcome, Outcomes
from target_mailing.delivery.row_size import Answered
from target_mailing.delivery.shared_keys import SharedKeys
from target_mailing.destination import AppendOnlyDestination, Destination, Refusal
from target_mailing.journal.journal import Journal, Known, Reject
from target_mailing.row import Row
from target_mailing.settings import StreamSettings

__all__ = ["DestinationQueue", "ReadyBatch", "pending_removals"]


class ReadyBatch(msgspec.Struct, frozen=True):
    """Rows that are to be sent now, by one action and one route."""

    action: str
    route: str
    rows: list[Row]


def pending_removals(rows: Iterable[Row]) -> list[tuple[bytes, str, int]]:
    """Keys of these rows with their former contacts, which are yet to be removed."""
    return [(key, old.email, old.id) for row in rows for old in row.followers for key in old.left_by]


class DestinationQueue:
    """The way of rows to one destination."""

    def __init__(
        self,
        destination: Destination,
        settings: StreamSettings,
        *,
        journal: Journal,
        outcomes: Outcomes,
        batches_at_once: int | None,
    ) -> None:
        """Make an empty queue.

        Args:
            destination: where rows go.
            settings: of the first stream that goes there.
            journal: the local memory.
            outcomes: is told how rows end.
            batches_at_once: batches under way at the same time; None for any number.
        """
        self.destination = destination
        self.settings = settings
        self._batches_at_once = batches_at_once
        self.recovering = 0
        self.under_way = 0
        self.answered = Answered()
        #: Rows of this run that arrived; and whether STATE waits until the run is closed.
        self.delivered = 0
        self.append_only = destination if isinstance(destination, AppendOnlyDestination) else None
        self.holds_state = self.append_only is not None and self.append_only.replaces_contents
        self.held: list[Row] = []
        self._journal = journal
        self._outcomes = outcomes
        self._keys = KeysUnderWay()
        self._ready: deque[ReadyBatch] = deque()
        self._remove = destination.actions.remove
        self._unsubscribe = destination.actions.unsubscribe
        self.opt_outs = OptOuts(destination, journal)
        self._has_opt_outs = self._remove in destination.actions.known
        self._removes_old = settings.on_key_change == "remove" and self._has_opt_outs
        self._old_first = destination.actions.old_first
        self._permanent: AppendOnly | None = None
        if self.append_only is not None:
            self._permanent = AppendOnly(self.append_only, journal, may_replace=self._removes_old)
        self._has_possible_addresses = False
        #: Removals that are off, because what was to replace them did not arrive.
        self._off: list[Row] = []
        self.shared_keys = SharedKeys(journal)
        self.batcher = Batcher(
            max_rows=settings.batch_rows,
            max_bytes=settings.batch_bytes,
            max_age=settings.batch_max_age,
            overlay=self._overlay,
        )

    def is_empty(self) -> bool:
        """Whether no row is here or on its way."""
        return not self.held and self.batcher.is_empty()

    def has_room(self) -> bool:
        """Whether one more batch may be under way."""
        return self._batches_at_once is None or self.under_way < self._batches_at_once

    def is_crowded(self) -> bool:
        """Whether no more rows should come for now."""
        return (
            bool(self._ready)
            or self.batcher.has_due()
            or self.batcher.waiting_rows >= self.settings.batch_rows
            or len(self.held) >= self.settings.batch_rows
        )

    def offer(self, rows: list[Row], now: float) -> None:
        """Take in rows, in order: each gets its outcome or joins a batch; `now` in monotonic seconds."""
        self.opt_outs.recall(rows)
        known = self._journal.contacts([row.id for row in rows if row.email])
        keys = [row.key for row in rows if row.key is not None]
        emails = self._journal.emails(keys) if keys else {}
        shared = self._journal.shared_keys.among(keys)
        self._has_possible_addresses = self._journal.has_possible_addresses
        settled: list[Row] = []
        rejects: list[Reject] = []
        ends: list[End] = []
        for row in rows:
            before = None if row.key is None else self._keys.coming_to(row.key) or emails.get(row.key)
            if row.key is not None and self._permanent is None:
                held = None if self._keys.is_leaving(row.key) else before  # whoever had it before is deleted
                if self.shared_keys.holds(row, held, shared):
                    row.is_of_shared_key, before = True, None
            if (end := self._prepare(row, before, known, rejects, now)) is None:
                self._keys.hold(row)
                self.batcher.add(row, now)
                continue
            ends.append(end)
            if row.key is not None and end[1] is Outcome.UNCHANGED and before != ("" if row.drops_key else row.email):
                settled.append(row)
                self._keys.hold(row)  # the journal is told below, and others of these rows may ask before
        if settled or rejects:
            self._journal.note_rows(unchanged=settled, rejects=rejects, pending_removals=pending_removals(settled))
            self._keys.let_go(settled)
        self._outcomes.settle_all(ends)

    def _prepare(
        self, row: Row, before: str | None, known: dict[int, Known], rejects: list[Reject], now: float
    ) -> End | None:
        """Make a row what is to be done for it, given its key's address before ("" if the key was gone); or its end."""
        if row.drops_key and (end := self._delete(row, before, known, rejects)) is not None:
            return end
        if self._permanent is not None and not row.email and row.key is not None:
            self._fill(row, before or f"?{row.key.hex()}")
        self.opt_outs.keep(row)
        row.drops_key = self._drops_key(row)
        if not (self._old_first or row.is_of_shared_key):
            self._wait_for_earlier(row, now)
        if self._permanent is not None:
            return None  # what becomes of it is told when all that came before it has ended
        if before and fold_address(before) != row.address:
            self._leave(row, before, now)
        if self._has_possible_addresses and not row.is_of_shared_key:
            self._leave_possible_addresses(row, before, now)
        if known and self._is_unchanged(row, known.get(row.id)):
            for old in row.followers:  # nothing is to be waited for
                self.batcher.unblock(old, now)
            return row.lines, Outcome.UNCHANGED, None
        self._leave_spelling(row, now)
        return None

    def _drops_key(self, row: Row) -> bool:
        """Whether a row's key has no contact afterwards; an opt-out that is recorded follows it to another address."""
        if row.action == self._unsubscribe:
            return not self.destination.actions.records_opt_outs
        return row.drops_key or row.action == self._remove

    def _delete(self, row: Row, before: str | None, known: dict[int, Known], rejects: list[Reject]) -> End | None:
        """Make the row of a key that is to leave a removal; or, where there is nothing to remove, its end."""
        assert row.key is not None  # noqa: S101 - only called for keyed rows
        actions = self.destination.actions
        if row.is_of_shared_key and not row.email:
            code, reason = "unknown_key", "a delete with only its key, which stands for several addresses"
            rejects.extend(Reject.of(row, code, reason))
            return row.lines, Outcome.REJECTED, code
        if not row.email or (before and not is_reachable(row.email)):
            before = before or next(iter(self._journal.possible_addresses(row.key)), before)
            if before is None and row.lost_address and (row.action == actions.remove or not row.reference):
                return row.lines, Outcome.SKIPPED, "no_address"
            if before is None and row.reference:
                before = f"?{row.key.hex()}"  # nobody here knows it, but the provider may
            if before is None:
                code, reason = "unknown_key", "a delete with only its key, which was never delivered from here"
                rejects.extend(Reject.of(row, code, reason))
                return row.lines, Outcome.REJECTED, code
            if not before:
                return row.lines, Outcome.UNCHANGED, None
            self._fill(row, before)
            known.update(self._journal.contacts([row.id]))
        if self._old_first and row.action == actions.remove and self._is_shared(row, row.key):
            own = self._own_address(row, before)
            if own is None and not self._keys.is_coming(row.key):
                return row.lines, Outcome.UNCHANGED, None
            if own is None:
                # The key's own contact is on its way, and will be remembered; only after that it is gone.
                row.action = actions.ask
                row.fingerprint = self._journal.fingerprint(row.action, row.contact)
            else:
                row.action = actions.remove if self._removes_old else actions.ask
                self._fill(row, own)
                known.update(self._journal.contacts([row.id]))
        return None

    def _own_address(self, row: Row, before: str | None) -> str | None:
        """An address beside the row's at which its key is or may be, and no other key."""
        assert row.key is not None  # noqa: S101 - only called for keyed rows
        for email in (before, *self._journal.possible_addresses(row.key)):
            if email and fold_address(email) != row.address:
                old = self._former(row, email, self._remove)
                if not self._is_shared(old, row.key):
                    return email
        return None

    def next_batch(self, *, ending: bool) -> ReadyBatch | None:
        """The next batch to send; one that is due may go as several. When ending, batches go whatever their size."""
        while not self._ready:
            if ending:
                self.batcher.close_all()
            due = self.batcher.next_due()
            if due is None:
                return None
            rows = self._still_to_send(list(due.rows.values()))
            parts = self.destination.parts(due.action, rows) if rows else ()
            self._ready.extend(ReadyBatch(due.action, route, part) for route, part in parts)
        return self._ready.popleft()

    def _still_to_send(self, rows: list[Row]) -> list[Row]:
        """A closed batch without the rows that turned out to have nothing to do.

        Overlaid content may be unchanged; and where a new contact comes before its former one leaves, only now it is
        known whether another key has that one.
        """
        if self._permanent is not None:
            judged = self._permanent.judge(rows)
            self._outcomes.settle_all(judged.ends)
            self.free(judged.ended, time.monotonic())
            return judged.going
        spared = [] if self._old_first else [row for row in rows if self._is_spared(row)]
        refused = self._refuse(rows)
        followed = self.opt_outs.followed
        changed = [row for row in rows if len(row.lines) > 1 or row.id in followed]
        if not changed and not spared and not refused:
            return rows
        known = self._journal.contacts([row.id for row in changed])
        unchanged, withheld = {id(row): row for row in spared}, {}
        for row in changed:
            if id(row) in refused:
                continue
            if self.opt_outs.is_withheld(row):
                withheld[id(row)] = row
            elif not row.followers and self._is_confirmed(row, known.get(row.id)):
                unchanged[id(row)] = row
        if unchanged:  # whose keys may have come to this address, or left it, just now
            self._journal.note_rows(unchanged=[*unchanged.values()], spared=spared)
        self._outcomes.settle_all([(row.lines, Outcome.UNCHANGED, None) for row in unchanged.values()])
        self._outcomes.settle_all([(row.lines, Outcome.WITHHELD, "opted_out_at_provider") for row in withheld.values()])
        ended = unchanged | withheld | refused
        self.free([*ended.values()], time.monotonic())
        return [row for row in rows if id(row) not in ended]

    def _refuse(self, rows: Sequence[Row]) -> dict[int, Row]:
        """End rows that would add people whose former address could not be asked about; by identity."""
        refusals = [(row, refusal) for row in rows if (refusal := self.opt_outs.refusal(row)) is not None]
        if refusals:
            self._journal.note_rows(
                rejects=[one for row, refusal in refusals for one in Reject.of(row, refusal.code, refusal.reason)]
            )
            self._outcomes.settle_all([(row.lines, Outcome.REJECTED, refusal.code) for row, refusal in refusals])
        return {id(row): row for row, _ in refusals}

    def free(self, rows: list[Row], now: float) -> None:
        """These rows have their outcome; others of their addresses, and their followers, may go now."""
        self._keys.let_go(rows)
        self.batcher.free([row.address for row in rows], now)
        for row in rows:
            if row.followers and row.id in self.opt_outs.followed:
                self.opted_out(row)
            for follower in row.followers:
                self.batcher.unblock(follower, now)
        if self._off:
            off, self._off = self._off, []
            for old in off:
                self.batcher.withdraw(old, now)
            self._outcomes.settle_all([(old.lines, Outcome.UNCHANGED, None) for old in off])

    def refused(self, row: Row, refusal: Refusal, now: float) -> None:
        """A row was not delivered: where old contacts leave after the new one came, they stay.

        Where they are handled before it, and may have opted out for all that is known, the new one does not come.
        """
        if not self._old_first:
            self._off.extend(row.followers)
            row.followers = ()
        elif refusal.is_unasked and row.followers:
            stopped = [one for one in self.opt_outs.stop(row, refusal) if one.blocked]
            self._keys.let_go(stopped)
            for one in stopped:
                self.batcher.withdraw(one, now)
                one.blocked = 0
            # The record is in the rejects file: it is this row's, too.
            self._outcomes.settle_all([(one.lines, Outcome.REJECTED, refusal.code) for one in stopped])

    def names(self, rows: Sequence[Row], *, removing: bool) -> dict[int, Sequence[str]]:
        """By position, what the provider calls the rows' contacts; when removing only what nobody else has."""
        known = self._journal.provider_ids([row.id for row in rows])
        if removing and known:
            holders = self._journal.holders(self.destination.name, [name for names in known.values() for name in names])
            known = {
                row.id: [name for name in known.get(row.id, ()) if not self._is_held(holders[name], row)]
                for row in rows
            }
        return {at: names for at, row in enumerate(rows) if (names := known.get(row.id))}

    def _is_held(self, holders: Mapping[int, Sequence[bytes]], row: Row) -> bool:
        """Whether a name that a row's contact has is another key's contact, too.

        A row that came is there under its new name for all keys of its contact, so that none needs an old one.
        """
        needing = [keys for contact, keys in holders.items() if row.action == self._remove or contact != row.id]
        return any(self._are_others(keys, row) for keys in needing)

    def _is_spared(self, row: Row) -> bool:
        """Whether a contact to be removed is that of a key that neither left it nor is about to."""
        return row.action == self._remove and self._are_others(self._journal.keys_of(row.id), row)

    def _are_others(self, keys: Iterable[bytes], row: Row) -> bool:
        """Whether any of these keys is not the row's, nor about to leave."""
        gone = {row.key, *row.also}
        return any(key not in gone and not self._keys.is_leaving(key) for key in keys)

    def opted_out(self, row: Row) -> None:
        """A row was withheld because its contact opted out: whoever follows it under a new address has, too."""
        following = self.opt_outs.follow(row)
        self._keys.let_go(following)
        for follower in following:
            follower.key = None

    def _fill(self, row: Row, email: str) -> None:
        contact = MappedContact(email, {}, {}, None, None, deleted=True)
        row.email = email
        row.address = fold_address(email)
        row.id = self._journal.contact_id(self.destination.name, row.address)
        row.contact = self.destination.encode(contact, row.action)
        row.fingerprint = self._journal.fingerprint(row.action, row.contact)

    def _leave_possible_addresses(self, row: Row, before: str | None, now: float) -> None:
        for email in self._journal.possible_addresses(row.key):
            if fold_address(email) not in {row.address, fold_address(before or "")}:
                self._leave(row, email, now)

    def _leave(self, row: Row, before: str, now: float) -> None:
        """The row's key had, or may have, another address: that one leaves or is kept, and tells of an opt-out."""
        if not self._has_opt_outs or row.key is None or row.action in self.destination.actions.account_wide:
            return
        old = self._former(row, before, self.destination.actions.remove)
        old.is_former = True
        if not self._old_first:
            self._leave_after(row, old, now)
            return
        if not self._removes_old or self._is_shared(old, row.key) or self._has_left(old):
            old = self._former(row, before, self.destination.actions.ask)
        self._outcomes.expect(row.lines[-1], 2)
        old.followers = (row,)
        row.blocked += 1
        self.batcher.add(old, now)

    def _leave_spelling(self, row: Row, now: float) -> None:
        """The same mailbox may be there by the other form of its domain: that contact leaves first, or is asked about.

        So there is one contact, and it is known whether it opted out.
        """
        actions, other = self.destination.actions, other_spelling(row.email)
        if other is None or self.destination.fields.ascii_only or not (self._has_opt_outs and self._old_first):
            return
        if row.action in {actions.ask, *actions.account_wide}:
            return
        removes = self._removes_old or row.action in {self._remove, self._unsubscribe}
        old = self._former(row, other, self._remove if removes else actions.ask)
        old.id = 0  # of no other contact: nothing is to be remembered of it
        old.followers = (row,)
        row.blocked += 1
        self._outcomes.expect(row.lines[-1], 2)
        self.batcher.add(old, now)

    def _leave_after(self, row: Row, old: Row, now: float) -> None:
        """The old contact of the row's key is removed after the row has come."""
        assert row.key is not None  # noqa: S101 - the old contact is known by it
        if self._removes_old:
            old.left_by = (row.key,)
            old.blocked += 1
            row.followers = (*row.followers, old)
            self._outcomes.expect(row.lines[-1], 2)
            self.batcher.add(old, now)

    def _wait_for_earlier(self, row: Row, now: float) -> None:
        """The row does not overtake what is on its way for its key at other addresses.

        That would leave the key at one of those; and what they remove may be the same contact to the provider.
        """
        if row.key is None:
            return
        for email in (self._keys.coming_to(row.key), self._keys.leaving_from(row.key)):
            if email is not None and fold_address(email) != row.address:
                gate = self._former(row, email, self.destination.actions.ask)
                gate.id = 0  # of no contact: nothing is to be remembered of it
                gate.followers = (row,)
                row.blocked += 1
                self._outcomes.expect(row.lines[-1], 2)
                self.batcher.add(gate, now)

    def _former(self, row: Row, email: str, action: str) -> Row:
        """What is done with the address that a row's key had before."""
        old = Row(
            lines=row.lines[-1:],
            stream=row.stream,
            key=None,
            drops_key=True,
            email="",
            address="",
            id=0,
            action=action,
            contact=b"",
            fingerprint=0,
            source=row.source,
        )
        self._fill(old, email)
        return old

    def _has_left(self, old: Row) -> bool:
        """Whether the removal was confirmed before, and its key's new address never was."""
        held = self.batcher.is_held(old.address)
        return not held and self._is_confirmed(old, self._journal.contacts([old.id]).get(old.id))

    def _is_shared(self, row: Row, key: bytes) -> bool:
        """Whether the contact is held by another key, too."""
        keys = self._keys
        if any(
            one != key and not keys.is_leaving(one) and not keys.is_coming(one) for one in self._journal.keys_of(row.id)
        ):
            return True
        return keys.others_coming_to(row.address, key)

    def _is_unchanged(self, row: Row, known: Known | None) -> bool:
        if known is None or row.blocked or self.batcher.is_held(row.address):
            return False
        if known.confirmed_at is None:
            row.resubmitted = known.fingerprint == row.fingerprint
            return False
        return self._is_confirmed(row, known)

    def _is_confirmed(self, row: Row, known: Known | None) -> bool:
        return (
            self.settings.send == "changed"
            and known is not None
            and known.fingerprint == row.fingerprint
            and known.is_confirmed_within(self.settings.resend_window)
        )

    def _overlay(self, earlier: Row, later: Row) -> Row:
        contact = self.destination.overlay(earlier.contact, later.contact)
        later.supersede(earlier)
        if contact != later.contact:
            later.contact = contact
            later.fingerprint = self._journal.fingerprint(later.action, contact)
        return later
