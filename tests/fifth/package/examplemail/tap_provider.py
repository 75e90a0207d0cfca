"""Example Mail as a provider of the tap."""

from __future__ import annotations

from typing import Final

from examplemail.client import ExampleMailClient
from examplemail.settings import API_TOKEN, SETTINGS
from examplemail.streams import INCLUDE_OPTED_OUT, STREAMS
from tap_mailing.provider import Provider

__all__ = ["PROVIDER"]

PROVIDER: Final = Provider(
    name="examplemail",
    title="Example Mail",
    settings=(*SETTINGS, INCLUDE_OPTED_OUT),
    selected_by=(API_TOKEN,),
    connect=ExampleMailClient.from_settings,
    streams=STREAMS,
)
