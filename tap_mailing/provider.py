"""What the tap asks of a provider: its settings, its client and its streams."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec

from mailing_api.process.providers import InstalledProvider
from mailing_api.settings import lookup
from tap_mailing.streams.base import MailingStream
from tap_mailing.streams.connection import Client

__all__ = ["Provider"]


class Provider(InstalledProvider, frozen=True, kw_only=True):
    """One provider as the tap sees it; an entry point of the group `tap_mailing.providers` leads to it.

    Attributes:
        connect: makes the client from the configuration; keyword arguments are `max_requests_per_second` and those of
            `mailing_api.http.client.HttpClient`: `user_agent`, `retry`, `timeout`, `connections`, `allow_http` and
            `transport`.
        streams: the classes of its streams.
    """

    connect: Callable[..., Client]
    streams: Sequence[type[MailingStream[Any]]]

    def scope(self, config: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> bytes:
        """The settings that may limit what the provider lists: all that are no secret and not as by default."""
        found = {one.name: lookup(one, config, environ) for one in self.settings if not one.secret}
        given = {one.name: found[one.name] for one in self.settings if found.get(one.name) != one.default}
        return msgspec.json.encode(given, order="deterministic")

    @property
    def stream_names(self) -> list[str]:
        """The names of its streams."""
        return [cast("Any", stream).name for stream in self.streams]  # the SDK declares it for instances only
