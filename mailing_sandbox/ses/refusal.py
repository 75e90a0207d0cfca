"""Error answers of SES, raised by the routes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from mailing_sandbox.provider import Reply
from mailing_sandbox.ses.records import NAME

if TYPE_CHECKING:
    from mailing_sandbox.ses.switches import Switches

STATUSES = {
    "AccessDeniedException": 403,
    "ConcurrentModificationException": 500,
    "ConflictException": 409,
    "ExpiredTokenException": 403,
    "InternalServiceErrorException": 500,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "NotFoundException": 404,
    "ServiceUnavailableException": 503,
    "SignatureDoesNotMatch": 403,
    "TooManyRequestsException": 429,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
}
"""HTTP status by error code; 400 for all others (SES reference, errors)."""

CODES = {
    400: "BadRequestException",
    403: "AccessDeniedException",
    404: "NotFoundException",
    409: "ConflictException",
    429: "TooManyRequestsException",
    503: "ServiceUnavailableException",
}
"""Error code of an injected status; InternalServiceErrorException for all others."""


class Refusal(Exception):
    """An error answer: the code names the exception, the message is for people."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status or STATUSES.get(code, 400)

    def reply(self, switches: Switches) -> Reply:
        """Return the answer; where its type stands follows the switches."""
        body: dict[str, str] = {switches.ses_message_key: self.message}
        headers = {"x-amzn-RequestId": str(uuid4())}
        if switches.ses_error_type == "body":
            body["__type"] = f"com.amazonaws.sesv2#{self.code}"
        elif switches.ses_error_type == "suffixed":
            headers["x-amzn-ErrorType"] = f"{self.code}:http://internal.amazon.com/coral/com.amazonaws.ses.v2/"
        else:
            headers["x-amzn-ErrorType"] = self.code
        return Reply(self.status, msgspec.json.encode(body), headers=headers)


def bad_request(message: str) -> Refusal:
    """Return the answer to a value that does not fit."""
    return Refusal("BadRequestException", message)


def constraint(value: str, path: str, rule: str) -> str:
    """Return one violated constraint in the words of AWS's validation."""
    return f"Value {value} at '{path}' failed to satisfy constraint: Member must {rule}"


def invalid(*violations: str) -> Refusal:
    """Return the answer to violated constraints."""
    plural = "s" if len(violations) > 1 else ""
    return bad_request(f"{len(violations)} validation error{plural} detected: {'; '.join(violations)}")


def check_name(name: str, member: str) -> None:
    """Refuse what cannot be the name of a list or a topic, in the words that an emulator calls verified."""
    if not name.strip():
        raise bad_request(f"{member} can't be blank.")
    if NAME.fullmatch(name) is None:
        raise bad_request(
            f"{member} can contain up to 64 characters. Only alphanumeric characters, underscores(_) and hyphens(-) "
            "are allowed."
        )


def invalid_address(email: str) -> Refusal:
    """Return the answer to what is no address of a contact."""
    return bad_request(f"EmailAddress <{email}> is invalid" if email.strip() else "EmailAddress can't be blank.")


def not_found(message: str) -> Refusal:
    """Return the answer about something that does not exist."""
    return Refusal("NotFoundException", message)
