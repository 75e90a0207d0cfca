"""The way from a provider's streams to its account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from mailing_api.errors import AuthenticationError
from tap_mailing.settings import Options

__all__ = ["Client", "Connection"]


class Client(Protocol):
    """What the streams of every provider need from its client."""

    account: str

    def close(self) -> None:
        """Close all connections."""


C = TypeVar("C", bound=Client)


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
        self._refusal: AuthenticationError | None = None

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
        """
        if self._refusal is not None:
            raise self._refusal
        if self._client is None:
            self._client = self._open_client(self.options)
        return self._client

    def open(self) -> None:
        """Check the settings and make the client; nothing is sent.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        _ = self.client

    def refused(self, refusal: AuthenticationError) -> bool:
        """The provider does not know the credentials; tells whether that is new."""
        is_new = self._refusal is None
        self._refusal = refusal
        return is_new

    def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            self._client.close()
            self._client = None
