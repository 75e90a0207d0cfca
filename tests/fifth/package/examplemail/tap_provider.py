"""Example Mail as a provider of the tap."""

from __future__ import annotations

from typing import Final

from examplemail.settings import API_TOKEN, SETTINGS
from mailing_api.settings import Setting
from tap_mailing.provider import Provider

__all__ = ["INCLUDE_OPTED_OUT", "PROVIDER"]

INCLUDE_OPTED_OUT: Final = Setting(
    name="examplemail_include_opted_out",
    title="Example Mail: include opted-out contacts",
    description="Read contacts that opted out, too.",
    type="boolean",
    default=True,
)

PROVIDER: Final = Provider(
    name="examplemail",
    title="Example Mail",
    settings=(*SETTINGS, INCLUDE_OPTED_OUT),
    selected_by=(API_TOKEN,),
    connect="examplemail.client:ExampleMailClient.from_settings",
    streams="examplemail.streams:STREAMS",
)
