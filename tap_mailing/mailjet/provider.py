"""Mailjet as a provider of the tap, and its settings."""

from __future__ import annotations

from typing import Final

from mailing_api.mailjet.settings import MAILJET_SETTINGS
from mailing_api.settings import Setting
from tap_mailing.provider import Provider

__all__ = ["INCLUDE_ANONYMIZED", "PROVIDER"]

INCLUDE_ANONYMIZED: Final = Setting(
    name="mailjet_include_anonymized",
    title="Anonymized Mailjet contacts",
    description="Also read deleted, anonymized contacts, with `is_anonymized` true. Default: false.",
    type="boolean",
    default=False,
)

PROVIDER: Final = Provider(
    name="mailjet",
    title="Mailjet",
    settings=(*MAILJET_SETTINGS, INCLUDE_ANONYMIZED),
    selected_by=MAILJET_SETTINGS[:1],
    needed_with=MAILJET_SETTINGS[1:2],
    connect="mailing_api.mailjet.client:MailjetClient.from_settings",
    streams="tap_mailing.mailjet.streams:STREAMS",
)
