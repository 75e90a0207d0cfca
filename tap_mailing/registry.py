"""All providers that the tap can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tap_mailing.mailjet import provider as mailjet
from tap_mailing.mpdx import provider as mpdx
from tap_mailing.postgrid import provider as postgrid
from tap_mailing.provider import Provider
from tap_mailing.ses import provider as ses

__all__ = ["PROVIDERS", "chosen"]

PROVIDERS: tuple[Provider, ...] = (mailjet.PROVIDER, mpdx.PROVIDER, postgrid.PROVIDER, ses.PROVIDER)


def chosen(config: Mapping[str, Any]) -> Sequence[Provider]:
    """The providers that the settings name; none if they name none."""
    return [provider for provider in PROVIDERS if provider.is_set(config)]
