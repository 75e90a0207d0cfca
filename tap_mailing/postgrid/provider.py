"""PostGrid as a provider of the tap, and its settings."""

from __future__ import annotations

from typing import Final

from mailing_api.postgrid.settings import POSTGRID_SETTINGS
from mailing_api.settings import Setting
from tap_mailing.provider import Provider

__all__ = ["INCLUDE_SIGNED_URLS", "PROVIDER"]

INCLUDE_SIGNED_URLS: Final = Setting(
    name="postgrid_include_signed_urls",
    title="Signed PostGrid URLs",
    description="Also read the temporary URLs of an import's file and report. Anyone with such a URL can download the "
    "file. Default: false.",
    type="boolean",
    default=False,
)

PROVIDER: Final = Provider(
    name="postgrid",
    title="PostGrid",
    settings=(*POSTGRID_SETTINGS, INCLUDE_SIGNED_URLS),
    selected_by=POSTGRID_SETTINGS[:1],
    connect="mailing_api.postgrid.client:PostgridClient.from_settings",
    streams="tap_mailing.postgrid.streams:STREAMS",
)
