"""Error answers, raised by the routes."""

from __future__ import annotations

from typing import Any

import msgspec

from mailing_sandbox.provider import Reply


class Refusal(Exception):
    """An error answer in Mailjet's envelope; `info` and `message` may be objects (Mailjet reference, errors)."""

    def __init__(self, status: int, message: Any, info: Any = "", content_type: str = "application/json") -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.info = info
        self.content_type = content_type

    def reply(self) -> Reply:
        """Return the answer; its reason phrase repeats a simple message."""
        body = {"ErrorInfo": self.info, "ErrorMessage": self.message, "StatusCode": self.status}
        reason = self.message if isinstance(self.message, str) and self.message.isprintable() else ""
        return Reply(self.status, msgspec.json.encode(body), self.content_type, reason=reason[:200].strip())


class Dropped(Exception):
    """The connection is reset instead of answered (Mailjet reference, size limits)."""


def not_found() -> Refusal:
    """Return the answer about any REST object that does not exist."""
    return Refusal(404, "Object not found")


def no_source(content_type: str) -> Refusal:
    """Return the answer about any DATA object that does not exist: JSON under the mime of the request."""
    return Refusal(404, "Source object not found", content_type=content_type)
