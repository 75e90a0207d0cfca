"""Mailjet as a provider of the target: its settings, one account, and the destinations in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mailing_api.http.pace import Pace
from mailing_api.mailjet.client import MAILJET_SETTINGS, MailjetClient
from mailing_api.settings import Setting, duration, lookup
from target_mailing.mailjet.contact_route import MAX_ROWS
from target_mailing.mailjet.destination import MailjetDestination, MailjetTarget
from target_mailing.provider import Provider
from target_mailing.settings import StreamSettings

__all__ = ["PROVIDER"]

_PROPERTY_DELAY: Final = Setting(
    name="mailjet_property_delay",
    title="Mailjet property delay",
    description="Seconds to wait after creating a property; Mailjet has been seen not to know a new one at once.",
    type=["number", "string"],
    default=3,
)


class MailjetAccount:
    """One account of Mailjet."""

    def __init__(self, client: MailjetClient, *, property_delay: float) -> None:
        """Take the client, and the seconds to wait after creating a property."""
        self._client = client
        self._property_delay = property_delay
        self.label = client.account

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def check(self, settings: StreamSettings) -> None:
        """See that the settings fit each other."""
        self._target(settings).check()

    def destination(self, settings: StreamSettings, *, dry_run: bool = False) -> MailjetDestination:
        """One list, or the account."""
        return MailjetDestination(self._client, self._target(settings), dry_run=dry_run)

    def manner(self, settings: StreamSettings) -> Any:
        """All that does not name the list."""
        return msgspec.structs.replace(self._target(settings), lists=())

    def most_rows(self, settings: StreamSettings) -> int:
        """Contact by contact, a batch is what comes again after a kill."""
        return MAX_ROWS if settings.route == "contact" else PROVIDER.most_rows

    def _target(self, settings: StreamSettings) -> MailjetTarget:
        return MailjetTarget(
            lists=tuple(settings.lists),
            account_wide=settings.scope == "account",
            create_list=settings.create_list,
            # By bulk job the rows' actions were decided before; only lists that a row names are decided there.
            consent=settings.consent if settings.route == "contact" else "respect",
            route=settings.route or PROVIDER.routes[0],
            poll_interval=settings.poll_interval,
            poll_max_interval=settings.poll_max_interval,
            property_delay=self._property_delay,
        )


def _connect(
    config: Mapping[str, Any], *, max_requests_per_second: float | None = None, **options: Any
) -> MailjetAccount:
    delay = duration(_PROPERTY_DELAY.name, lookup(_PROPERTY_DELAY, config))
    client = MailjetClient.from_settings(config, pace=Pace(max_requests_per_second), **options)
    return MailjetAccount(client, property_delay=delay)


PROVIDER: Final = Provider(
    name="mailjet",
    title="Mailjet",
    settings=(*MAILJET_SETTINGS, _PROPERTY_DELAY),
    signs=MAILJET_SETTINGS[:1],
    wanted="`mailjet_api_key` and `mailjet_secret_key`, or the environment variables MJ_APIKEY_PUBLIC and "
    "MJ_APIKEY_PRIVATE",
    routes=("json", "csv", "auto", "contact"),
    connect=_connect,
)
