"""What can go wrong with a provider, and who must act.

    MailingError
    ├── ConfigurationError     you: a setting is missing or wrong
    ├── AuthenticationError    you: the credentials are wrong
    ├── PermissionDenied       the account's administrator: the credentials lack a right
    ├── NotFound               you: the named object does not exist
    ├── RequestRefused         you, or us: the provider read the request and refused it
    ├── RateLimited            nobody: slow down; seen only when patience ran out
    ├── ProviderFault          the provider: it failed, or its reply never arrived
    │   └── Unreachable        you, or the network: there is nobody at the address of the settings
    ├── UntrustedCertificate   you, or the network: the server cannot prove who it is; nothing was sent
    ├── UnreadableAnswer       the provider, or a proxy: the answer is not what the documentation says
    └── IncompleteExtraction   run again: the listing changed faster than it could be read

A message never holds a secret, an address or text from the provider (its messages quote addresses): only the
provider, the account's label, the route template, the HTTP status and a code, or the host that cannot be reached.
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
]


class MailingError(Exception):
    """Base of all errors of this package.

    Attributes:
        status: HTTP status, if an answer came.
        code: the provider's own error code, or our name for its message; never free text.
        retry_after: seconds the provider asked to wait, if it did.
        maybe_done: the provider may have done the work although the call failed.
        said: the provider's own words, "" for none. They may quote addresses: never to be logged or raised.
        is_read: the call that failed only asked for something (GET).
        call: its method and its route, as a template; "" where no call failed.
    """

    advice: ClassVar[str] = ""

    def __init__(
        self,
        what: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        maybe_done: bool = False,
        said: str = "",
    ) -> None:
        super().__init__(f"{what} {self.advice}".strip())
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.maybe_done = maybe_done
        self.said = said
        self.is_read = False
        self.call = ""


class ConfigurationError(MailingError):
    """A setting is missing or wrong; the message names it."""


class AuthenticationError(MailingError):
    """The provider does not accept the credentials, or there are none; the message names where they come from."""


class PermissionDenied(MailingError):
    """The credentials are known but may not do this."""

    advice = "Ask the account's administrator for access to this resource."


class NotFound(MailingError):
    """The named object does not exist for this account."""

    advice = "Check the name or ID, and that it belongs to this account."


class RequestRefused(MailingError):
    """The provider read the request and refused it; sending it again would change nothing."""


class RateLimited(MailingError):
    """The provider kept answering that there are too many requests."""

    advice = "Lower `max_requests_per_second`, or run when fewer programs use this account."


class ProviderFault(MailingError):
    """The provider failed, could not be reached, or its reply was lost."""

    advice = "This is on the provider's side or the network between; run again later."


class Unreachable(ProviderFault):
    """No connection to the provider could be made; nothing was sent."""

    advice = "If that is right, the network between is at fault, or the provider; run again later."


class UntrustedCertificate(MailingError):
    """The server's certificate is not valid for its name, or nobody trusted signed it; nothing was sent."""


class UnreadableAnswer(MailingError):
    """An answer came that the provider's documentation does not allow."""

    advice = "Check the base URL; if it is right, the provider or a proxy answered wrongly: run again later."


class IncompleteExtraction(MailingError):
    """A listing could not be read without gaps, so nothing is claimed to be complete."""

    advice = "Run again when fewer changes are made at the provider."
