"""Answers that several routes give."""

from __future__ import annotations

from typing import Any

import msgspec

from mailing_sandbox.provider import Reply


def reply(body: Any, status: int = 200) -> Reply:
    """Answer JSON."""
    return Reply(status, msgspec.json.encode(body))


def deleted(number: str, resource: str = "") -> Reply:
    """Answer that something is deleted; `resource` is shown if told."""
    return reply({"id": number, **({"object": resource} if resource else {}), "deleted": True})
