"""PostGrid as a destination: one mailing list, whose contacts are households and companies with postal addresses.

Facts and what is unverified: docs/postgrid.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

from mailing_api.postgrid.client import PostgridClient
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import RowRejected
from target_mailing.destination import Destination, Step
from target_mailing.postgrid.contact import encoded, fields, identity
from target_mailing.postgrid.contacts_route import (
    ACTIONS,
    CreateContacts,
    DeleteContacts,
    End,
    FindContacts,
    FollowOld,
    Nothing,
    ReadErrors,
    ReadOldErrors,
    SubmitOld,
    leaving,
    made,
    replaced,
)
from target_mailing.postgrid.list import TargetList
from target_mailing.postgrid.list_job import MAX_CONTACTS, Follow, ReservedContacts, Submit, is_there
from target_mailing.row import Row
from target_mailing.settings import StreamSettings

__all__ = ["MAX_ROWS", "PostgridDestination"]

#: One job names the contacts of a batch.
MAX_ROWS: Final = MAX_CONTACTS

_REMOVALS: Final = frozenset({ACTIONS.remove, ACTIONS.unsubscribe, ACTIONS.ask})


class PostgridDestination(Destination):
    """One mailing list of PostGrid."""

    actions = ACTIONS

    def __init__(
        self,
        client: PostgridClient,
        settings: StreamSettings,
        joining: ReservedContacts,
        *,
        delete_old: bool,
        dry_run: bool = False,
    ) -> None:
        """Find the list.

        Args:
            client: of the account.
            settings: of the first stream that goes there.
            joining: the account's.
            delete_old: contacts that leave the list are deleted if they are on no other.
            dry_run: do not make the list yet.

        Raises:
            ConfigurationError: it is missing, ambiguous, or filled by another route.
            MailingError: PostGrid could not be asked.
        """
        self._client = client
        self._joining = joining
        self._delete_old = delete_old
        self._list = TargetList(
            client, settings.lists[0], route="contacts", create=settings.create_list, dry_run=dry_run
        )
        self.name = f"postgrid:{client.account}:list:{self._list.id}"
        self.fields = fields(_identify)

    @property
    def places(self) -> Collection[str]:
        """The list."""
        return [f"list:{self._list.id}"]

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """The body of the call that makes the contact; one that leaves needs none."""
        return b"{}" if action in _REMOVALS else encoded(contact)

    def parts(self, action: str, rows: list[Row]) -> Sequence[tuple[str, list[Row]]]:  # noqa: ARG002 - all go alike
        """One batch."""
        return [("contacts", rows)]

    def steps(self, action: str, route: str) -> Sequence[Step]:  # noqa: ARG002 - there is one route
        """The steps of a batch."""
        if action == ACTIONS.ask:
            return (Nothing(),)
        client, number = self._client, self._list.id
        joining, delete = self._joining, self._delete_old
        exists = partial(is_there, client.contact)
        if action in _REMOVALS:
            return (
                FindContacts(client, self._list),
                Submit(client, number, "removeContacts", leaving, exists),
                Follow(client, number),
                ReadErrors(client, number, "removeContacts", is_last=not delete),
                *([DeleteContacts(client, "submit", joining), End()] if delete else []),
            )
        return (
            CreateContacts(client, self._list),
            Submit(client, number, "addContacts", made, exists, joining),
            Follow(client, number),
            ReadErrors(client, number, "addContacts", is_last=False),
            SubmitOld(client, number, "removeContacts", replaced, exists),
            FollowOld(client, number),
            ReadOldErrors(client, number, "removeContacts", is_last=not delete),
            *([DeleteContacts(client, "submit_old", joining), End()] if delete else []),
        )


def _identify(contact: MappedContact, action: str) -> str:
    """What tells a contact apart; where it leaves and does not say all of itself, only its row's key can."""
    if contact.deleted:
        return ""
    try:
        return identity(encoded(contact))
    except RowRejected:
        if action in _REMOVALS:
            return ""
        raise
