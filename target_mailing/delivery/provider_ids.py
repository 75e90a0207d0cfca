"""The provider's own IDs of rows' contacts, where these can only be removed by ID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from target_mailing.delivery.tickets import Tickets
from target_mailing.interface.destination import Destination
from target_mailing.journal.contact_names import ContactName
from target_mailing.journal.journal import Journal
from target_mailing.rows.row import Row

__all__ = ["ProviderIds"]


class ProviderIds:
    """The IDs that the journal knows of one destination's contacts."""

    def __init__(self, destination: Destination, journal: Journal, tickets: Tickets) -> None:
        """Look up IDs in the journal.

        Args:
            destination: of the rows.
            journal: knows the IDs, and the keys of contacts.
            tickets: know the keys that are leaving.
        """
        self._destination = destination
        self._journal = journal
        self._tickets = tickets

    def of(self, rows: Sequence[Row], *, removing: bool) -> dict[int, Sequence[str]]:
        """By position, the IDs of contacts of which any are known; when removing, only IDs that no other key needs.

        So a row whose IDs are all needed is there, without one.
        """
        known = self._journal.provider_ids([row.id for row in rows])
        needed = {*self._needed(rows, known)} if removing else set()
        return {
            position: [one for one in ids if (row.id, one) not in needed]
            for position, row in enumerate(rows)
            if (ids := known.get(row.id))
        }

    def of_others(self, rows: Sequence[Row]) -> list[ContactName]:
        """The IDs that contacts leave to those of other keys when rows take them off; each with the contact."""
        return self._needed(rows, self._journal.provider_ids([row.id for row in rows]))

    def _needed(self, rows: Sequence[Row], known: Mapping[int, Sequence[str]]) -> list[ContactName]:
        if not known:
            return []
        holders = self._journal.holders(self._destination.name, [one for ids in known.values() for one in ids])
        return [(row.id, one) for row in rows for one in known.get(row.id, ()) if self._is_needed(holders[one], row)]

    def _is_needed(self, holders: Mapping[int, Sequence[bytes]], row: Row) -> bool:
        """Whether an ID of a row's contact is also the ID of another key's contact.

        Once a row is added, all keys of its contact have the new ID, so none needs the old one.
        """
        removes = row.action == self._destination.actions.remove
        for contact, keys in holders.items():
            if contact == row.id and not removes:
                continue
            own: set[bytes | None] = {*row.contact_keys}
            if contact == row.id:
                own.add(row.former_of)  # the key is about to leave this contact, and has not arrived at another yet
            if any(key not in own and not self._is_leaving(key) for key in keys):
                return True
        return False

    def _is_leaving(self, key: bytes) -> bool:
        """Whether a key is being removed."""
        holder = self._tickets.holder(key)
        return holder is not None and not holder.waits and holder.drops_key
