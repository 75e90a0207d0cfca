"""By what each row is kept in order: its key, its contact, and every contact that its key has or may have."""

from __future__ import annotations

from mailing_api.addresses import fold_address
from target_mailing.delivery.facts import Facts
from target_mailing.delivery.shared_keys import SharedKeys
from target_mailing.delivery.tickets import Tickets
from target_mailing.interface.destination import AppendOnlyDestination, Destination
from target_mailing.journal.journal import Journal
from target_mailing.rows.row import Resource, Row

__all__ = ["Resources"]


class Resources:
    """Finds the resources of one destination's rows."""

    def __init__(self, destination: Destination, journal: Journal, tickets: Tickets, shared_keys: SharedKeys) -> None:
        """Find them by the journal, and by the rows that have not ended."""
        self._name = destination.name
        self._is_append_only = isinstance(destination, AppendOnlyDestination)
        self._journal = journal
        self._tickets = tickets
        self._shared_keys = shared_keys

    def find(self, row: Row, key: bytes, facts: Facts) -> None:
        """Find out whether the key of a row stands for several addresses, and by what the row is kept in order."""
        last = self._tickets.last(key)
        before = facts.email(key) if last is None else last.email
        if not self._is_append_only and self._is_shared(row, key, last, facts):
            extras = row.extend()
            extras.is_of_shared_key = True
            extras.tickets = {row.id: None} if last is None else {row.id: None, key: None}
            return
        others = self._journal.possible_addresses(key)
        if row.email and last is None and not others and (not before or fold_address(before) == row.address):
            return
        tickets: dict[Resource, None] = {row.id: None} if row.email else {}
        tickets[key] = None
        for email in (*others, facts.email(key)):
            if email:
                tickets[self._contact(email)] = None
        if last is not None:
            tickets.update(dict.fromkeys(self._unfinished(last, key)))
        row.extend().tickets = tickets

    def _unfinished(self, last: Row, key: bytes) -> list[Resource]:
        """The contacts of a key's unfinished rows, of which this is the last one.

        It waits for those of the rows before it, some of which may have ended since: as long as there are fewer of them
        than rows, they are taken, so that many rows with few contacts are not looked at again and again.
        """
        contacts: list[Resource] = [one for one in last.resources if isinstance(one, int)]
        if len(contacts) < self._tickets.number(key):
            return contacts
        return [one.id for one in self._tickets.rows(key) if one.email]

    def _is_shared(self, row: Row, key: bytes, last: Row | None, facts: Facts) -> bool:
        """Whether the key of a row is shared, given the latest row of the key that has not ended."""
        if row.extras is not None and row.extras.was_held:
            return row.is_of_shared_key
        came = self._shared_keys.came(facts.key_number(key))
        if last is not None:
            before, came = 0 if last.drops_key or not last.email else last.id, True
        elif (held := self._journal.held.get(key)) is not None:
            before, came = held, True
        else:
            email = facts.email(key)
            before = self._contact(email) if email else 0
        return self._shared_keys.holds(row, before, facts.shared_keys, came=came)

    def _contact(self, email: str) -> int:
        return self._journal.contact_id(self._name, fold_address(email))
