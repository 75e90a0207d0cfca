"""PostGrid's mailing list that is delivered to: found, and marked with the route and the journal that fill it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError, NotFound, PermissionDenied, RequestRefused
from mailing_api.postgrid.client import MailingList, PostgridClient
from mailing_api.suggestions import did_you_mean

__all__ = ["TargetList"]

#: Keys of a list's metadata.
_ROUTE: Final = "target_mailing_route"
_JOURNAL: Final = "target_mailing_journal"
#: Stands for a journal that ended with its run.
_NONE: Final = "none"
#: Stands for one and others.
_SEVERAL: Final = "several"


class TargetList:
    """One list."""

    def __init__(self, client: PostgridClient, wanted: str, *, route: str, create: bool, dry_run: bool) -> None:
        """Find the list, by its ID or its description.

        Args:
            client: of the account.
            wanted: ID or description.
            route: how it is to be filled.
            create: make it if there is none of that description.
            dry_run: do not make it yet.

        Raises:
            ConfigurationError: it is missing, ambiguous, or was filled by another route.
        """
        self._client = client
        self._route = route
        #: As it was when it was found.
        self.metadata: Mapping[str, Any] = {}
        found = _found(client, wanted)
        if found is None and create:
            found = None if dry_run else _made(client, wanted, route)
        elif found is None:
            raise ConfigurationError(
                f"Setting `list`: PostGrid has no mailing list with the ID or description {wanted!r}."
                f"{_alike(client, wanted)} Correct it, or set `create_list: true`."
            )
        self.id = ""
        if found is not None:
            self.id, self.metadata = found.id, found.metadata
        before = self.metadata.get(_ROUTE, route)
        if before != route:
            raise ConfigurationError(
                f"Setting `route` is {route!r}, but the list was filled by route {before!r}: people delivered "
                "by both would get two letters. Set that, or choose another list."
            )

    def look(self) -> MailingList:
        """The list as it stands."""
        return self._client.mailing_list(self.id)

    def belongs_to(self, journal: str) -> bool:
        """Whether no other journal filled the list."""
        return bool(self.look().metadata.get(_JOURNAL, journal) == journal)

    def is_known_to(self, journal: str) -> bool:
        """Whether all that the list was filled with is in this journal, which is about to change what is there.

        The first to fill a list marks it as its own. When another one comes, none knows all of it any more.

        Args:
            journal: its name; "" for one that ends with the run.
        """
        metadata = self.look().metadata
        if _JOURNAL not in metadata:
            self.mark(journal, {})
            return True
        if metadata[_JOURNAL] == journal:
            return True
        if metadata[_JOURNAL] not in {_NONE, _SEVERAL}:
            self.mark(_SEVERAL, {})
        return False

    def mark(self, journal: str, marks: Mapping[str, str]) -> None:
        """Mark the list with its route, a journal, and more, beside what its metadata holds now."""
        metadata = self.look().metadata
        given = {_ROUTE: self._route, _JOURNAL: journal or _NONE, **marks}
        self._client.update_metadata(self.id, {**metadata, **given})


def _made(client: PostgridClient, wanted: str, route: str) -> MailingList:
    """A new list; or the one that another worker made at the same time: PostGrid allows two of one description."""
    try:
        made = client.create_mailing_list(wanted, {_ROUTE: route})
    except (RequestRefused, PermissionDenied) as error:
        raise ConfigurationError(
            f"Setting `create_list`: PostGrid refuses to make a mailing list described as {wanted!r} "
            f"({error.code or f'HTTP {error.status}'}). Choose another description in `list`, or make the list at "
            "PostGrid by hand."
        ) from None
    first = min(_described(client, wanted), default=("", made.id))[1]
    if first == made.id:
        return made
    client.delete_mailing_list(made.id)
    return client.mailing_list(first)


def _described(client: PostgridClient, wanted: str) -> set[tuple[str, str]]:
    """The lists of a description: when each was made, and its ID."""
    rows = (row for page in client.rows("mailing_lists") for row in page if row.get("description") == wanted)
    return {(str(row.get("createdAt", "")), str(row["id"])) for row in rows}


def _alike(client: PostgridClient, wanted: str) -> str:
    """A question that names a list with a similar description."""
    rows = (row.get("description") for page in client.rows("mailing_lists") for row in page)
    return did_you_mean([wanted], [name for name in rows if isinstance(name, str)])


def _found(client: PostgridClient, wanted: str) -> MailingList | None:
    if wanted.startswith("mailing_list_import_"):
        raise ConfigurationError("Setting `list` is the ID of an import; give that of a mailing list.")
    if wanted.startswith("mailing_list_"):
        try:
            return client.mailing_list(wanted)
        except NotFound:
            raise ConfigurationError(f"Setting `list`: PostGrid has no mailing list with the ID {wanted}.") from None
    ids = {number for _, number in _described(client, wanted)}
    if len(ids) > 1:
        raise ConfigurationError(
            f"Setting `list`: several PostGrid mailing lists are described as {wanted!r} ({', '.join(sorted(ids))}); "
            "give the ID."
        )
    return client.mailing_list(ids.pop()) if ids else None
