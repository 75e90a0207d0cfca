"""An emulated Amazon SES account (API v2, contact side), and the S3 and STS that go with it (from moto)."""

from __future__ import annotations

from mailing_sandbox.ses.emulator import Ses
from mailing_sandbox.ses.jobs import Plan
from mailing_sandbox.ses.storage import Storage
from mailing_sandbox.ses.switches import Switches

__all__ = ["Plan", "Ses", "Storage", "Switches"]
