"""An emulated PostGrid account (Print & Mail, contacts and mailing lists)."""

from __future__ import annotations

from mailing_sandbox.postgrid.course import Plan
from mailing_sandbox.postgrid.emulator import PostGrid
from mailing_sandbox.postgrid.switches import Switches

__all__ = ["Plan", "PostGrid", "Switches"]
