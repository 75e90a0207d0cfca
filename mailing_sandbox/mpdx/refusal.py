"""Error answers, in the envelope of JSON:API."""

from __future__ import annotations

from typing import Any

import msgspec

from mailing_sandbox.provider import Reply

MEDIA_TYPE = "application/vnd.api+json; charset=utf-8"
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    406: "Not Acceptable",
    409: "Conflict",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


def errors(status: int, detail: str | None = None, pointer: str | None = None) -> Reply:
    """Return an error answer; its `status` member is a string (MPDX reference, errors)."""
    error: dict[str, Any] = {"status": str(status), "title": TITLES.get(status, f"Error {status}")}
    if detail is not None:
        error["detail"] = detail
    if pointer is not None:
        error["source"] = {"pointer": pointer}
    return Reply(status, msgspec.json.encode({"errors": [error]}), MEDIA_TYPE)


class Refusal(Exception):
    """An error answer, raised by the routes."""

    def __init__(self, status: int, detail: str | None = None, pointer: str | None = None) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.pointer = pointer

    def reply(self) -> Reply:
        """Return the answer."""
        return errors(self.status, self.detail, self.pointer)


def unknown(kind: str, key: str) -> Refusal:
    """Return the answer about an object that does not exist or is not visible."""
    return Refusal(404, f"Couldn't find {kind} with 'id'={key}")


def no_route() -> Refusal:
    """Return the answer for an unknown path."""
    return Refusal(404, "Route not found")
