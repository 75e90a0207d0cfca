"""PostGrid's route `import` as a destination: a list filled by CSV imports, whose contacts can only leave together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Final

from mailing_api.postgrid.client import PostgridClient
from target_mailing.contacts.contact import EncodedContact, MappedContact
from target_mailing.contacts.fields import RowRejected
from target_mailing.interface.destination import Destination, Step
from target_mailing.postgrid.contact import ACTIONS, FLAGS, REMOVALS, encoded, fields
from target_mailing.postgrid.contacts_route import End
from target_mailing.postgrid.csv_file import country_of
from target_mailing.postgrid.file_links import Links
from target_mailing.postgrid.import_list import ImportList
from target_mailing.postgrid.import_route import (
    MAX_IMPORTS,
    AddImports,
    Check,
    Clear,
    Collect,
    CreateImports,
    DeleteOld,
    Judge,
    Plan,
    SubmitImports,
    Undone,
    Validate,
    checked,
    existing,
)
from target_mailing.postgrid.list_job import Follow
from target_mailing.postgrid.today import today

__all__ = ["ImportDestination"]

_is_variable: Final = re.compile(r"[^.\[\]]+").fullmatch


class ImportDestination(Destination):
    """One mailing list of PostGrid, filled by imports."""

    actions = ACTIONS

    def __init__(self, client: PostgridClient, mailing_list: ImportList, links: Links | None) -> None:
        """Take the list, and the links to files in a bucket; None to upload files."""
        self._client = client
        self._list = mailing_list
        self._links = links
        self._route = f"import-{mailing_list.run_name}" if mailing_list.replaces else "import"
        self.replaces_contents = mailing_list.replaces
        self.holds_since = mailing_list.holds_since
        self.name = f"postgrid:{client.account}:list:{self._list.id}"
        self.fields = fields(lambda contact: hashlib.blake2b(_encoded(contact), digest_size=16).hexdigest())

    @property
    def places(self) -> Collection[str]:
        """The list."""
        return [f"list:{self._list.id}"]

    def today(self, names: Sequence[str]) -> Sequence[str]:
        """The contacts with these IDs."""
        return [*today(self._client, self._list.id, names)]

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """All values of a row of the file; a removal needs none."""
        return b"{}" if action in REMOVALS else _encoded(contact)

    def parts(self, action: str, rows: Sequence[EncodedContact]) -> Sequence[tuple[str, Sequence[int]]]:
        """Batches of as many countries as one job may name imports, with the rows of each country together."""
        if action in REMOVALS:
            return [(self._route, range(len(rows)))]
        country = [country_of(row.content) for row in rows]
        positions = sorted(range(len(rows)), key=country.__getitem__)
        countries = [list(group) for _, group in groupby(positions, country.__getitem__)]
        chunks = [countries[position : position + MAX_IMPORTS] for position in range(0, len(countries), MAX_IMPORTS)]
        return [(self._route, [position for group in chunk for position in group]) for chunk in chunks]

    def steps(self, action: str, route: str) -> Sequence[Step]:  # noqa: ARG002 - there is one route
        """The steps of a batch."""
        if action == ACTIONS.ask:
            return (End(name="nothing"),)  # PostGrid has no opt-outs to look up
        client, list_id = self._client, self._list.id
        return (
            Plan(self._list, self._links),
            CreateImports(client, list_id, self._list.run_name, self._links),
            Validate(client),
            *([] if self._links is None else [Clear(self._links)]),
            Check(client),
            AddImports(client, list_id, "addMailingListImports", checked),
            Follow(client, list_id),
            Judge(),
            SubmitImports(client, list_id, "removeMailingListImports", existing(client, "errors"), name="undo"),
            Follow(client, list_id, name="follow_undo", after="undo"),
            Undone(client),
        )

    def can_resume(self, route: str, begun: Collection[str]) -> bool:  # noqa: ARG002 - whichever they are
        """Not a batch of a run that was to replace the list, or of the run before it."""
        return route == self._route

    def closing(self) -> Sequence[Step]:
        """The steps by which the contacts of earlier runs leave."""
        client, list_id = self._client, self._list.id
        old, followed = "submit_old", "follow_old"
        return (
            Collect(client, self._list, self._list.run_name),
            SubmitImports(client, list_id, "removeMailingListImports", existing(client, "collect"), name=old),
            Follow(client, list_id, name=followed, after=old),
            DeleteOld(client),
        )


def _encoded(contact: MappedContact) -> bytes:
    """The values of a contact that can be imported.

    Raises:
        RowRejected: it has other values, or as for `encoded`.
    """
    for column in FLAGS:
        if contact.columns.get(column):
            raise RowRejected("not_by_import", "cannot be set by route `import`", column=column)
    for name in contact.properties:
        if not _is_variable(name):
            reason = f"property {name!r}: the name of a merge variable has no period and no bracket"
            raise RowRejected("not_by_import", reason)
    return encoded(contact)
