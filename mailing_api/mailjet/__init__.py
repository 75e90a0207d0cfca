"""Mailjet: its client, its settings and what its answers mean."""

from __future__ import annotations

from mailing_api.mailjet.client import MAILJET_SETTINGS, PAGE_SIZE, TERMINAL_STATUSES, CsvImport, Job, MailjetClient

__all__ = ["MAILJET_SETTINGS", "PAGE_SIZE", "TERMINAL_STATUSES", "CsvImport", "Job", "MailjetClient"]
