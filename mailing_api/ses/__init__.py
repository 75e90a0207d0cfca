"""Amazon SES: its client, its settings and what its answers mean."""

from __future__ import annotations

from mailing_api.ses.client import SES_SETTINGS, TERMINAL_STATUSES, SesClient

__all__ = ["SES_SETTINGS", "TERMINAL_STATUSES", "SesClient"]
