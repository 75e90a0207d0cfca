"""PostGrid: client, settings and responses."""

from __future__ import annotations

from mailing_api.postgrid.client import (
    PAGE_SIZE,
    POSTGRID_SETTINGS,
    Import,
    JobWork,
    Listing,
    MailingList,
    PostgridClient,
    Resource,
    postgrid_pace,
)

__all__ = [
    "PAGE_SIZE",
    "POSTGRID_SETTINGS",
    "Import",
    "JobWork",
    "Listing",
    "MailingList",
    "PostgridClient",
    "Resource",
    "postgrid_pace",
]
