"""Mailjet as a provider of the target: its settings, one account, and the destinations in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from mailing_api.http.pace import Pace
from mailing_api.mailjet.client import MAILJET_SETTINGS, MailjetClient
from mailing_api.settings import Setting, duration, lookup
from target_mailing.mailjet.bulk_destination import BulkDestination
from target_mailing.mailjet.contact_destination import ContactDestination
from target_mailing.mailjet.contact_route import MAX_ROWS
from target_mailing.mailjet.destination import MailjetDestination
from target_mailing.provider import Account, Provider
from target_mailing.settings import StreamSettings

__all__ = ["PROVIDER"]

_PROPERTY_DELAY: Final = Setting(
    name="mailjet_property_delay",
    title="Mailjet property delay",
    description="Seconds to wait after creating a property; Mailjet has been seen not to know a new one at once.",
    type=["number", "string"],
    default=3,
)


class MailjetAccount(Account):
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
        if settings.scope != "account" and len(settings.lists) != 1 and (settings.lists or settings.route != "contact"):
            raise ConfigurationError(
                "Setting `list`: give the one Mailjet list to deliver to, by ID, name or address (several only with "
                "`scope: account`, none with that or with `route: contact`)."
            )
        if settings.scope == "account" and settings.route == "csv":
            raise ConfigurationError(
                "Setting `route` is 'csv', but Mailjet imports CSV files into one list only: set `scope: list`, or "
                "`route: auto`."
            )

    def destination(self, settings: StreamSettings, *, dry_run: bool = False) -> MailjetDestination:
        """One list, or the account."""
        self.check(settings)
        kind = ContactDestination if settings.route == "contact" else BulkDestination
        return kind(self._client, settings, property_delay=self._property_delay, dry_run=dry_run)

    def shared(self, settings: StreamSettings) -> Any:
        """By bulk job the rows' actions were decided before; only on lists that a row names they are decided there."""
        return settings.create_list, settings.consent if settings.route == "contact" else None

    def most_rows(self, settings: StreamSettings) -> int:
        """Contact by contact, a batch is what comes again after a kill."""
        return MAX_ROWS if settings.route == "contact" else PROVIDER.most_rows


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
