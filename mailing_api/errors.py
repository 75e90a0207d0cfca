"""The errors, and who must act.

    MailingError
    ├── ConfigurationError     you: a setting is missing or wrong
    ├── AuthenticationError    you: the credentials are wrong
    ├── PermissionDenied       the account's administrator: the credentials lack a permission
    ├── NotFound               you: the named object does not exist
    ├── RequestRefused         you, or this project: the provider read the request and refused it
    ├── RateLimited            you: too many requests, after all retries
    ├── ProviderFault          the provider: it failed, or its response did not arrive
    │   └── Unreachable        you, or the network: no server answers at the URL of the settings
    ├── UntrustedCertificate   you, or the network: the server cannot prove its identity; nothing was sent
    ├── UnreadableAnswer       the provider, or a proxy: the response does not match the documentation
    ├── IncompleteExtraction   run again: the listing changed faster than it could be read
    └── WriteRefused           this project: a call that may write, in a run that only reads; nothing was sent

A message holds no secret, no address and no text from the provider, whose messages quote addresses: only the provider,
the account's label, the route template, the HTTP status and a code, or the host that cannot be reached.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "IncompleteExtraction",
    "MailingError",
    "NotFound",
    "PermissionDenied",
    "ProviderFault",
    "RateLimited",
    "RequestRefused",
    "Unreachable",
    "UnreadableAnswer",
    "UntrustedCertificate",
    "WriteRefused",
]


class MailingError(Exception):
    """Base of all errors of this package.

    Attributes:
        status: HTTP status; None without a response.
        code: the provider's own error code, or our name for its message; no free text.
        retry_after: the wait that the provider requests, in seconds; None for none.
        maybe_done: the provider may have done the work although the call failed.
        said: the provider's own message, "" for none. It may quote addresses, so it must not be logged or raised.
        is_read: the failed call only reads (GET).
        call: the method and the route template of the failed call; "" for none.
    """

    advice: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        maybe_done: bool = False,
        said: str = "",
    ) -> None:
        super().__init__(f"{message} {self.advice}".strip())
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.maybe_done = maybe_done
        self.said = said
        self.is_read = False
        self.call = ""

    @property
    def without_advice(self) -> str:
        """The message, for a program that continues without anybody's help."""
        return str(self).removesuffix(self.advice).rstrip()

    @property
    def code_or_status(self) -> str:
        """The code, else the HTTP status, to quote in another message."""
        return self.code or f"HTTP {self.status}"


class ConfigurationError(MailingError):
    """A setting is missing or wrong; the message names it."""


class AuthenticationError(MailingError):
    """The provider does not accept the credentials, or there are none; the message names their source."""


class PermissionDenied(MailingError):
    """The provider accepts the credentials but does not allow them this call."""

    advice = "Request access to this resource from the account's administrator."


class NotFound(MailingError):
    """The named object does not exist for this account."""

    advice = "Check the name or ID, and that it belongs to this account."


class RequestRefused(MailingError):
    """The provider read the request and refused it; a retry would not help."""


class RateLimited(MailingError):
    """The provider refused all attempts because of too many requests."""

    advice = "Lower `max_requests_per_second`, or run when fewer programs use this account."


class ProviderFault(MailingError):
    """The provider failed, could not be reached, or its response was lost."""

    advice = "The cause is at the provider or in the network; run again later."


class Unreachable(ProviderFault):
    """No connection to the provider could be made; nothing was sent."""

    advice = "If it is correct, the cause is in the network or at the provider; run again later."


class UntrustedCertificate(MailingError):
    """The server's certificate is not valid for its name, or not signed by a trusted authority; nothing was sent."""


class UnreadableAnswer(MailingError):
    """The response does not match the provider's documentation."""

    advice = "Check the base URL; if it is correct, the provider or a proxy sent a wrong response: run again later."


class IncompleteExtraction(MailingError):
    """A listing could not be read without gaps."""

    advice = "Run again when the provider's data changes less often."


class WriteRefused(MailingError):
    """A call that may write was to be made in a run that only reads; nothing was sent."""

    advice = "Please report this."
