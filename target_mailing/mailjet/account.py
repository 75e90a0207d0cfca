"""One account of Mailjet, and the destinations in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailing_api.errors import ConfigurationError
from mailing_api.mailjet.client import MailjetClient
from mailing_api.settings import duration, lookup
from target_mailing.interface.provider import Account
from target_mailing.mailjet.contact_destination import ContactDestination
from target_mailing.mailjet.contact_route import MAX_ROWS
from target_mailing.mailjet.destination import MailjetDestination
from target_mailing.mailjet.provider import PROPERTY_DELAY, PROVIDER
from target_mailing.settings.settings import StreamSettings

__all__ = ["MailjetAccount", "connect"]


class MailjetAccount(Account):
    """One account of Mailjet."""

    def __init__(self, client: MailjetClient, *, property_delay: float) -> None:
        """Take the client, and the seconds to wait after creating a property."""
        self._client = client
        self._property_delay = property_delay
        self.label = client.account

    @property
    def tenant(self) -> str:
        """By endpoint and API key."""
        return self._client.tenant

    @property
    def rate(self) -> float | None:
        """Of its client."""
        return self._client.rate

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def check(self, settings: StreamSettings) -> None:
        """Check that the settings fit each other."""
        if settings.scope != "account" and len(settings.lists) != 1 and (settings.lists or settings.route != "contact"):
            raise ConfigurationError(
                "Setting `list`: name exactly one Mailjet list, by ID, name or address. Only `scope: account` allows "
                "several lists or none, and `route: contact` allows none."
            )
        if settings.scope == "account" and settings.route == "csv":
            raise ConfigurationError(
                "Setting `route` is 'csv', but Mailjet imports a CSV file into one list only: set `scope: list` or "
                "`route: auto`."
            )

    def destination(self, settings: StreamSettings, *, dry_run: bool = False) -> MailjetDestination:
        """One list, or the account."""
        self.check(settings)
        kind = ContactDestination if settings.route == "contact" else MailjetDestination
        return kind(self._client, settings, property_delay=self._property_delay, dry_run=dry_run)

    def shared(self, settings: StreamSettings) -> Any:
        """With `route: contact`, `consent` too, since the steps decide on the actions on lists that a row names."""
        return settings.create_list, settings.consent if settings.route == "contact" else None

    def most_rows(self, settings: StreamSettings) -> int:
        """Few with `route: contact`, since a whole batch is repeated after a kill."""
        return MAX_ROWS if settings.route == "contact" else PROVIDER.most_rows


def connect(config: Mapping[str, Any], **options: Any) -> MailjetAccount:
    """See `Provider.connect`."""
    delay = duration(PROPERTY_DELAY.name, lookup(PROPERTY_DELAY, config))
    return MailjetAccount(MailjetClient.from_settings(config, **options), property_delay=delay)
