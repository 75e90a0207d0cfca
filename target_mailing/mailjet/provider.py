"""Mailjet as a provider of the target, and its settings."""

from __future__ import annotations

from typing import Final

from mailing_api.mailjet import MAILJET_SETTINGS
from mailing_api.settings import Setting
from target_mailing.provider import Provider

__all__ = ["PROPERTY_DELAY", "PROVIDER"]

PROPERTY_DELAY: Final = Setting(
    name="mailjet_property_delay",
    title="Mailjet property delay",
    description="Seconds to wait after creating a property; Mailjet has been seen not to know a new one at once.",
    type=["number", "string"],
    default=3,
)

PROVIDER: Final = Provider(
    name="mailjet",
    title="Mailjet",
    settings=(*MAILJET_SETTINGS, PROPERTY_DELAY),
    signs=MAILJET_SETTINGS[:1],
    wanted="`mailjet_api_key` and `mailjet_secret_key`, or the environment variables MJ_APIKEY_PUBLIC and "
    "MJ_APIKEY_PRIVATE",
    routes=("json", "csv", "auto", "contact"),
    connect="target_mailing.mailjet.account:connect",
)
