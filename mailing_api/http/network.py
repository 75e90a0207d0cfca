"""The network below httpx: connections with a deadline for each call, and hosts that may be refused.

httpx limits only the time between two bytes; here a whole call has a deadline, and a least speed.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import httpcore
import httpx

from mailing_api.http.proxies import Proxy
from mailing_api.http.urls import Address

__all__ = ["Network"]

#: The least speed in bytes a second: a call has the time-out, and the time that its bytes take at this speed.
_SLOWEST: Final = 16 * 1024

#: Bytes written between two checks of the deadline.
_PIECE: Final = 64 * 1024

#: Seconds after which an idle connection is closed.
_IDLE: Final = 5.0

#: From a host and a port to the addresses that may be connected to. OSError refuses the host.
Addresses = Callable[[str, int], Sequence[Address]]


class Network(httpx.BaseTransport):
    """A pool of connections; safe to share between threads."""

    def __init__(
        self,
        *,
        certificates: ssl.SSLContext,
        timeout: float,
        connections: int,
        proxy: Proxy | None = None,
        proxy_certificates: ssl.SSLContext | None = None,
        addresses: Addresses | None = None,
    ) -> None:
        """Make a pool; nothing is connected.

        Args:
            certificates: verifies servers.
            timeout: seconds that a call may take, without the time for the bytes that it transfers.
            connections: the greatest number of connections.
            proxy: None for none.
            proxy_certificates: verifies the proxy, if its URL begins with https.
            addresses: looks up a host and may refuse it; None for the system's own look-up.
        """
        self._budget = _Budget(timeout)
        through = None
        if proxy is not None:
            login = (proxy.url.username, proxy.url.password)
            through = httpcore.Proxy(
                _core_url(proxy.url),
                auth=login if any(login) else None,
                ssl_context=proxy_certificates if proxy.url.scheme == "https" else None,
            )
        self._backend = _Backend(self._budget, addresses)
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates,
            proxy=through,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_IDLE,
            network_backend=self._backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the beginning of its response."""
        self._budget.begin()
        stream: Any = request.stream
        with _as_httpx():
            response = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=_core_url(request.url),
                    headers=request.headers.raw,
                    content=stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    def close(self) -> None:
        """Close all connections, also those that other threads are about to make."""
        self._backend.is_closed = True
        self._pool.close()


class _Budget(threading.local):
    """The time of the call that this thread makes."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._ends = 0.0
        self.begin()

    def begin(self) -> None:
        """Start the time of a call."""
        self._ends = time.monotonic() + self._timeout

    def moved(self, count: int) -> None:
        """Add time for transferred bytes."""
        self._ends += count / _SLOWEST

    def left(self, timeout: float | None, over: type[Exception]) -> float:
        """Return the seconds to wait for the next bytes; raise `over` if none are left."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise over("the call took too long")
        return left if timeout is None else min(left, timeout)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        content = self._stream.read(max_bytes, self._budget.left(timeout, httpcore.ReadTimeout))
        self._budget.moved(len(content))
        return content

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            piece = buffer[start : start + _PIECE]
            self._stream.write(piece, self._budget.left(timeout, httpcore.WriteTimeout))
            self._budget.moved(len(piece))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._budget.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._budget)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, budget: _Budget, addresses: Addresses | None) -> None:
        self._system = httpcore.SyncBackend()
        self.is_closed = False
        self._budget = budget
        self._addresses = addresses

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("the host has no address")
        for place in self._places(host, port):
            try:
                stream = self._system.connect_tcp(place, port, timeout, local_address, socket_options or ())
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
            except UnicodeError:  # a label of the name is too long
                failure = httpcore.ConnectError("the name is not valid")
            else:
                if self.is_closed:  # the pool has forgotten it
                    stream.close()
                    raise httpcore.ConnectError("the client was closed")
                self._budget.begin()  # connecting has a time-out of its own
                return _Stream(stream, self._budget)
        raise failure

    def _places(self, host: str, port: int) -> Sequence[str]:
        if self._addresses is None:
            return [host]
        try:
            return [str(address) for address in self._addresses(host, port)]
        except OSError as exc:
            raise httpcore.ConnectError(str(exc)) from exc


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


_CORE: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise each exception of the pool as the exception of httpx with the same name."""
    try:
        yield
    except _CORE as exc:
        same: type[httpx.TransportError] = getattr(httpx, type(exc).__name__)
        raise same(str(exc)) from exc
