"""One HTTP client per account: authentication, time-outs, retries, pace and errors in one place."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, Self, TypedDict, TypeVar

import httpx

from mailing_api.errors import MailingError, NotFound, ProviderFault, RateLimited, Unreachable, UnreadableAnswer
from mailing_api.pace import Pace
from mailing_api.retry import RetryPolicy, parse_retry_after, retry_delay

__all__ = ["Connection", "HttpClient"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

# httpx and httpcore log full URLs and headers; paths and queries may hold addresses.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


#: The stream of an answer that was read.
_READ: Final = httpx.ByteStream(b"")


class Connection(TypedDict, total=False):
    """How a client talks, whatever the provider: options of `HttpClient`, where they are explained."""

    user_agent: str
    retry: RetryPolicy | None
    pace: Pace | None
    timeout: float
    connections: int
    transport: httpx.BaseTransport | None
    sleep: Callable[[float], None]


class HttpClient:
    """Sends requests to one account of one provider; safe to share between threads."""

    def __init__(
        self,
        *,
        provider: str,
        account: str,
        base_url: str,
        located_by: str = "",
        auth: httpx.Auth,
        read_error: Callable[[str, httpx.Response], MailingError],
        user_agent: str = "mailing-api",
        headers: Mapping[str, str] | None = None,
        wait_headers: Sequence[str] = ("Retry-After",),
        retry: RetryPolicy | None = None,
        pace: Pace | None = None,
        timeout: float = 60.0,
        connections: int = 8,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make a client; no request is sent.

        Args:
            provider: the provider's name, for messages.
            account: the account's label from the settings, for messages; never a credential.
            base_url: scheme and host.
            located_by: the setting that may say another base URL, for messages; "" for none.
            auth: how requests are authenticated.
            user_agent: sent with every request.
            read_error: turns "what was asked" and a response outside 2xx and 304 into an error to raise; `RateLimited`
                is waited out as a 429 is, whatever its status.
            headers: more headers for every request; they win over those that are sent by default.
            wait_headers: where the provider says how long to wait: seconds or an HTTP date; the first found counts.
            retry: how patient to be.
            pace: the account's rate of requests.
            timeout: seconds to wait for a connection or the next bytes.
            connections: connections kept open.
            transport: replaces the network, for tests.
            sleep: waits between attempts.
        """
        self._name = f"{provider} account {account!r}"
        self._located_by = located_by
        self._has_found = False
        self._read_error = read_error
        self._wait_headers = wait_headers
        self._retry = retry or RetryPolicy()
        self._pace = pace or Pace()
        self._sleep = sleep
        self._client = httpx.Client(
            base_url=base_url,
            auth=auth,
            timeout=timeout,
            transport=transport,
            # Loading the certificates takes longer than many a run; without TLS there is nothing to verify.
            verify=base_url.startswith("https:"),
            headers={"User-Agent": user_agent, "Accept": "application/json", **(headers or {})},
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        decode: Callable[[httpx.Response], T],
        *,
        route: str,
        params: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
        once: bool = False,
        into: BinaryIO | None = None,
        pace: Pace | None = None,
        redirects: bool = False,
    ) -> T:
        """Send a request, again if that is safe and useful, and return its decoded answer.

        Args:
            method: HTTP method.
            path: path below the base URL, with IDs or addresses filled in and quoted.
            decode: reads the answer (2xx or 304); a ValueError it raises means an unreadable answer.
            route: the path as a template, for logs and errors; holds no address.
            params: query parameters.
            content: the body, already encoded.
            content_type: the body's media type.
            headers: more headers for this request.
            idempotent: sending it twice has the effect of sending it once (GET is, unless `once` is set).
            once: never send it again, whatever comes of it.
            into: receives the body of a 2xx as it arrives; `decode` gets an answer without it.
            pace: of what this request asks, where the provider limits that by itself: it is waited for as well as the
                account's, and a refusal slows this one alone.
            redirects: a redirection is an answer, too, that `decode` reads; else it is an error: none is followed.

        Raises:
            MailingError: see `mailing_api.errors`; `maybe_done` tells that the work may have been done.
        """
        asked = f"{self._name}: {method} {route}"
        own_headers = {**({"Content-Type": content_type} if content is not None else {}), **(headers or {})}
        own = pace or self._pace
        attempt = 0
        while True:
            attempt += 1
            status: int | None = None
            if pace is not None:
                self._pace.wait()
            started = own.wait()
            try:
                request = self._client.build_request(method, path, params=params, content=content, headers=own_headers)
                response = self._send(request, into)
                status = response.status_code
                if _is_answer(status) or (redirects and status < 400):
                    answer = decode(response)
                    own.succeeded()
                    self._has_found = True
                    return answer
                error = self._refusal(asked, response)
                if isinstance(error, RateLimited):
                    own.refused(started)
                    status = 429
                passing = isinstance(error, (ProviderFault, RateLimited))
                cause: Exception | None = None if passing else error
            except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
                cause = exc
                error = self._unreachable(asked, request.url, exc)
            except httpx.TransportError as exc:
                cause = exc
                error = ProviderFault(
                    f"{asked}: no answer ({type(exc).__name__}).",
                    maybe_done=not isinstance(exc, httpx.PoolTimeout),
                )
            except ValueError as exc:  # msgspec.DecodeError and ValidationError are ValueErrors
                error = UnreadableAnswer(
                    f"{asked}: the answer could not be read ({type(exc).__name__}).",
                    status=status,
                    maybe_done=True,
                )
                cause = error
            delay = None
            if not once:
                delay = retry_delay(
                    self._retry,
                    method=method,
                    idempotent=idempotent,
                    status=status,
                    attempt=attempt,
                    retry_after=error.retry_after,
                    exception=cause,
                    jitter=random.random(),  # noqa: S311
                )
            if delay is None:
                # The cause may quote an address or a header, so it is not chained.
                raise error from None
            is_unreadable = isinstance(cause, UnreadableAnswer)
            why = "unreadable answer" if is_unreadable else status or type(cause).__name__
            logger.info("%s: attempt %d failed (%s), next in %.1f s", asked, attempt, why, delay)
            self._sleep(delay)

    def _send(self, request: httpx.Request, into: BinaryIO | None) -> httpx.Response:
        response = self._client.send(request, stream=into is not None)
        try:
            if into is None:
                return response
            if not _is_answer(response.status_code):
                response.read()
            else:
                into.seek(0)
                into.truncate()
                for chunk in response.iter_bytes():
                    into.write(chunk)
            return response
        finally:
            response.close()
            # It and its stream hold each other, and with them what was sent, which may be large.
            response.stream = _READ

    def _refusal(self, asked: str, response: httpx.Response) -> MailingError:
        status = response.status_code
        told = (response.headers.get(name) for name in self._wait_headers)
        wait = next((parse_retry_after(each, now=datetime.now(UTC)) for each in told if each), None)
        if status == 429:
            return RateLimited(f"{asked}: too many requests.", status=status, retry_after=wait)
        if status < 400:
            # Whether it did the work is unknown: what answered may not even be the provider.
            return UnreadableAnswer(
                f"{asked}: the answer could not be read: HTTP {status} leads elsewhere.", status=status, maybe_done=True
            )
        error = self._read_error(asked, response)
        if isinstance(error, NotFound) and self._located_by and not self._has_found:
            error.args = (f"{error} Nothing was found there at all so far: check `{self._located_by}`, too.",)
        error.retry_after = wait
        return error

    def _unreachable(self, asked: str, url: httpx.URL, exc: httpx.TransportError) -> ProviderFault:
        """What is said when there was no connection: the host, without the path, which may hold an address."""
        where = url.netloc.decode("ascii", "replace")
        told = f"{asked}: no answer ({type(exc).__name__}): {where} cannot be reached"
        if why := _system_reason(exc):
            told += f", {why}"
        if self._located_by and url.host == self._client.base_url.host:
            return Unreachable(f"{told}. Check `{self._located_by}`.")
        return ProviderFault(f"{told}.")


def _system_reason(exc: BaseException | None) -> str:
    """What the system said, such as that a name is unknown; httpx's own words may be anything."""
    while exc is not None and not isinstance(exc, OSError):
        exc = exc.__cause__ or exc.__context__
    return (exc.strerror or "").rstrip(".") if exc is not None else ""


def _is_answer(status: int) -> bool:
    """Whether it says what was asked for: a 304 says that nothing changed."""
    return status < 300 or status == 304
