"""Files at URLs that a provider names: downloaded without credentials, and only from hosts where such files may be.

A forged URL must not make this machine send requests to its own network, such as to a cloud's metadata service.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final, Unpack

import httpx
import msgspec

from mailing_api.errors import RequestRefused
from mailing_api.http.client import Connection, HttpClient, ReadError
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.http.urls import Address, Resolver, literal, parse, port_of, reach, resolve

__all__ = ["Downloads"]

#: Attempts at a file: fewer than at the provider, since its host may be anybody's.
_TRIES: Final = 4


class Downloads:
    """Downloads files that belong to one account; safe to share between threads."""

    def __init__(
        self,
        *,
        provider: str,
        account: str,
        base_url: str,
        read_error: ReadError,
        resolver: Resolver | None = None,
        **connection: Unpack[Connection],
    ) -> None:
        """Make a downloader; no request is sent.

        Args:
            provider: the provider's name, for messages.
            account: the account's label, for messages.
            base_url: of the provider itself: if its host is private, the hosts of its files may be, too.
            read_error: as for `HttpClient`.
            resolver: looks up names; None for the system's, or for none if the network is replaced.
            connection: options of `HttpClient`.
        """
        self._provider = provider
        self._account = account
        self._base = httpx.URL(base_url)
        self._read_error = read_error
        self._resolve: Resolver = resolver or (resolve if connection.get("transport") is None else _unresolved)
        patience = connection.get("retry") or RetryPolicy()
        self._connection: Connection = {
            **connection,
            "retry": msgspec.structs.replace(
                patience,
                throttle_tries=min(patience.throttle_tries, _TRIES),
                fault_tries=min(patience.fault_tries, _TRIES),
            ),
        }

    def fetch(self, location: str, *, what: str) -> bytes:
        """Download the file at a URL. The URL may be a secret: it is never shown.

        Args:
            location: the URL.
            what: the file, for messages.

        Raises:
            RequestRefused: the URL leads to a host that files may not be downloaded from.
            MailingError: the file could not be downloaded.
        """
        url = parse(location)
        refusal = f"{self._provider} account {self._account!r}: GET {what}: not downloaded, since its URL"
        if url is None or (url.scheme == "http" and self._base.scheme == "https"):
            raise RequestRefused(f"{refusal} does not begin with https://.")
        try:
            self._addresses(url.host, port_of(url))
        except _Elsewhere:
            raise RequestRefused(f"{refusal} leads to a host that is not public.") from None
        except OSError:
            pass  # the request, or the proxy, will show whether the host can be reached
        connection: Connection = {**self._connection, "pace": Pace(floor=2.0), "budget": None}
        with HttpClient(
            provider=self._provider,
            account=self._account,
            base_url=str(url.copy_with(raw_path=b"/", fragment=None)),
            auth=httpx.Auth(),
            read_error=self._read_error,
            headers={"Accept": "*/*"},
            addresses=None if self._connection.get("transport") is not None else self._addresses,
            **connection,
        ) as http:
            return http.request("GET", str(url), lambda response: response.content, route=what)

    def _addresses(self, host: str, port: int) -> Sequence[Address]:
        addresses = self._resolve(host, port)
        if any((place := reach(address)) != "public" and place not in self._own_places for address in addresses):
            raise _Elsewhere
        return addresses

    @cached_property
    def _own_places(self) -> frozenset[str]:
        """The kinds of addresses that the provider itself has."""
        try:
            return frozenset(map(reach, self._resolve(self._base.host, port_of(self._base))))
        except OSError:
            return frozenset()


class _Elsewhere(OSError):
    """Files may not be downloaded from this host."""


def _unresolved(host: str, port: int) -> Sequence[Address]:
    del port
    address = literal(host)
    return [] if address is None else [address]
