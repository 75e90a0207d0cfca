"""What is done for a row when all rows before it have ended: nothing, or actions for it and its key's addresses."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence

from mailing_api.addresses import fold_address, is_reachable, other_spelling
from target_mailing.delivery.address_rows import AddressRows
from target_mailing.delivery.append_only import AppendOnly
from target_mailing.delivery.ended import Ended
from target_mailing.delivery.facts import Facts
from target_mailing.delivery.opt_outs import OptOuts
from target_mailing.interface.destination import AppendOnlyDestination, Destination
from target_mailing.journal.journal import Journal, Known
from target_mailing.journal.known import confirmed_within
from target_mailing.rows.outcome import Outcome
from target_mailing.rows.row import Plan, Resource, Row
from target_mailing.settings.settings import StreamSettings

__all__ = ["Decisions"]


class Decisions:
    """Decides rows of one destination, each when every row before it of its keys and contacts has ended."""

    def __init__(self, destination: Destination, settings: StreamSettings, journal: Journal, opt_outs: OptOuts) -> None:
        """Decide by the destination, the settings, the journal and the opt-outs.

        Args:
            destination: of the rows.
            settings: of the first stream that goes there.
            journal: makes fingerprints.
            opt_outs: of the run.
        """
        self._destination = destination
        self._addresses = AddressRows(destination, journal)
        self._actions = destination.actions
        self._settings = settings
        self._journal = journal
        self._opt_outs = opt_outs
        self._began = time.time()
        self._can_remove = self._actions.remove in self._actions.known
        self._removes_old = settings.on_key_change == "remove" and self._can_remove
        self.append_only = (
            AppendOnly(destination, journal, may_replace=self._removes_old)
            if isinstance(destination, AppendOnlyDestination)
            else None
        )

    def unknown_address(self, key: bytes) -> str:
        """The placeholder for the address of a key that only the provider may know."""
        return f"?{key.hex()}"

    def decide(self, row: Row, facts: Facts) -> Ended | list[Row]:
        """How a row ends without a call; otherwise the rows for other addresses of its key."""
        before = None if row.key is None or row.is_of_shared_key else facts.email(row.key)
        if row.drops_key and (end := self._delete(row, before, facts)) is not None:
            return end
        if self.append_only is not None:
            if not row.email and row.key is not None:
                self._addresses.fill(row, before or self.unknown_address(row.key))
            self.arrive(row)
            return self.append_only.end(row, facts) or []
        formers = self._formers(row, before, facts) if self._actions.old_first else []
        if formers:
            return [*formers, *self._respelled(row, formers)]
        self.arrive(row)
        if (end := self._without_call(row, facts)) is not None:
            return end
        if not self._actions.old_first:
            formers = self._formers(row, before, facts)
        if self._is_unchanged(row, facts.known(row.id)):
            if row.key is not None and before != ("" if row.drops_key else row.email):
                facts.settle(row)
            if not formers:
                return Ended(Outcome.UNCHANGED)
        formers.extend(self._respelled(row, ()))
        return formers

    def _without_call(self, row: Row, facts: Facts) -> Ended | None:
        if self._opt_outs.is_withheld(row):
            return Ended(Outcome.WITHHELD, "opted_out_at_provider")
        if not self.is_spared(row, facts):
            return None
        facts.settle(row)
        facts.spare(row)
        return Ended(Outcome.UNCHANGED)

    def early(self, row: Row, waits_for: set[Resource], facts: Facts) -> list[Row]:
        """The rows for other addresses of a row's key, if its first actions touch nothing for which it waits.

        They depend on no row before it then. Without such addresses, or where a row must wait, there are none.
        """
        if row.key is None or row.is_of_shared_key or row.drops_key or self.append_only is not None:
            return []
        adds = self._opt_outs.may_subscribe(row) or row.action in self._actions.respectful
        if not adds or self.may_have_other_spelling(row):
            return []
        if self._actions.old_first:
            formers = self._formers(row, facts.email(row.key), facts) if waits_for == {row.id} else []
            return [] if self._respelled(row, formers) else formers
        if not waits_for <= {old.id for old in self._formers(row, facts.email(row.key), facts)}:
            return []
        decision = self.decide(row, facts)
        return [] if isinstance(decision, Ended) else decision

    def arrive(self, row: Row, opted_out: Iterable[Row] = ()) -> None:
        """A row is first at its contact: opt-outs of the rows before it hold for it.

        Args:
            row: with its contact.
            opted_out: former contacts of its key that opted out.
        """
        self._opt_outs.keep(row)
        row.drops_key = self._drops_key(row)
        for old in opted_out:
            self._opt_outs.follow(old, row)

    def end_of(self, row: Row, plan: Plan, facts: Facts) -> tuple[Outcome, str | None] | None:
        """How a later row of a plan ends without a call, if it does."""
        is_confirmed = self.is_confirmed(row, facts.known(row.id))
        if row is plan.row:
            if plan.refusal is not None and self._opt_outs.may_subscribe(row):
                return Outcome.REJECTED, plan.refusal.code  # the record is in the rejects file: it is this row's, too
            if self._opt_outs.is_withheld(row):
                return Outcome.WITHHELD, "opted_out_at_provider"
            is_confirmed = is_confirmed and row.id in self._opt_outs.followed  # an earlier run sent the opt-out
        elif self.is_spared(row, facts):
            facts.spare(row)
            is_confirmed = True
        if not is_confirmed:
            return None
        facts.settle(row)
        return Outcome.UNCHANGED, None

    def later_formers(self, later: Row, row: Row, facts: Facts) -> list[Row]:
        """The rows for other addresses of the key of a row that supersedes another one, where they come after it."""
        if self._actions.old_first or later.key is None or later.key == row.key or later.key in row.also:
            return []
        return self._formers(later, facts.email(later.key), facts)

    def may_supersede(self, later: Row, row: Row, facts: Facts) -> bool:
        """Whether a row needs only the action of an earlier row of its contact."""
        if not later.email or later.drops_key or later.id != row.id:
            return False
        has_reject = row.plan is not None and row.plan.has_reject  # which has the content of the earlier row
        is_other = self._opt_outs.action_of(later) != row.action or self._opt_outs.is_withheld(later)
        if has_reject or is_other or self.may_have_other_spelling(later):
            return False
        key = later.key
        if later.plan is not None:
            return later.plan.is_clean
        is_appended = self.append_only is not None  # where a key that has another contact cannot change
        if key is None or later.is_of_shared_key or not (self._actions.old_first or is_appended):
            return True
        if key == row.key or key in row.also:
            return True
        before = facts.email(key)
        return not facts.possible_addresses(key) and (not before or fold_address(before) == row.address)

    def leaving(self, row: Row, facts: Facts) -> dict[int, bool]:
        """The contacts that a row, which is first everywhere, takes off and that count; asked once for each row.

        Returns:
            Whether each is only moved from, because the row's key has another address.
        """
        if row.is_absent:
            return {row.id: False}
        if self.append_only is not None:
            return {}
        before = None if row.key is None or row.is_of_shared_key else facts.email(row.key)
        # Where the new contact comes first, the former one leaves only after that, so nobody is missing.
        formers = self._formers(row, before, facts) if self._actions.old_first else []
        moves = [old for old in formers if old.action == self._actions.remove and self._is_on(old, facts)]
        leaving = {old.id: True for old in moves if row.key is None or not facts.is_held(old, {row.key})}
        if row.action != self._actions.remove:
            return leaving
        own = self._removed_by(row, before, facts)
        if own is None or self._opt_outs.action_of(own) != own.action:
            return leaving
        deletions, known = self._journal.deletions(self._destination.name, row.stream), facts.known(own.id)
        if not self._is_on(own, facts):
            deletions.was_done(own.id, None if known is None else known.confirmed_at)
            return leaving
        stays = self._journal.taken_off.stays(own.id)  # as far as is known: the provider is asked again
        counts = not stays and deletions.counts(is_known=self._is_known(row, before, own, facts))
        return {**leaving, own.id: False} if counts else leaving

    def may_leave(self, row: Row, last: int | None, facts: Facts) -> dict[int, bool]:
        """The contacts that a row may take off at most, where rows of its key or contact go before it.

        Args:
            row: waits behind them.
            last: the contact that its key will have by those rows, 0 for none; None if they have other keys.
            facts: what the journal knows now.
        """
        if self.append_only is not None:
            return {}
        removes = row.action == self._actions.remove
        leaving = {row.id: False} if removes and row.email else {}
        if row.key is None or row.is_of_shared_key or not (self._removes_old or removes):
            return leaving
        emails = [*facts.possible_addresses(row.key), *([facts.email(row.key)] if last is None else [])]
        contacts = [self._addresses.former(row, email, self._actions.remove).id for email in emails if email]
        if last:
            contacts.append(last)
        moved = [contact for contact in contacts if contact != row.id and (removes or self._actions.old_first)]
        return {**{contact: not removes or bool(row.email) for contact in moved}, **leaving}

    def _is_known(self, row: Row, before: str | None, own: Row, facts: Facts) -> bool:
        """Whether key or contact of a deleted row may have been delivered; not if that was forgotten."""
        return bool(
            row.is_of_shared_key or before or facts.possible_addresses(row.key) or facts.known(own.id) is not None
        )

    def _removed_by(self, row: Row, before: str | None, facts: Facts) -> Row | None:
        """The contact that a removal removes, as a row of its own; None if it ends without that."""
        actions, email = self._actions, row.email
        if row.drops_key and row.key is not None and (not email or (before and not is_reachable(email))):
            if row.is_of_shared_key and not email:
                return None
            email = before or next(iter(facts.possible_addresses(row.key)), "")
            if before is None and not email and row.contact.reference and not row.lost_address:
                email = self.unknown_address(row.key)
        own = self._addresses.former(row, email, actions.remove) if email else None
        if own is None or row.key is None or not facts.is_held(own, row.contact_keys):
            return own
        if actions.old_first and row.drops_key and self._removes_old:
            other = self._own_address(row, before, facts)
            return None if other is None else self._addresses.former(row, other, actions.remove)
        return own if actions.old_first and not row.drops_key else None

    @staticmethod
    def _is_on(old: Row, facts: Facts) -> bool:
        """Whether a contact may be on the list: its removal is not the latest that is known of it."""
        known = facts.known(old.id)
        return known is None or known.fingerprint != old.fingerprint or known.confirmed_at is None

    def leaves(self, row: Row, contact: Resource, others: set[bytes] | None, facts: Facts) -> bool:
        """Whether a row only moves its key from a contact to another one, and the contact stays.

        Args:
            row: waits for nothing but the contact.
            contact: was asked about.
            others: keys that have the contact, and are not moving; None if the contact opted out, and stays for that.
            facts: what the journal knows.
        """
        key = row.key
        if key is None or row.drops_key or row.is_of_shared_key or row.id == contact or facts.possible_addresses(key):
            return False
        if others is None:
            before = fold_address(facts.email(key) or "")
            return self._journal.contact_id(self._destination.name, before) == contact
        return key in others and (len(others) > 1 or not self._removes_old)

    def confirmed(self, rows: Sequence[Row], contacts: Mapping[int, Known | None]) -> list[Row]:
        """The rows whose action and content the provider confirmed recently enough not to send them again."""
        first, last = confirmed_within(self._window)
        return [
            row
            for row in rows
            if (known := contacts.get(row.id)) is not None
            and known.fingerprint == row.fingerprint
            and known.confirmed_at is not None
            and first < known.confirmed_at < last
        ]

    def is_confirmed(self, row: Row, known: Known | None) -> bool:
        """The same for a single row."""
        return bool(self.confirmed([row], {row.id: known}))

    @property
    def _window(self) -> float:
        """Seconds for which confirmed rows are not sent again.

        With `send: all` this is none, or the run where contacts never change: there the same row of another key, or the
        removal of a contact that several keys leave, is the same call.
        """
        if self._settings.send == "changed":
            return self._settings.resend_window
        return -math.inf if self._actions.old_first else time.time() - self._began

    def is_spared(self, row: Row, facts: Facts) -> bool:
        """Whether a row removes a contact that stays, because it belongs to another key, too."""
        if self._actions.old_first or row.action != self._actions.remove:
            return False
        gone = row.contact_keys if row.former_of is None else {row.former_of, *row.contact_keys}
        return facts.is_held(row, gone, is_move=row.plan is not None and not row.plan.row.drops_key)

    def _is_unchanged(self, row: Row, known: Known | None) -> bool:
        if known is not None and known.confirmed_at is None:
            row.resubmitted = known.fingerprint == row.fingerprint
            return False
        return self.is_confirmed(row, known)

    def _drops_key(self, row: Row) -> bool:
        """Whether a row's key has no contact afterwards; an opt-out that is recorded follows it to another address."""
        if row.action == self._actions.unsubscribe:
            return not self._actions.records_opt_outs
        return row.drops_key or row.action == self._actions.remove

    def _delete(self, row: Row, before: str | None, facts: Facts) -> Ended | None:
        """Make the row of a deleted key a removal; or say how it ends if there is nothing to remove."""
        assert row.key is not None  # noqa: S101 - only called for keyed rows
        actions = self._actions
        if row.is_of_shared_key and not row.email:
            reason = "a delete with only its key, which stands for several addresses"
            return Ended(Outcome.REJECTED, "unknown_key", reason)
        if not row.email or (before and not is_reachable(row.email)):
            before = before or next(iter(facts.possible_addresses(row.key)), before)
            if before is None and row.lost_address and (row.action == actions.remove or not row.contact.reference):
                return Ended(Outcome.SKIPPED, "no_address")
            if before is None and row.contact.reference:
                before = self.unknown_address(row.key)  # unknown here, but the provider may know the key
            if before is None:
                reason = "a delete with only its key, which was never delivered from here"
                return Ended(Outcome.REJECTED, "unknown_key", reason)
            if not before:
                return Ended(Outcome.UNCHANGED)
            self._addresses.fill(row, before)
        if actions.old_first and row.action == actions.remove and facts.is_held(row, row.contact_keys):
            own = self._own_address(row, before, facts)
            if own is None:
                facts.settle(row)
                return Ended(Outcome.UNCHANGED)
            row.action = actions.remove if self._removes_old else actions.ask
            self._addresses.fill(row, own)
        return None

    def _own_address(self, row: Row, before: str | None, facts: Facts) -> str | None:
        """An address beside the row's that its key has or may have, and no other key."""
        assert row.key is not None  # noqa: S101 - only called for keyed rows
        if row.is_absent or row.is_of_shared_key:  # no line named that contact; the key says nothing about addresses
            return None
        for email in (before, *facts.possible_addresses(row.key)):
            if email and fold_address(email) != row.address:
                old = self._addresses.former(row, email, self._actions.remove)
                if not facts.is_held(old, {row.key}):
                    return email
        return None

    def _formers(self, row: Row, before: str | None, facts: Facts) -> list[Row]:
        """Rows for the addresses that the row's key has or may have beside the row's own."""
        possible, actions = facts.possible_addresses(row.key), self._actions
        if not (before or possible) or row.key is None or row.is_of_shared_key or row.is_absent:
            return []
        if not self._can_remove or not (actions.old_first or self._removes_old) or row.action in actions.account_wide:
            return []
        formers = []
        addresses = {row.address}
        for email in (before, *possible):
            if not email or fold_address(email) in addresses:
                continue
            addresses.add(fold_address(email))
            old = self._addresses.former(row, email, actions.remove)
            if actions.old_first and not self._may_leave(old, row.key, facts, is_move=not row.drops_key):
                old = self._addresses.former(row, email, actions.ask)
            old.extend().former_of = row.key
            formers.append(old)
        return formers

    def _may_leave(self, old: Row, key: bytes, facts: Facts, *, is_move: bool) -> bool:
        """Whether a former address is removed: no other key has it, and it was not removed before."""
        is_held = facts.is_held(old, {key}, is_move=is_move)
        return self._removes_old and not is_held and not self.is_confirmed(old, facts.known(old.id))

    def may_have_other_spelling(self, row: Row) -> bool:
        """Whether the row's mailbox may be on the list under another spelling, which is handled first."""
        actions = self._actions
        return (
            self._can_remove
            and actions.old_first
            and not row.is_absent
            and not self._destination.fields.ascii_only
            and row.action not in {actions.ask, *actions.account_wide}
            and other_spelling(row.email) is not None
        )

    def _respelled(self, row: Row, formers: Sequence[Row]) -> list[Row]:
        """Rows for the mailboxes of a row and of its key's former addresses under the other spellings of their domains.

        So there is one contact, and its opt-out is found. A former one may have the spelling of a key that has left it.
        """
        actions = self._actions
        others = [] if self._destination.fields.ascii_only else [(old.email, old.action) for old in formers]
        if self.may_have_other_spelling(row):
            removes = self._removes_old or row.action in {actions.remove, actions.unsubscribe}
            others.append((row.email, actions.remove if removes else actions.ask))
        found = [self._addresses.former(row, other, do) for email, do in others if (other := other_spelling(email))]
        for old in found:
            old.id = 0  # the journal notes nothing of it
        return found
