"""The streams of contacts that the tap reads from MPDX, to which nothing is delivered."""

from __future__ import annotations

from typing import Final

from target_mailing.interface.contact_streams import ContactStream

__all__ = ["CONTACT_STREAMS"]

CONTACT_STREAMS: Final = (
    ContactStream(name="mpdx_contacts", columns=("address_line1",), contacts="households with postal addresses"),
    ContactStream(name="mpdx_people", columns=("email",), contacts="people with e-mail addresses"),
)
