"""Mailjet: client, settings and responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailing_api.offered import offered

if TYPE_CHECKING:
    from mailing_api.mailjet.client import PAGE_SIZE, MailjetClient
    from mailing_api.mailjet.jobs import TERMINAL_STATUSES, CsvImport, Job
    from mailing_api.mailjet.settings import MAILJET_SETTINGS

__all__ = ["MAILJET_SETTINGS", "PAGE_SIZE", "TERMINAL_STATUSES", "CsvImport", "Job", "MailjetClient"]

__getattr__ = offered(__name__, "settings", "jobs", "client")
