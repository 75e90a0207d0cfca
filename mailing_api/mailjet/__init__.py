"""Mailjet: client, settings and responses."""

from __future__ import annotations

from mailing_api.mailjet.client import MAILJET_SETTINGS, PAGE_SIZE, MailjetClient
from mailing_api.mailjet.jobs import TERMINAL_STATUSES, CsvImport, Job

__all__ = ["MAILJET_SETTINGS", "PAGE_SIZE", "TERMINAL_STATUSES", "CsvImport", "Job", "MailjetClient"]
