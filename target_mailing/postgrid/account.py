"""PostGrid as a provider of the target: its settings, one account, and the destinations in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from mailing_api.postgrid.client import POSTGRID_SETTINGS, PostgridClient, postgrid_pace
from mailing_api.settings import Setting, lookup
from target_mailing.channel import BY_POST
from target_mailing.destination import Destination
from target_mailing.places import NO_JOURNAL
from target_mailing.postgrid.contacts_destination import MAX_ROWS, PostgridDestination
from target_mailing.postgrid.file_links import LINK_SETTINGS, Links
from target_mailing.postgrid.import_destination import PostgridImports
from target_mailing.postgrid.list_job import ReservedContacts
from target_mailing.provider import Account, Provider
from target_mailing.settings import StreamSettings

__all__ = ["PROVIDER"]

_LIVE: Final = next(one for one in POSTGRID_SETTINGS if one.name == "postgrid_live")
_API_KEY: Final = next(one for one in POSTGRID_SETTINGS if one.name == "postgrid_api_key")

_DELETE_OLD: Final = Setting(
    name="postgrid_delete_old_contacts",
    title="PostGrid: delete old contacts",
    description="Contacts that are taken off the list, because their row was deleted or changed, are deleted at "
    "PostGrid, if it says that they are on no other list.",
    type="boolean",
    default=False,
)


_REPLACE: Final = Setting(
    name="postgrid_replace",
    title="PostGrid: replace",
    description="With `route: import`: the input is all that is to be on the list. What earlier runs delivered is "
    "taken off it when all rows of this one are on it and the run has ended well; only then STATE leaves.",
    type="boolean",
    default=False,
)

_ALLOW_DUPLICATES: Final = Setting(
    name="postgrid_allow_duplicate_import",
    title="PostGrid: allow duplicate imports",
    description="With `route: import`: deliver also with `journal: off`, or with another journal than the one that "
    "filled the list, although people who are on it may then be on it twice and get two letters.",
    type="boolean",
    default=False,
)


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


def _connect(
    config: Mapping[str, Any], *, max_requests_per_second: float | None = None, **options: Any
) -> PostgridAccount:
    live = lookup(_LIVE, config)
    if not live and str(lookup(_API_KEY, config) or "").startswith("live_"):
        raise ConfigurationError(
            "Setting `postgrid_live` must be true for a live key: what is delivered to may be printed and posted."
        )
    links = Links.from_settings(config, **options)
    client = PostgridClient.from_settings(
        {**config, _LIVE.name: bool(live)}, pace=postgrid_pace(max_requests_per_second), **options
    )
    return PostgridAccount(
        client,
        links=links,
        delete_old=bool(lookup(_DELETE_OLD, config)),
        replace=bool(lookup(_REPLACE, config)),
        allow_duplicates=bool(lookup(_ALLOW_DUPLICATES, config)),
        has_journal=config.get("journal") != NO_JOURNAL,
    )


PROVIDER: Final = Provider(
    name="postgrid",
    title="PostGrid",
    settings=(*POSTGRID_SETTINGS, _DELETE_OLD, _REPLACE, _ALLOW_DUPLICATES, *LINK_SETTINGS),
    signs=(_API_KEY,),
    wanted="`postgrid_api_key`, or the environment variable POSTGRID_PRINT_MAIL_API_KEY",
    routes=("contacts", "import"),
    connect=_connect,
    channel=BY_POST,
    batches_at_once=1,
)
