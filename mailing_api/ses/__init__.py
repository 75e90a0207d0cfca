"""Amazon SES: its client, its settings and what its answers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailing_api.offered import offered

if TYPE_CHECKING:
    from mailing_api.ses.client import SesClient
    from mailing_api.ses.settings import SES_SETTINGS
    from mailing_api.ses.words import TERMINAL_STATUSES

__all__ = ["SES_SETTINGS", "TERMINAL_STATUSES", "SesClient"]

__getattr__ = offered(__name__, "settings", "words", "client")
