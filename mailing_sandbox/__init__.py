"""Local emulators of mailing providers, with fault injection."""

from __future__ import annotations

from mailing_sandbox.server import Sandbox

__all__ = ["Sandbox"]
