"""An emulated Mailjet account (Email API v3)."""

from __future__ import annotations

from mailing_sandbox.mailjet.emulator import Mailjet
from mailing_sandbox.mailjet.jobs import Plan
from mailing_sandbox.mailjet.switches import Switches

__all__ = ["Mailjet", "Plan", "Switches"]
