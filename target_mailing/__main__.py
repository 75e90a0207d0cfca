"""`python -m target_mailing`."""

from __future__ import annotations

from target_mailing.target import TargetMailing

TargetMailing.cli()
