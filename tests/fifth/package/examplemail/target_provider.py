"""Example Mail as a provider of the target, and the streams of contacts that its tap writes."""

from __future__ import annotations

from typing import Final

from examplemail.settings import API_TOKEN, SETTINGS
from mailing_api.settings import Setting
from target_mailing.interface.contact_streams import ContactStream
from target_mailing.interface.provider import Provider

__all__ = ["CONTACT_STREAMS", "DUPLICATES", "PROVIDER"]

DUPLICATES: Final = Setting(
    name="examplemail_duplicates",
    title="Example Mail: duplicates",
    description="Where several contacts have a row's address: `all` are updated, or only the `oldest`. Opt-outs and "
    "removals always go to all of them.",
    default="all",
    allowed=["all", "oldest"],
)

PROVIDER: Final = Provider(
    name="examplemail",
    title="Example Mail",
    settings=(*SETTINGS, DUPLICATES),
    selected_by=(API_TOKEN,),
    most_rows=1000,
    connect="examplemail.account:connect",
)

CONTACT_STREAMS: Final = (
    ContactStream(name="examplemail_contacts", columns=("email",), contacts="people with e-mail addresses"),
)
