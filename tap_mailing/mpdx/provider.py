"""MPDX as a provider of the tap, and its settings."""

from __future__ import annotations

from typing import Final

from mailing_api.mpdx.settings import MPDX_SETTINGS
from tap_mailing.provider import Provider

__all__ = ["PROVIDER"]

PROVIDER: Final = Provider(
    name="mpdx",
    title="MPDX",
    settings=MPDX_SETTINGS,
    selected_by=MPDX_SETTINGS[:2],
    connect="mailing_api.mpdx.client:MpdxClient.from_settings",
    streams="tap_mailing.mpdx.streams:STREAMS",
)
