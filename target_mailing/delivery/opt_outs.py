"""Contacts that a run does not subscribe: opt-outs from rows, and opt-outs found at the provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from target_mailing.contacts.effects import Effect
from target_mailing.interface.destination import Declining, Destination, ListsByRow
from target_mailing.journal.journal import Journal
from target_mailing.rows.row import Row

__all__ = ["OptOuts"]


class OptOuts:
    """The opt-outs that a run has learned about, applied to its rows."""

    def __init__(self, destination: Destination, journal: Journal) -> None:
        """Begin with no opt-out.

        Args:
            destination: of the rows.
            journal: makes fingerprints, keeps declined names, and what rows of this run said of contacts.
        """
        self._actions = destination.actions
        self._name = destination.name
        self._by_list = destination if isinstance(destination, ListsByRow) else None
        self._declining = destination if isinstance(destination, Declining) else None
        self._journal = journal
        self._told = journal.told
        self.followed = journal.followed

    def may_subscribe(self, row: Row) -> bool:
        """Whether a row adds its contact by an action that does not respect opt-outs itself."""
        actions = self._actions
        less = {actions.remove, actions.ask, actions.unsubscribe, actions.decline}
        others = {*less, *actions.respectful, *actions.account_wide}
        return row.action not in others

    def keep(self, row: Row) -> None:
        """Keep an opt-out from a row of this run: a later row neither undoes it by adding nor erases it by removing."""
        if self._by_list is not None:
            self._keep_by_list(row, self._by_list)
            return
        action = self.action_of(row)
        if action != row.action:
            self._become(row, action)
        if action == self._actions.unsubscribe:
            self._told.add(row.id)

    def _keep_by_list(self, row: Row, destination: ListsByRow) -> None:
        contact = row.contact
        ids = {
            name: self._journal.contact_id(f"{self._name} {name}", contact.address)
            for name in destination.actions_on_lists(contact.content)
        }
        if told := [name for name, number in ids.items() if number in self._told]:
            content = destination.opted_out(contact.content, told)
            if content != contact.content:
                row.contact = contact = msgspec.structs.replace(contact, content=content)
                row.fingerprint = self._journal.fingerprint(row.action, content)
        for name, action in destination.actions_on_lists(contact.content).items():
            if action == self._actions.unsubscribe:
                self._told.add(ids[name])

    def action_of(self, row: Row) -> str:
        """The action of a row, given the opt-outs of earlier rows.

        The provider keeps opt-outs only of members, and a contact may have left before the opt-out came.
        """
        if self._by_list is not None or row.id not in self._told:
            return row.action
        changes = row.action == self._actions.remove or self.may_subscribe(row)
        return self._actions.unsubscribe if changes else row.action

    def recall(self, rows: Sequence[Row]) -> None:
        """Note the names that rows decline, and have later rows of the same contacts decline them, too.

        The provider may not have the contacts yet. The journal keeps the names for later runs, until the provider has
        them.
        """
        if self._declining is None:
            return
        writing = [row for row in rows if row.email and row.action not in {self._actions.remove, self._actions.ask}]
        known = self._journal.declined.of([row.id for row in writing])
        new: list[tuple[int, str]] = []
        for row in writing:
            if row.action == self._actions.decline:
                before = known.setdefault(row.id, set())
                names = {*self._declining.declined(row.contact.content)} - before
                new.extend((row.id, name) for name in names)
                before |= names
            elif row.id in known:
                content = self._declining.declining(row.contact.content, known[row.id])
                row.contact = msgspec.structs.replace(row.contact, content=content)
                row.fingerprint = self._journal.fingerprint(row.action, content)
        self._journal.declined.add(new)

    def arrived(self, action: str, delivered: Sequence[Row], effects: Mapping[Effect, Sequence[Row]]) -> None:
        """Rows were delivered: forget the names that they declined, if the provider has the contacts."""
        if self._declining is None or action in {self._actions.remove, self._actions.ask}:
            return
        if action == self._actions.decline:
            delivered = [*effects.get(Effect.UPDATED, ()), *effects.get(Effect.OPT_OUT_KEPT, ())]
        if known := self._journal.declined.of([row.id for row in delivered]):
            declined = [(row.id, self._declining.declined(row.contact.content)) for row in delivered if row.id in known]
            self._journal.declined.drop((contact, name) for contact, names in declined for name in names)

    def follow(self, row: Row, follower: Row) -> None:
        """A row's contact opted out: so has the contact at its key's new address.

        The journal leaves the key at the old address, which is looked up again when the key comes again: a provider may
        not record the opt-out of a contact that is not a member.
        """
        actions = self._actions
        if follower.action in actions.respectful:
            return
        if follower.address == row.address and follower.action != actions.remove:
            self.followed.add(follower.id)  # the same mailbox: there is no other contact to unsubscribe
        elif follower.action not in {actions.remove, actions.ask}:
            self._become(follower, actions.unsubscribe)
            self.followed.add(follower.id)
        follower.key = None

    def is_withheld(self, row: Row) -> bool:
        """Whether a row would add a person who opted out at a former address."""
        return row.id in self.followed and self.may_subscribe(row)

    def _become(self, row: Row, action: str) -> None:
        row.action = action
        row.fingerprint = self._journal.fingerprint(action, row.contact.content)
