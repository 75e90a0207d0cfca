"""The connection that the streams of one provider share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, cast

from mailing_api.errors import AuthenticationError, ConfigurationError, Unreachable, UntrustedCertificate
from tap_mailing.settings import Options

__all__ = ["Client", "Closing", "Connection", "Refusal"]


class Client(Protocol):
    """A provider's client, as its streams use it."""

    account: str

    def close(self) -> None:
        """Close all connections."""


class Closing(Protocol):
    """Something with resources to release."""

    def close(self) -> None:
        """Release them."""


C = TypeVar("C", bound=Client)
T = TypeVar("T", bound=Closing)

#: Errors that concern the provider, so that they are logged once and not for each of its streams.
Refusal = AuthenticationError | Unreachable | UntrustedCertificate | ConfigurationError


class Connection(Generic[C]):
    """One provider's account, shared by its streams and opened at first use."""

    def __init__(self, open_options: Callable[[], Options], open_client: Callable[[Options], C]) -> None:
        """Make a connection, without reading or sending anything.

        Args:
            open_options: reads the tap's settings.
            open_client: makes the provider's client from its settings.
        """
        self._open_options = open_options
        self._open_client = open_client
        self._client: C | None = None
        self._refusal: Refusal | None = None
        self._logged: set[str] = set()
        self._shared: dict[Callable[[C], Any], Closing] = {}

    @cached_property
    def options(self) -> Options:
        """The tap's settings.

        Raises:
            ConfigurationError: one of them is wrong.
        """
        return self._open_options()

    @property
    def client(self) -> C:
        """The account's client. Making it checks the settings and sends nothing.

        Raises:
            ConfigurationError: a setting is missing or wrong.
            AuthenticationError: the provider refused the credentials before; they are not tried again.
            Unreachable: the provider did not answer before.
            UntrustedCertificate: the server's certificate was not trusted before.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._client is None:
            self._client = self._open_client(self.options)
        return self._client

    def shared(self, make: Callable[[C], T]) -> T:
        """An object that several streams of a run use: made at first use, closed with the connection."""
        if make not in self._shared:
            self._shared[make] = make(self.client)
        return cast("T", self._shared[make])

    def refused(self, refusal: Refusal) -> bool:
        """Note an error that concerns the whole provider; returns whether it is new.

        The provider's other streams then fail with the same error. A wrong setting stops only the streams that use it.
        """
        is_new = str(refusal) not in self._logged
        self._logged.add(str(refusal))
        if not isinstance(refusal, ConfigurationError):
            self._refusal = refusal
        return is_new

    def close(self) -> None:
        """Close the client and the shared objects."""
        while self._shared:
            self._shared.popitem()[1].close()
        if self._client is not None:
            self._client.close()
            self._client = None
