"""Amazon SES: its client, its settings and what its answers mean."""

from __future__ import annotations

from mailing_api.ses.client import SES_SETTINGS, SesClient
from mailing_api.ses.words import TERMINAL_STATUSES

__all__ = ["SES_SETTINGS", "TERMINAL_STATUSES", "SesClient"]
