"""A PostGrid mailing list to deliver to: found, and marked with the route and the journal that fill it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError, NotFound, PermissionDenied, RequestRefused
from mailing_api.postgrid.client import MailingList, PostgridClient
from mailing_api.suggestions import did_you_mean

__all__ = ["CALLS_OF_A_MARK", "SEVERAL", "TargetList"]

#: The routes that fill a list.
_ROUTES: Final = ("contacts", "import")
#: How PostGrid's IDs of imports and of lists begin.
_IMPORT_ID: Final = "mailing_list_import_"
_LIST_ID: Final = "mailing_list_"
#: Keys of a list's metadata.
_ROUTE: Final = "target_mailing_route"
_JOURNAL: Final = "target_mailing_journal"
#: Values of the journal's key: a journal that ended with its run, and several journals.
_NONE: Final = "none"
SEVERAL: Final = "several"
#: The list is read, and its metadata are written.
CALLS_OF_A_MARK: Final = 2


class TargetList:
    """One list."""

    def __init__(self, client: PostgridClient, identifier: str, *, route: str, create: bool, dry_run: bool) -> None:
        """Find the list, by its ID or its description.

        Args:
            client: of the account.
            identifier: ID or description.
            route: the route that fills it.
            create: create it if no list has that description.
            dry_run: do not create it yet.

        Raises:
            ConfigurationError: it is missing, ambiguous, or was filled by another route.
        """
        self._client = client
        self._route = route
        self._is_mark_foreseen = False
        self.id = ""
        #: As it was when the list was found.
        self.metadata: Mapping[str, Any] = {}
        mailing_list = _find(client, identifier)
        if mailing_list is None and not create:
            raise ConfigurationError(
                f"Setting `list`: PostGrid has no mailing list with the ID or description {identifier!r}."
                f"{_alike(client, identifier)} Correct it, or set `create_list: true`."
            )
        if mailing_list is None and not dry_run:
            mailing_list = _create(client, identifier, route)
        if mailing_list is not None:
            self.id, self.metadata = mailing_list.id, mailing_list.metadata
        before = self.metadata.get(_ROUTE, route)
        if before != route:
            # The provider's value is quoted only where it is one of ours.
            other, remedy = "another route", "Choose"
            if before in _ROUTES:
                other, remedy = f"route {before!r}", f"Set `route: {before}`, or choose"
            raise ConfigurationError(
                f"Setting `route` is {route!r}, but the list was filled by {other}: contacts delivered by both would "
                f"get two letters. {remedy} another list."
            )

    def read(self) -> MailingList:
        """The list now."""
        return self._client.mailing_list(self.id)

    def belongs_to(self, journal: str) -> bool:
        """Whether no other journal filled the list."""
        return bool(self.read().metadata.get(_JOURNAL, journal) == journal)

    def is_known_to(self, journal: str) -> bool:
        """Whether this journal, which is about to change the list, knows all contacts on it.

        The first journal marks the list as its own. With a second one, no journal knows all contacts any longer.

        Args:
            journal: its name; "" for a journal that ends with the run.
        """
        owner = self.read().metadata.get(_JOURNAL)
        if owner is None:
            self.mark(journal, {})
        elif owner != journal and owner not in (_NONE, SEVERAL):
            self.mark(SEVERAL, {})
        return owner in (None, journal)

    def calls_to_mark(self, journal: str) -> int:
        """How many calls a run makes to mark the list for this journal, if it is not marked; counted once in a plan."""
        is_counted, self._is_mark_foreseen = self._is_mark_foreseen, True
        owner = self.metadata.get(_JOURNAL)
        return 0 if is_counted or owner in (journal, _NONE, SEVERAL) else CALLS_OF_A_MARK

    def mark(self, journal: str, marks: Mapping[str, str]) -> None:
        """Mark the list with its route, a journal, and these marks; other metadata stays."""
        metadata = self.read().metadata
        added = {_ROUTE: self._route, _JOURNAL: journal or _NONE, **marks}
        self._client.update_metadata(self.id, {**metadata, **added})


def _create(client: PostgridClient, description: str, route: str) -> MailingList:
    """A new list; or the list that another worker created at the same time: PostGrid allows equal descriptions."""
    try:
        created = client.create_mailing_list(description, {_ROUTE: route})
    except (RequestRefused, PermissionDenied) as error:
        raise ConfigurationError(
            f"Setting `create_list`: PostGrid refuses to create a mailing list with the description {description!r} "
            f"({error.code_or_status}). Choose another description in `list`, or create the list at "
            "PostGrid yourself."
        ) from None
    first = min(_described(client, description), default=("", created.id))[1]
    if first == created.id:
        return created
    client.delete_mailing_list(created.id)
    return client.mailing_list(first)


def _described(client: PostgridClient, description: str) -> set[tuple[str, str]]:
    """The lists with a description: when each was created, and its ID."""
    rows = (row for page in client.rows("mailing_lists") for row in page if row.get("description") == description)
    return {(str(row.get("createdAt", "")), str(row["id"])) for row in rows}


def _alike(client: PostgridClient, description: str) -> str:
    """A question that names a list with a similar description."""
    rows = (row.get("description") for page in client.rows("mailing_lists") for row in page)
    return did_you_mean([description], [name for name in rows if isinstance(name, str)])


def _find(client: PostgridClient, identifier: str) -> MailingList | None:
    if identifier.startswith(_IMPORT_ID):
        raise ConfigurationError("Setting `list` is the ID of an import; name a mailing list instead.")
    if identifier.startswith(_LIST_ID):
        try:
            return client.mailing_list(identifier)
        except NotFound:
            raise ConfigurationError(
                f"Setting `list`: PostGrid has no mailing list with the ID {identifier}. Correct it, or use the "
                "description of the list."
            ) from None
    ids = {list_id for _, list_id in _described(client, identifier)}
    if len(ids) > 1:
        # Only an ID of PostGrid's form can be set; whatever else an answer has in its place is not shown.
        shown = ", ".join(sorted(one for one in ids if one.startswith(_LIST_ID) and one.isidentifier()))
        raise ConfigurationError(
            f"Setting `list`: several PostGrid mailing lists have the description {identifier!r} "
            f"({shown}); use the ID instead."
        )
    return client.mailing_list(ids.pop()) if ids else None
