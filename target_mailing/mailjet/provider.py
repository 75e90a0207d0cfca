"""Mailjet as a provider of the target, and its settings."""

from __future__ import annotations

from typing import Final

from mailing_api.mailjet.settings import MAILJET_SETTINGS
from mailing_api.settings import Setting
from target_mailing.interface.contact_streams import ContactStream
from target_mailing.interface.provider import Provider

__all__ = ["CONTACT_STREAMS", "PROPERTY_DELAY", "PROVIDER"]

PROPERTY_DELAY: Final = Setting(
    name="mailjet_property_delay",
    title="Mailjet property delay",
    description="Seconds to wait after a property is created, since Mailjet may not know it at once.",
    type=["number", "string"],
    default=3,
)

PROVIDER: Final = Provider(
    name="mailjet",
    title="Mailjet",
    settings=(*MAILJET_SETTINGS, PROPERTY_DELAY),
    selected_by=MAILJET_SETTINGS[:1],
    needed_with=MAILJET_SETTINGS[1:2],
    routes=("json", "csv", "auto", "contact"),
    about_routes="`json` (the default), JSON bulk jobs; `csv`, CSV files for all rows that a file can hold; `auto`, "
    "CSV files for large numbers of such rows, with the same result; `contact`, calls for one contact after the other, "
    "for small loads: rows may then name their own lists in a column `lists`.",
    connect="target_mailing.mailjet.account:connect",
    jobs_in_flight=20,
    erasing="DELETE /v4/contacts/{ContactID} anonymises the contact at once and permanently; the ID is in "
    "GET /v3/REST/contact/{address}. With the contact the opt-out is gone.",
)

#: Streams of contacts that the tap reads here.
CONTACT_STREAMS: Final = (
    ContactStream(name="mailjet_contacts", columns=("email",), contacts="people with e-mail addresses"),
)
