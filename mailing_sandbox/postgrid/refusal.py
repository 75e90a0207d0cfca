"""Error answers, raised by the routes, in PostGrid's one envelope."""

from __future__ import annotations

import msgspec

from mailing_sandbox.provider import Reply

NAMES = {"contact": "Contact", "mailing_list": "Mailing list", "mailing_list_import": "Mailing list import"}
"""How messages call a resource, by the beginning of its IDs."""

TYPES = {
    400: "validation_error",
    401: "invalid_api_key_error",
    404: "not_found_error",
    429: "rate_limit_exceeded_error",
    503: "service_unavailable_error",
}
"""Error types by status, for errors that tests inject. Only 500 and what is not here are words of the sandbox."""


class Refusal(Exception):
    """An error answer: `kind` is the machine's word, `message` the human's (PostGrid reference, errors)."""

    def __init__(self, status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, kind)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = headers or {}

    def reply(self) -> Reply:
        """Return the answer."""
        body = {"object": "error", "error": {"type": self.kind, "message": self.message}}
        return Reply(self.status, msgspec.json.encode(body), headers=self.headers)


def invalid(complaint: str) -> Refusal:
    """Return the answer about a body or a parameter that cannot be accepted."""
    return Refusal(400, "validation_error", f"Failed to satisfy the following constraints: {complaint}")


def unknown_route(method: str, path: str) -> Refusal:
    """Return the answer about a path or method that PostGrid does not have."""
    return Refusal(404, "not_found_error", f"There is no {method} {path}.")


def unknown(resource: str, number: str, *, generic: bool) -> Refusal:
    """Return the answer about an ID that nothing has; `generic` as the OpenAPI document types it."""
    kind = "not_found_error" if generic else f"{resource}_not_found_error"
    return Refusal(404, kind, f"{NAMES[resource]} with ID {number} was not found.")
