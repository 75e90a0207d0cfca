"""An emulated MPDX (API v2)."""

from __future__ import annotations

from mailing_sandbox.mpdx.emulator import Mpdx
from mailing_sandbox.mpdx.switches import Switches

__all__ = ["Mpdx", "Switches"]
