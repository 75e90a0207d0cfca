"""The way from a provider's streams to its account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, cast

from mailing_api.errors import AuthenticationError, ConfigurationError, Unreachable, UntrustedCertificate
from tap_mailing.settings import Options

__all__ = ["Client", "Closing", "Connection", "Refusal"]


class Client(Protocol):
    """What the streams of every provider need from its client."""

    account: str

    def close(self) -> None:
        """Close all connections."""


class Closing(Protocol):
    """Something that holds what must be given back."""

    def close(self) -> None:
        """Give it back."""


C = TypeVar("C", bound=Client)
T = TypeVar("T", bound=Closing)

#: What is told once for all streams of a provider.
Refusal = AuthenticationError | Unreachable | UntrustedCertificate | ConfigurationError


class Connection(Generic[C]):
    """One provider's account, shared by its streams and opened when first needed."""

    def __init__(self, open_options: Callable[[], Options], open_client: Callable[[Options], C]) -> None:
        """Make a connection; nothing is read or sent.

        Args:
            open_options: reads the tap's settings.
            open_client: makes the provider's client from its settings.
        """
        self._open_options = open_options
        self._open_client = open_client
        self._options: Options | None = None
        self._client: C | None = None
        self._refusal: Refusal | None = None
        self._told: set[str] = set()
        self._shared: dict[Callable[[C], Any], Closing] = {}

    @property
    def options(self) -> Options:
        """The tap's settings.

        Raises:
            ConfigurationError: one of them is wrong.
        """
        if self._options is None:
            self._options = self._open_options()
        return self._options

    @property
    def client(self) -> C:
        """The account's client.

        Raises:
            ConfigurationError: a setting is missing or wrong.
            AuthenticationError: the credentials were refused before; they are not tried again.
            Unreachable: nobody was there before.
            UntrustedCertificate: the server could not prove who it is.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._client is None:
            self._client = self._open_client(self.options)
        return self._client

    def shared(self, make: Callable[[C], T]) -> T:
        """What several streams of a run need, made by the first of them that asks for it; closed with the rest."""
        if make not in self._shared:
            self._shared[make] = make(self.client)
        return cast("T", self._shared[make])

    def open(self) -> None:
        """Check the settings and make the client; nothing is sent.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        _ = self.client

    def refused(self, refusal: Refusal) -> bool:
        """Take note of an error that concerns the whole provider; tells whether it is new.

        Other streams are not tried any more, unless a setting is wrong: they may not need it.
        """
        is_new = str(refusal) not in self._told
        self._told.add(str(refusal))
        if not isinstance(refusal, ConfigurationError):
            self._refusal = refusal
        return is_new

    def close(self) -> None:
        """Close what is open, and what was shared."""
        while self._shared:
            self._shared.popitem()[1].close()
        if self._client is not None:
            self._client.close()
            self._client = None
