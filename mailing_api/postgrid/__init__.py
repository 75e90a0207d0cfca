"""PostGrid: client, settings and responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailing_api.offered import offered

if TYPE_CHECKING:
    from mailing_api.postgrid.client import (
        PAGE_SIZE,
        Import,
        JobWork,
        Listing,
        MailingList,
        PostgridClient,
        Resource,
    )
    from mailing_api.postgrid.settings import POSTGRID_SETTINGS, postgrid_pace

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

__getattr__ = offered(__name__, "settings", "client")
