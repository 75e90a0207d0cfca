"""`python -m tap_mailing`."""

from __future__ import annotations

from tap_mailing.tap import TapMailing

TapMailing.cli()
