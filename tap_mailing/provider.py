"""What the tap asks of a provider: its settings, its client and its streams."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pkgutil import resolve_name
from typing import Any, cast

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.process.providers import InstalledProvider
from mailing_api.settings import lookup
from tap_mailing.streams.base import MailingStream
from tap_mailing.streams.connection import Client

__all__ = ["Provider", "name_of"]


class Provider(InstalledProvider, frozen=True, kw_only=True):
    """One provider as the tap sees it; an entry point of the group `tap_mailing.providers` leads to it.

    What it names as `module:name` is loaded when the provider is used.

    Attributes:
        connect: the function that makes the client from the configuration; keyword arguments are
            `max_requests_per_second` and those of `mailing_api.http.client.HttpClient`: `user_agent`, `retry`,
            `timeout`, `connections`, `allow_http`, `transport`, `traffic` and `budget`.
        streams: the classes of its streams. The name of each stream begins with the provider's name and `_`.
    """

    connect: str
    streams: str

    def client(self, config: Mapping[str, Any], **options: Any) -> Client:
        """The client of the account that the settings name.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        client: Client = resolve_name(self.connect)(config, **options)
        return client

    @property
    def stream_classes(self) -> Sequence[type[MailingStream[Any]]]:
        """The classes of its streams.

        Raises:
            ConfigurationError: the name of one does not begin with the provider's.
        """
        classes: Sequence[type[MailingStream[Any]]] = resolve_name(self.streams)
        if wrong := [name for name in map(name_of, classes) if not name.startswith(f"{self.name}_")]:
            raise ConfigurationError(
                f"Provider {self.name!r} has the stream {wrong[0]!r}, whose name must begin with `{self.name}_`. "
                "Correct or uninstall its package."
            )
        return classes

    def scope(self, config: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> bytes:
        """The settings that may limit what the provider lists: all that are no secret and not as by default."""
        found = {one.name: lookup(one, config, environ) for one in self.settings if not one.secret}
        given = {one.name: found[one.name] for one in self.settings if found.get(one.name) != one.default}
        return msgspec.json.encode(given, order="deterministic")


def name_of(stream: type[MailingStream[Any]]) -> str:
    """A stream's name, which the SDK declares for instances only."""
    return str(cast("Any", stream).name)
