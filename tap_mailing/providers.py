"""All providers that the tap can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tap_mailing import mailjet, mpdx, postgrid, ses
from tap_mailing.provider import Provider

__all__ = ["PROVIDERS", "chosen"]

PROVIDERS: tuple[Provider, ...] = (mailjet.PROVIDER, mpdx.PROVIDER, postgrid.PROVIDER, ses.PROVIDER)


def chosen(config: Mapping[str, Any]) -> Sequence[Provider]:
    """The providers that the settings name; none if they name none."""
    return [provider for provider in PROVIDERS if provider.is_set(config)]
