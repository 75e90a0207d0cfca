"""PostGrid as a provider of the target: its settings, one account, and the destinations in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.postgrid import POSTGRID_SETTINGS, PostgridClient, postgrid_pace
from mailing_api.settings import Setting, lookup
from target_mailing.postgrid import MAX_ROWS, PostgridDestination, PostgridTarget
from target_mailing.provider import Provider
from target_mailing.reach import BY_POST
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


class PostgridAccount:
    """One account of PostGrid, its test data or its live data."""

    def __init__(self, client: PostgridClient, *, delete_old: bool) -> None:
        """Take the client, and whether contacts that leave a list are deleted."""
        self._client = client
        self._delete_old = delete_old
        self.label = client.account

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def destination(self, settings: StreamSettings, *, dry_run: bool = False) -> PostgridDestination:
        """One list."""
        return PostgridDestination(self._client, self._target(settings), dry_run=dry_run)

    def manner(self, settings: StreamSettings) -> Any:
        """All that does not name the list."""
        return msgspec.structs.replace(self._target(settings), lists=())

    def most_rows(self, settings: StreamSettings) -> int:  # noqa: ARG002 - whatever they are
        """As many as one job may name."""
        return MAX_ROWS

    def _target(self, settings: StreamSettings) -> PostgridTarget:
        return PostgridTarget(
            lists=tuple(settings.lists),
            create_list=settings.create_list,
            delete_old=self._delete_old,
            poll_interval=settings.poll_interval,
            poll_max_interval=settings.poll_max_interval,
        )


def _connect(
    config: Mapping[str, Any], *, max_requests_per_second: float | None = None, **options: Any
) -> PostgridAccount:
    live = lookup(_LIVE, config)
    if not live and str(lookup(_API_KEY, config) or "").startswith("live_"):
        raise ConfigurationError(
            "Setting `postgrid_live` must be true for a live key: what is delivered to may be printed and posted."
        )
    client = PostgridClient.from_settings(
        {**config, _LIVE.name: bool(live)}, pace=postgrid_pace(max_requests_per_second), **options
    )
    return PostgridAccount(client, delete_old=bool(lookup(_DELETE_OLD, config)))


PROVIDER: Final = Provider(
    name="postgrid",
    title="PostGrid",
    settings=(*POSTGRID_SETTINGS, _DELETE_OLD),
    signs=(_API_KEY,),
    wanted="`postgrid_api_key`, or the environment variable POSTGRID_PRINT_MAIL_API_KEY",
    routes=(),
    connect=_connect,
    reach=BY_POST,
    batches_at_once=1,
)
