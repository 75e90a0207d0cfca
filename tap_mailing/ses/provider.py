"""Amazon SES as a provider of the tap, and its settings."""

from __future__ import annotations

from typing import Final

from mailing_api.ses.settings import SES_SETTINGS
from mailing_api.settings import Setting
from tap_mailing.provider import Provider

__all__ = ["IMPORT_DESTINATION", "MAX_DETAILS", "PROVIDER"]

IMPORT_DESTINATION: Final = Setting(
    name="ses_import_destination",
    title="Amazon SES import destination",
    description="Read only the import jobs of this destination. Unset: all.",
    allowed=("contact_list", "suppression_list"),
)

MAX_DETAILS: Final = Setting(
    name="ses_max_details",
    title="Amazon SES details a run",
    description="How many rows a details stream reads in a run and region; each row takes a request, and Amazon SES "
    "allows one request a second. The next run continues with the oldest remaining row. A stream that is read in full "
    "has no limit. Default: 3600, about an hour.",
    type="integer",
    default=3600,
)

PROVIDER: Final = Provider(
    name="ses",
    title="Amazon SES",
    settings=(*SES_SETTINGS, IMPORT_DESTINATION, MAX_DETAILS),
    selected_by=SES_SETTINGS[:1],
    connect="mailing_api.ses.client:SesClient.from_settings",
    streams="tap_mailing.ses.streams:STREAMS",
)
