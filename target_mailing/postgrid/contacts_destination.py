"""PostGrid's route `contacts` as a destination: a list whose contacts are households and companies, one by one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from mailing_api.postgrid.client import PostgridClient
from target_mailing.contacts.contact import EncodedContact, MappedContact
from target_mailing.interface.destination import Destination, Step
from target_mailing.postgrid.contact import ACTIONS, REMOVALS, encoded, fields, identity, shown_values
from target_mailing.postgrid.contacts_route import (
    CreateContacts,
    DeleteContacts,
    End,
    FindContacts,
    ReadErrors,
    created,
    leaving,
    replaced,
    rows_of,
)
from target_mailing.postgrid.list import TargetList
from target_mailing.postgrid.list_job import MAX_CONTACTS, Follow, ReservedContacts, Submit, is_there
from target_mailing.postgrid.today import today

__all__ = ["MAX_ROWS", "ContactsDestination"]

#: One job names the contacts of a batch.
MAX_ROWS: Final = MAX_CONTACTS


class ContactsDestination(Destination):
    """One mailing list of PostGrid, filled with contacts."""

    actions = ACTIONS

    def __init__(
        self, client: PostgridClient, mailing_list: TargetList, reserved: ReservedContacts, *, delete_old: bool
    ) -> None:
        """Take the list.

        Args:
            client: of the account.
            mailing_list: to fill.
            reserved: of the account.
            delete_old: contacts that leave the list are deleted if they are on no other list.
        """
        self._client = client
        self._list = mailing_list
        self._reserved = reserved
        self._delete_old = delete_old
        self.name = f"postgrid:{client.account}:list:{self._list.id}"
        self.fields = fields(lambda contact: identity(encoded(contact)))

    @property
    def places(self) -> Collection[str]:
        """The list."""
        return [f"list:{self._list.id}"]

    def today(self, names: Sequence[str]) -> Sequence[str]:
        """The contacts with these IDs."""
        return [*today(self._client, self._list.id, names)]

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """The body of the call that creates the contact; a removal needs none."""
        return b"{}" if action in REMOVALS else encoded(contact)

    def changes(self, contact: EncodedContact) -> Mapping[str, tuple[Any, Any]]:
        """Against the newest contact of the row's key: a new one replaces it as a whole.

        PostGrid may return an address in capital letters, so letter case makes no difference.
        """
        after = shown_values(msgspec.json.decode(contact.content))
        if not after:
            return {}
        found = rows_of(self._client, contact.reference)
        before = shown_values(max(found, key=lambda row: str(row.get("createdAt")), default={}))
        names = dict.fromkeys((*after, *before))
        pairs = {name: (before.get(name), after.get(name)) for name in names}
        return {name: pair for name, pair in pairs.items() if _folded(pair[0]) != _folded(pair[1])}

    def parts(
        self,
        action: str,  # noqa: ARG002 - one route for all
        rows: Sequence[EncodedContact],
    ) -> Sequence[tuple[str, Sequence[int]]]:
        """One batch."""
        return [("contacts", range(len(rows)))]

    def steps(self, action: str, route: str) -> Sequence[Step]:  # noqa: ARG002 - there is one route
        """The steps of a batch."""
        if action == ACTIONS.ask:
            return (End(name="nothing"),)  # PostGrid has no opt-outs to look up
        client, list_id, reserved, delete = self._client, self._list.id, self._reserved, self._delete_old
        exists = partial(is_there, client.contact)
        if action in REMOVALS:
            return (
                FindContacts(client, self._list),
                Submit(client, list_id, "removeContacts", leaving, exists),
                Follow(client, list_id),
                ReadErrors(client, list_id, "removeContacts", is_last=not delete),
                *([DeleteContacts(client, "submit", reserved), End()] if delete else []),
            )
        old = "submit_old"
        return (
            CreateContacts(client, self._list),
            Submit(client, list_id, "addContacts", created, exists, reserved),
            Follow(client, list_id),
            ReadErrors(client, list_id, "addContacts", is_last=False),
            # A row that was refused has no new contact, so its old ones stay.
            Submit(client, list_id, "removeContacts", replaced, exists, name=old, spares_shared=True),
            Follow(client, list_id, name="follow_old", after=old, forgets=True),
            ReadErrors(
                client, list_id, "removeContacts", is_last=not delete, name="errors_old", again_from=old,
                followed="follow_old",
            ),
            *([DeleteContacts(client, old, reserved), End()] if delete else []),
        )  # fmt: skip


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
