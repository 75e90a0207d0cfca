"""Whom a run is not to subscribe: who opted out, as rows or the provider said, and who could not be asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from target_mailing.contacts.effects import Effect
from target_mailing.destination import Declining, Destination, ListsByRow
from target_mailing.journal.journal import Journal
from target_mailing.row import Row

__all__ = ["OptOuts"]


class OptOuts:
    """What a run learned about consent, and what it makes of its rows."""

    def __init__(self, destination: Destination, journal: Journal) -> None:
        """Begin with nothing learned.

        Args:
            destination: of the rows.
            journal: makes fingerprints.
        """
        self._actions = destination.actions
        self._has_lists_by_row = isinstance(destination, ListsByRow)
        self._declining = destination if isinstance(destination, Declining) else None
        self._journal = journal
        #: Contacts of which a row said that they opted out.
        self._told: set[int] = set()
        #: Contacts that are not to be subscribed: the former address of their key opted out.
        self.followed: set[int] = set()

    def may_subscribe(self, row: Row) -> bool:
        """Whether a row adds its contact, and nobody said that opt-outs are to be undone."""
        actions = self._actions
        less = {actions.remove, actions.ask, actions.unsubscribe, actions.decline}
        others = {*less, *actions.respectful, *actions.account_wide}
        return row.action not in others

    def keep(self, row: Row) -> None:
        """What a row of this run said stays: an opt-out is neither undone by adding nor forgotten by removing."""
        action = self.action_of(row)
        if action != row.action:
            self._become(row, action)
        if action == self._actions.unsubscribe and not self._has_lists_by_row:
            self._told.add(row.id)

    def action_of(self, row: Row) -> str:
        """What is done for a row, given what earlier ones said of its contact.

        The provider sees to that only for members, and somebody may have left before the opt-out came.
        """
        if self._has_lists_by_row or row.id not in self._told:
            return row.action
        changes = row.action == self._actions.remove or self.may_subscribe(row)
        return self._actions.unsubscribe if changes else row.action

    def recall(self, rows: Sequence[Row]) -> None:
        """Note what rows decline, for the provider may not have their contacts; later rows of these decline it, too.

        That holds for later runs as well, until the provider has it.
        """
        if self._declining is None:
            return
        writing = [row for row in rows if row.email and row.action not in {self._actions.remove, self._actions.ask}]
        known = self._journal.declined.of([row.id for row in writing])
        new: list[tuple[int, str]] = []
        for row in writing:
            if row.action == self._actions.decline:
                before = known.setdefault(row.id, set())
                names = {*self._declining.declined(row.contact)} - before
                new.extend((row.id, name) for name in names)
                before |= names
            elif row.id in known:
                row.contact = self._declining.declining(row.contact, known[row.id])
                row.fingerprint = self._journal.fingerprint(row.action, row.contact)
        self._journal.declined.add(new)

    def arrived(self, action: str, delivered: Sequence[Row], effects: Mapping[Effect, Sequence[Row]]) -> None:
        """Rows were delivered: what they declined need not be remembered any more, if their contacts were there."""
        if self._declining is None or action in {self._actions.remove, self._actions.ask}:
            return
        if action == self._actions.decline:
            delivered = [*effects.get(Effect.UPDATED, ()), *effects.get(Effect.OPT_OUT_KEPT, ())]
        if known := self._journal.declined.of([row.id for row in delivered]):
            told = [(row.id, self._declining.declined(row.contact)) for row in delivered if row.id in known]
            self._journal.declined.drop((contact, name) for contact, names in told for name in names)

    def follow(self, row: Row, follower: Row) -> None:
        """A row was withheld because its contact opted out: so did whoever follows it under a new address.

        The journal leaves the key at the old address, which is asked about again when the key comes again: a provider
        may not record the opt-out of somebody who is no member.
        """
        actions = self._actions
        if follower.action in actions.respectful:
            return
        if follower.address == row.address and follower.action != actions.remove:
            self.followed.add(follower.id)  # the same mailbox: there is nobody to be unsubscribed
        elif follower.action not in {actions.remove, actions.ask}:
            self._become(follower, actions.unsubscribe)
            self.followed.add(follower.id)
        follower.key = None

    def is_withheld(self, row: Row) -> bool:
        """Whether a row would add somebody who opted out at a former address."""
        return row.id in self.followed and self.may_subscribe(row)

    def _become(self, row: Row, action: str) -> None:
        row.action = action
        row.fingerprint = self._journal.fingerprint(action, row.contact)
