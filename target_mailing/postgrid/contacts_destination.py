"""PostGrid as a destination: one mailing list, whose contacts are households and companies with postal addresses.

Facts and what is unverified: docs/postgrid.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.postgrid.client import PostgridClient
from target_mailing.contacts.fields import RowRejected
from target_mailing.contacts.mapping import MappedContact
from target_mailing.delivery.batcher import Row
from target_mailing.destination import Finished, Step
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
from target_mailing.postgrid.list_job import MAX_CONTACTS, Follow, Polls, ReservedContacts, Submit, is_there

__all__ = ["MAX_ROWS", "PostgridDestination", "PostgridTarget"]

#: One job names the contacts of a batch.
MAX_ROWS: Final = MAX_CONTACTS

_REMOVALS: Final = frozenset({ACTIONS.remove, ACTIONS.unsubscribe, ACTIONS.ask})


class PostgridTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where contacts are to go.

    Attributes:
        lists: ID or description of exactly one.
        create_list: make a list that is described and does not exist.
        route: how the list is filled.
        delete_old: contacts that leave the list are deleted if they are on no other.
        replace: by import, what earlier runs delivered leaves.
        allow_duplicates: by import, deliver although nobody knows who is on the list.
        poll_interval: seconds before the first look at a job; grows by half up to poll_max_interval.
    """

    lists: Sequence[str]
    create_list: bool = False
    route: str = "contacts"
    delete_old: bool = False
    replace: bool = False
    allow_duplicates: bool = False
    poll_interval: float = 2.0
    poll_max_interval: float = 30.0

    def check(self) -> None:
        """See that there is a list; nothing is asked.

        Raises:
            ConfigurationError: there is none, or several.
        """
        if len(self.lists) != 1:
            raise ConfigurationError("Setting `list`: give the one PostGrid mailing list to deliver to.")


class PostgridDestination:
    """One mailing list of PostGrid."""

    has_lists_by_row = False
    replaces_contents = False
    holds_since = 0.0

    def __init__(
        self, client: PostgridClient, target: PostgridTarget, joining: ReservedContacts, *, dry_run: bool = False
    ) -> None:
        """Find the list; `joining` is the account's.

        Raises:
            ConfigurationError: it is missing, ambiguous, or filled by another route.
            MailingError: PostGrid could not be asked.
        """
        target.check()
        self._client = client
        self._target = target
        self._joining = joining
        self._list = TargetList(client, target.lists[0], route=target.route, create=target.create_list, dry_run=dry_run)
        self.name = f"postgrid:{client.account}:list:{self._list.id}"
        self.actions = ACTIONS
        self.fields = fields(_identify)

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """The body of the call that makes the contact; one that leaves needs none."""
        return b"{}" if action in _REMOVALS else encoded(contact)

    def overlay(self, earlier: bytes, later: bytes) -> bytes:  # noqa: ARG002 - contacts are never updated
        """The later contact: both are the same one."""
        return later

    def parts(self, action: str, rows: list[Row]) -> Sequence[tuple[str, list[Row]]]:  # noqa: ARG002 - all go alike
        """One batch."""
        return [(self._target.route, rows)]

    def steps(self, action: str, route: str) -> Sequence[Step]:  # noqa: ARG002 - there is one route
        """The steps of a batch."""
        if action == ACTIONS.ask:
            return (Nothing(),)
        client, number, joining = self._client, self._list.id, self._joining
        polls = Polls(self._target.poll_interval, self._target.poll_max_interval)
        delete = self._target.delete_old
        exists = partial(is_there, client.contact)
        if action in _REMOVALS:
            return (
                FindContacts(client, self._list),
                Submit(client, number, "removeContacts", polls, leaving, exists),
                Follow(client, number, polls),
                ReadErrors(client, number, "removeContacts", is_last=not delete),
                *([DeleteContacts(client, "submit", joining), End()] if delete else []),
            )
        return (
            CreateContacts(client, self._list),
            Submit(client, number, "addContacts", polls, made, exists, joining),
            Follow(client, number, polls),
            ReadErrors(client, number, "addContacts", is_last=False),
            SubmitOld(client, number, "removeContacts", polls, replaced, exists),
            FollowOld(client, number, polls),
            ReadOldErrors(client, number, "removeContacts", is_last=not delete),
            *([DeleteContacts(client, "submit_old", joining), End()] if delete else []),
        )

    def can_resume(self, route: str, begun: Collection[str]) -> bool:  # noqa: ARG002 - nothing stands in the way
        """Always."""
        return True

    def closing(self) -> Sequence[Step]:
        """Nothing."""
        return ()

    def read_back(self, verdict: Finished, doubtful: Sequence[int]) -> None:
        """Nothing more can be asked."""

    def create_properties(self, types: Mapping[str, Collection[str]]) -> None:
        """Nothing: metadata takes any key."""


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
