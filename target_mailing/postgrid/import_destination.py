"""PostGrid's route `import` as a destination: one mailing list, filled by CSV imports, which only leave as a whole.

Facts and what is unverified: docs/postgrid.md.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Final

from mailing_api.postgrid.client import PostgridClient
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import RowRejected
from target_mailing.destination import Destination, Step
from target_mailing.postgrid.contact import FLAGS, encoded, fields
from target_mailing.postgrid.contacts_route import ACTIONS, Nothing
from target_mailing.postgrid.csv_file import country_of
from target_mailing.postgrid.file_links import Links
from target_mailing.postgrid.import_list import ImportList
from target_mailing.postgrid.import_route import (
    MAX_IMPORTS,
    Check,
    Clear,
    CreateImports,
    FollowUndone,
    Judge,
    Plan,
    SubmitImports,
    Undo,
    Undone,
    Validate,
    checked,
    still_there,
)
from target_mailing.postgrid.list_job import Follow
from target_mailing.postgrid.replace import Collect, DeleteOld, FollowOldImports, SubmitOldImports
from target_mailing.row import Row
from target_mailing.settings import StreamSettings

__all__ = ["PostgridImports"]

_is_variable = re.compile(r"[^.\[\]]+").fullmatch
_LEAVING: Final = frozenset({ACTIONS.remove, ACTIONS.unsubscribe, ACTIONS.ask})


class PostgridImports(Destination):
    """One mailing list of PostGrid, filled by imports."""

    actions = ACTIONS

    def __init__(
        self,
        client: PostgridClient,
        settings: StreamSettings,
        links: Links | None,
        *,
        replace: bool,
        allow_duplicates: bool,
        dry_run: bool = False,
    ) -> None:
        """Find the list.

        Args:
            client: of the account.
            settings: of the first stream that goes there.
            links: where files are put; None to upload them.
            replace: what earlier runs delivered leaves.
            allow_duplicates: deliver although nobody knows who is on the list.
            dry_run: do not make the list yet.

        Raises:
            ConfigurationError: it is missing, ambiguous, or filled by another route.
            MailingError: PostGrid could not be asked.
        """
        self._client = client
        self._links = links
        self._run_name = secrets.token_hex(8)
        self._list = ImportList(
            client,
            settings.lists[0],
            run_name=self._run_name,
            replace=replace,
            allow_duplicates=allow_duplicates,
            create=settings.create_list,
            dry_run=dry_run,
        )
        self._route = f"import-{self._run_name}" if replace else "import"
        self.name = f"postgrid:{client.account}:list:{self._list.id}"
        self.fields = fields(_identify)
        self.replaces_contents = replace
        self.holds_since = self._list.holds_since

    @property
    def places(self) -> Collection[str]:
        """The list."""
        return [f"list:{self._list.id}"]

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """All that a row of the file says; one that leaves needs nothing."""
        return b"{}" if action in _LEAVING else _checked(contact)

    def parts(self, action: str, rows: list[Row]) -> Sequence[tuple[str, list[Row]]]:
        """Batches of as many countries as one job may name imports, with the rows of each country together."""
        if action in _LEAVING:
            return [(self._route, rows)]
        rows = sorted(rows, key=lambda row: country_of(row.contact))
        countries = [list(group) for _, group in groupby(rows, lambda row: country_of(row.contact))]
        chunks = [countries[at : at + MAX_IMPORTS] for at in range(0, len(countries), MAX_IMPORTS)]
        return [(self._route, [row for country in chunk for row in country]) for chunk in chunks]

    def steps(self, action: str, route: str) -> Sequence[Step]:  # noqa: ARG002 - there is one way
        """The steps of a batch."""
        if action == ACTIONS.ask:
            return (Nothing(),)
        client, number = self._client, self._list.id
        return (
            Plan(self._list, self._links),
            CreateImports(client, number, self._run_name, self._links),
            Validate(client),
            *([] if self._links is None else [Clear(self._links)]),
            Check(client),
            SubmitImports(client, number, "addMailingListImports", checked),
            Follow(client, number),
            Judge(),
            Undo(client, number, "removeMailingListImports", still_there(client, "errors")),
            FollowUndone(client, number),
            Undone(client),
        )

    def can_resume(self, route: str, begun: Collection[str]) -> bool:  # noqa: ARG002 - whichever they are
        """Those of a run that was to replace the list, and of the run before it, are nothing to go on with."""
        return route == self._route

    def closing(self) -> Sequence[Step]:
        """The steps by which what earlier runs delivered leaves."""
        client, number = self._client, self._list.id
        return (
            Collect(client, self._list, self._run_name),
            SubmitOldImports(client, number, "removeMailingListImports", still_there(client, "collect")),
            FollowOldImports(client, number),
            DeleteOld(client),
        )


def _checked(contact: MappedContact) -> bytes:
    for column in FLAGS:
        if contact.columns.get(column):
            raise RowRejected("not_by_import", "cannot be told to PostGrid by route `import`", column=column)
    for name in contact.properties:
        if not _is_variable(name):
            raise RowRejected("not_by_import", f"property {name!r}: a merge variable's name has no period or bracket")
    return encoded(contact)


def _identify(contact: MappedContact, action: str) -> str:
    """All of a contact, since nothing of it can change; where it leaves, perhaps only its row's key can tell."""
    if contact.deleted:
        return ""
    try:
        return hashlib.blake2b(_checked(contact), digest_size=16).hexdigest()
    except RowRejected:
        if action in _LEAVING:
            return ""
        raise
