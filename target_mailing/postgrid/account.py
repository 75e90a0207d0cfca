"""One account of PostGrid, and the destinations in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailing_api.errors import ConfigurationError
from mailing_api.postgrid.client import PostgridClient, postgrid_pace
from mailing_api.settings import lookup
from target_mailing.destination import Destination
from target_mailing.places import NO_JOURNAL
from target_mailing.postgrid.contacts_destination import MAX_ROWS, PostgridDestination
from target_mailing.postgrid.file_links import Links
from target_mailing.postgrid.import_destination import PostgridImports
from target_mailing.postgrid.list_job import ReservedContacts
from target_mailing.postgrid.provider import ALLOW_DUPLICATES, API_KEY, DELETE_OLD, LIVE, PROVIDER, REPLACE
from target_mailing.provider import Account
from target_mailing.settings import StreamSettings

__all__ = ["PostgridAccount", "connect"]


class PostgridAccount(Account):
    """One account of PostGrid, its test data or its live data."""

    def __init__(
        self,
        client: PostgridClient,
        *,
        links: Links | None,
        delete_old: bool,
        replace: bool,
        allow_duplicates: bool,
        has_journal: bool,
    ) -> None:
        """Take the client.

        Args:
            client: of the account.
            links: where files of imports are put; None to upload them.
            delete_old: contacts that leave a list are deleted.
            replace: lists filled by imports are replaced.
            allow_duplicates: they may be filled although nobody knows who is on them.
            has_journal: what is delivered is remembered after the run.
        """
        self._client = client
        self._links = links
        self._delete_old = delete_old
        self._replace = replace
        self._allow_duplicates = allow_duplicates
        self._has_journal = has_journal
        self._joining = ReservedContacts()
        self.label = client.account

    @property
    def tenant(self) -> str:
        """By endpoint."""
        return self._client.tenant

    def close(self) -> None:
        """Close the connections."""
        if self._links is not None:
            self._links.close()
        self._client.close()

    def check(self, settings: StreamSettings) -> None:
        """See that the settings fit each other."""
        if len(settings.lists) != 1:
            raise ConfigurationError("Setting `list`: give the one PostGrid mailing list to deliver to.")
        if settings.route != "import":
            if self._replace:
                raise ConfigurationError("Setting `postgrid_replace` needs `route: import`: set that, or leave it out.")
            return
        if not self._has_journal and not self._allow_duplicates:
            raise ConfigurationError(
                "Setting `journal` is off, but with `route: import` only the journal knows who is on the list: whoever "
                "is sent again would get two letters. Set it; `postgrid_allow_duplicate_import: true` takes the risk."
            )
        if settings.send == "all" and not self._replace:
            raise ConfigurationError(
                "Setting `send: all` would put everybody on the list twice with `route: import`. To send all rows, "
                "set `postgrid_replace: true`, which takes off what was there."
            )

    def destination(self, settings: StreamSettings, *, dry_run: bool = False) -> Destination:
        """One list."""
        self.check(settings)
        if settings.route != "import":
            return PostgridDestination(
                self._client, settings, self._joining, delete_old=self._delete_old, dry_run=dry_run
            )
        if self._links is not None:
            self._links.check()
        return PostgridImports(
            self._client,
            settings,
            self._links,
            replace=self._replace,
            allow_duplicates=self._allow_duplicates,
            dry_run=dry_run,
        )

    def shared(self, settings: StreamSettings) -> Any:
        """Whether the list may be made."""
        return settings.create_list

    def most_rows(self, settings: StreamSettings) -> int:
        """By contacts as many as one job may name; PostGrid publishes no limit of an import's rows."""
        return PROVIDER.most_rows if settings.route == "import" else MAX_ROWS


def connect(
    config: Mapping[str, Any], *, max_requests_per_second: float | None = None, **options: Any
) -> PostgridAccount:
    """See `Provider.connect`."""
    live = lookup(LIVE, config)
    if not live and str(lookup(API_KEY, config) or "").startswith("live_"):
        raise ConfigurationError(
            "Setting `postgrid_live` must be true for a live key: what is delivered to may be printed and posted."
        )
    links = Links.from_settings(config, **options)
    client = PostgridClient.from_settings(
        {**config, LIVE.name: bool(live)}, pace=postgrid_pace(max_requests_per_second), **options
    )
    return PostgridAccount(
        client,
        links=links,
        delete_old=bool(lookup(DELETE_OLD, config)),
        replace=bool(lookup(REPLACE, config)),
        allow_duplicates=bool(lookup(ALLOW_DUPLICATES, config)),
        has_journal=config.get("journal") != NO_JOURNAL,
    )
