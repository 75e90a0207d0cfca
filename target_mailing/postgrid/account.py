"""One account of PostGrid, and the destinations in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailing_api.errors import ConfigurationError
from mailing_api.postgrid.client import PostgridClient
from mailing_api.settings import lookup
from target_mailing.delivery.removal_limit import removal_limit
from target_mailing.interface.destination import Destination
from target_mailing.interface.provider import Account
from target_mailing.postgrid.contacts_destination import MAX_ROWS, ContactsDestination
from target_mailing.postgrid.file_links import Links
from target_mailing.postgrid.import_destination import ImportDestination
from target_mailing.postgrid.import_list import ImportList
from target_mailing.postgrid.list import TargetList
from target_mailing.postgrid.list_job import ReservedContacts
from target_mailing.postgrid.provider import ALLOW_DUPLICATES, API_KEY, DELETE_OLD, LIVE, PROVIDER, REPLACE
from target_mailing.settings.declared_settings import NO_JOURNAL, value_of
from target_mailing.settings.settings import StreamSettings

__all__ = ["PostgridAccount", "connect"]


class PostgridAccount(Account):
    """One account of PostGrid, its test data or its live data."""

    def __init__(self, client: PostgridClient, links: Links | None, config: Mapping[str, Any]) -> None:
        """Take the client, the bucket for the files of imports (None to upload them), and the configuration."""
        self._client = client
        self._links = links
        self._delete_old = bool(lookup(DELETE_OLD, config))
        self._replace = bool(lookup(REPLACE, config))
        self._allow_duplicates = bool(lookup(ALLOW_DUPLICATES, config))
        self._is_limited = not removal_limit(value_of("max_removals", config)).is_unlimited
        self._has_journal = config.get("journal") != NO_JOURNAL
        self._reserved = ReservedContacts()
        self.label = client.account

    @property
    def tenant(self) -> str:
        """By endpoint."""
        return self._client.tenant

    @property
    def rate(self) -> float | None:
        """Of its client."""
        return self._client.pace.rate

    def close(self) -> None:
        """Close the connections."""
        if self._links is not None:
            self._links.bucket.close()
        self._client.close()

    def check(self, settings: StreamSettings) -> None:
        """Check that the settings fit each other."""
        if len(settings.lists) != 1:
            raise ConfigurationError("Setting `list`: name exactly one PostGrid mailing list.")
        if settings.route != "import":
            if self._replace:
                raise ConfigurationError(
                    "Setting `postgrid_replace` needs `route: import`: set both, or remove `postgrid_replace`."
                )
            return
        if not self._has_journal and not self._allow_duplicates:
            raise ConfigurationError(
                "Setting `journal` is off, but with `route: import` only the journal knows the contacts on the list: "
                "a contact that is sent again would get two letters. Set `journal`, or accept that with "
                "`postgrid_allow_duplicate_import: true`."
            )
        if settings.send == "all" and not self._replace:
            raise ConfigurationError(
                "Setting `send: all` would add every contact to the list twice with `route: import`. To send all rows, "
                "set `postgrid_replace: true`, which removes the contacts of earlier runs."
            )

    def destination(self, settings: StreamSettings, *, dry_run: bool = False) -> Destination:
        """One list."""
        self.check(settings)
        client, identifier = self._client, settings.lists[0]
        if settings.route != "import":
            mailing_list = TargetList(
                client, identifier, route="contacts", create=settings.create_list, dry_run=dry_run
            )
            return ContactsDestination(client, mailing_list, self._reserved, delete_old=self._delete_old)
        if self._links is not None:
            self._links.bucket.check(self._links.prefix)
        import_list = ImportList(
            client,
            identifier,
            replace=self._replace,
            allow_duplicates=self._allow_duplicates,
            is_limited=self._is_limited,
            create=settings.create_list,
            dry_run=dry_run,
        )
        return ImportDestination(client, import_list, self._links)

    def shared(self, settings: StreamSettings) -> Any:
        """Whether the list may be created."""
        return settings.create_list

    def most_rows(self, settings: StreamSettings) -> int:
        """With contacts, as many as one job may name; PostGrid publishes no limit for the rows of an import."""
        return PROVIDER.most_rows if settings.route == "import" else MAX_ROWS


def connect(
    config: Mapping[str, Any], *, max_requests_per_second: float | None = None, **options: Any
) -> PostgridAccount:
    """See `Provider.connect`."""
    live = bool(lookup(LIVE, config))
    if not live and str(lookup(API_KEY, config) or "").startswith("live_"):
        raise ConfigurationError(
            "Setting `postgrid_live` must be true for a live key, since contacts on a live list may be sent printed "
            "letters. Set it, or use a test key."
        )
    links = Links.from_settings(config, **options)
    own = {**config, LIVE.name: live}
    client = PostgridClient.from_settings(own, max_requests_per_second=max_requests_per_second, **options)
    return PostgridAccount(client, links, config)
