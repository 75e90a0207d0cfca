"""One workspace of Example Mail, and the audiences in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from examplemail.client import ExampleMailClient
from examplemail.destination import Audience
from examplemail.target_provider import DUPLICATES
from mailing_api.errors import ConfigurationError
from mailing_api.settings import lookup
from target_mailing.interface.provider import Account
from target_mailing.settings.settings import StreamSettings

__all__ = ["ExampleMailAccount", "connect"]


class ExampleMailAccount(Account):
    """One workspace."""

    def __init__(self, client: ExampleMailClient, *, only_oldest: bool) -> None:
        """Take the client, and whether only the oldest of several contacts with an address is updated."""
        self._client = client
        self._only_oldest = only_oldest
        self.label = client.account

    @property
    def tenant(self) -> str:
        """By endpoint and workspace."""
        return self._client.tenant

    def check(self, settings: StreamSettings) -> None:
        """See that there is one list."""
        if len(settings.lists) != 1:
            raise ConfigurationError("Setting `list`: give the one audience of Example Mail to deliver to.")

    def destination(self, settings: StreamSettings, *, dry_run: bool = False) -> Audience:
        """The audience that `list` names by ID or title."""
        self.check(settings)
        name = settings.lists[0]
        found = [
            str(row["id"])
            for page in self._client.rows("audiences")
            for row in page
            if name in {row["id"], row["title"]}
        ]
        if not found and settings.create_list:
            found = ["new" if dry_run else self._client.create_audience(name)]
        if len(found) != 1:
            what = "several audiences" if found else "no audience"
            raise ConfigurationError(
                f"Setting `list`: Example Mail has {what} with the ID or title {name!r}. Give the ID of one."
            )
        return Audience(self._client, found[0], only_oldest=self._only_oldest)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def connect(config: Mapping[str, Any], **options: Any) -> ExampleMailAccount:
    """See `Provider.connect`."""
    client = ExampleMailClient.from_settings(config, **options)
    return ExampleMailAccount(client, only_oldest=lookup(DUPLICATES, config) == "oldest")
