"""One HTTP client per account: authentication, time-outs, retries, pace and errors in one place."""

from __future__ import annotations

import logging
import random
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, Self, TypedDict, TypeVar

import httpx

from mailing_api.answered_calls import note_answered
from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    MailingError,
    NotFound,
    ProviderFault,
    RateLimited,
    UnreadableAnswer,
)
from mailing_api.http import bodies
from mailing_api.http.certificates import Authorities, authorities, nobody, trust
from mailing_api.http.failures import Way
from mailing_api.http.network import Addresses, Network
from mailing_api.http.pace import Pace
from mailing_api.http.proxies import proxy_for
from mailing_api.http.retry import RetryPolicy, parse_retry_after, retry_delay
from mailing_api.http.urls import check_encrypted, parse

__all__ = ["Connection", "HttpClient", "ReadError"]

T = TypeVar("T")

#: From what was asked, and a response that is a refusal, to the error to raise.
ReadError = Callable[[str, httpx.Response], MailingError]

logger = logging.getLogger(__name__)

# httpx and httpcore log full URLs and headers; paths and queries may hold addresses.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

#: Bytes of an answer in memory at most, and of one that goes to a file, after decompression.
_MOST: Final = 64 * 2**20
_MOST_IN_FILE: Final = 2 * 2**30

#: Seconds of waiting of which nobody should have to guess the cause: only a provider asks for so many.
_LONG_WAIT: Final = 150.0

#: The stream of an answer that was read.
_READ: Final = httpx.ByteStream(b"")

#: Bytes of a refusal: of a longer one only the status counts.
_MOST_OF_REFUSAL: Final = 2**20


class Connection(TypedDict, total=False):
    """How a client talks, whatever the provider: options of `HttpClient`, where they are explained."""

    user_agent: str
    retry: RetryPolicy | None
    pace: Pace | None
    timeout: float
    connections: int
    allow_http: bool
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
        credentials: Callable[[], str] = lambda: "the credentials",
        auth: httpx.Auth,
        read_error: ReadError,
        user_agent: str = "mailing-api",
        headers: Mapping[str, str] | None = None,
        wait_headers: Sequence[str] = ("Retry-After",),
        retry: RetryPolicy | None = None,
        pace: Pace | None = None,
        timeout: float = 60.0,
        connections: int = 8,
        allow_http: bool = False,
        trusted: Authorities | None = None,
        addresses: Addresses | None = None,
        explains_absence: bool = False,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make a client; no request is sent.

        Args:
            provider: the provider's name, for messages.
            account: the account's label from the settings, for messages; never a credential.
            base_url: scheme and host.
            located_by: the setting that may say another base URL, for messages; "" for none.
            credentials: names the settings that hold the credentials, for messages.
            auth: how requests are authenticated.
            user_agent: sent with every request.
            read_error: turns "what was asked" and a response outside 2xx and 304 into an error to raise; `RateLimited`
                is waited out as a 429 is, whatever its status.
            headers: more headers for every request; they win over those that are sent by default.
            wait_headers: where the provider says how long to wait: seconds or an HTTP date; the first found counts.
            retry: how patient to be.
            pace: the account's rate of requests.
            timeout: seconds to wait for a connection, and for a whole answer, which has longer if it is large.
            connections: connections kept open.
            allow_http: http:// may lead to another machine.
            trusted: certificate authorities that go before those of the environment.
            addresses: looks up the host and may refuse it, where no proxy does.
            explains_absence: the provider's own 404 has a code or a message. Without both, once anything was found at
                the base URL, a proxy or a gateway answered, which must not pass for "there is no such object".
            transport: replaces the network, for tests.
            sleep: waits between attempts.

        Raises:
            ConfigurationError: the base URL, a proxy or a file of certificates cannot be used.
        """
        url = parse(base_url)
        if url is None:
            raise ConfigurationError(f"The base URL of {provider} is not a URL with scheme and host.")
        check_encrypted(url, located_by, allow_http=allow_http)
        proxy = None if transport is not None else proxy_for(url)
        chosen = trusted or authorities()
        self._way = Way(located_by=located_by, credentials=credentials, proxy=proxy, authorities=chosen)
        self._name = f"{provider} account {account!r}"
        self._located_by = located_by
        self._has_found = False
        self._explains_absence = explains_absence
        self._read_error = read_error
        self._wait_headers = wait_headers
        self._retry = retry or RetryPolicy()
        self._pace = pace or Pace()
        self._sleep = sleep
        is_encrypted = url.scheme == "https"
        self._client = httpx.Client(
            base_url=url,
            auth=auth,
            timeout=timeout,
            transport=transport
            or Network(
                certificates=trust(chosen) if is_encrypted else nobody(),
                timeout=timeout,
                connections=connections,
                proxy=proxy,
                proxy_certificates=trust(chosen) if proxy is not None and proxy.url.scheme == "https" else None,
                addresses=addresses,
            ),
            headers={
                "User-Agent": user_agent,
                "Accept": "application/json",
                "Accept-Encoding": bodies.ACCEPTED,
                **(headers or {}),
            },
            follow_redirects=False,
            trust_env=False,
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
            decode: reads the answer (2xx or 304); any exception but a `MailingError` means an unreadable answer.
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
            request = self._build(asked, method, path, params=params, content=content, headers=own_headers)
            try:
                response = self._send(asked, request, into)
                status = response.status_code
                if _is_answer(status) or (redirects and status < 400):
                    answer = self._decoded(asked, response, decode)
                    own.succeeded()
                    self._has_found = True
                    note_answered(f"{method} {route}")
                    return answer
                error = self._refusal(asked, response)
                if isinstance(error, RateLimited):
                    own.refused(started)
                    status = 429
                cause: Exception | None = None if isinstance(error, RateLimited) else error
            except httpx.TransportError as exc:
                error = self._way.failed(asked, request.url, exc)
                cause = exc if isinstance(error, ProviderFault) else error
            except _Misread as exc:
                status = exc.error.status
                error = cause = exc.error
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
                error.is_read, error.call = method == "GET", f"{method} {route}"
                if error.is_read and isinstance(error, NotFound):
                    note_answered(error.call)
                # The cause may quote an address or a header, so it is not chained.
                raise error from None
            is_unreadable = isinstance(cause, UnreadableAnswer)
            why = "unreadable answer" if is_unreadable else status or type(cause).__name__
            level = logging.INFO if delay < _LONG_WAIT else logging.WARNING
            logger.log(level, "%s: attempt %d failed (%s), next in %.1f s", asked, attempt, why, delay)
            self._sleep(delay)

    def _build(self, asked: str, method: str, path: str, **parts: Any) -> httpx.Request:
        try:
            return self._client.build_request(method, path, **parts)
        except (httpx.InvalidURL, ValueError):
            raise self._way.unsendable(asked) from None

    def _send(self, asked: str, request: httpx.Request, into: BinaryIO | None) -> httpx.Response:
        """The answer with its body, which is in `into` if that is given and the request succeeded."""
        try:
            response = self._client.send(request, stream=True)
        except UnicodeEncodeError:  # of a credential
            raise self._way.unsendable(asked) from None
        try:
            if not _is_answer(response.status_code):
                return _refusal_of(response)
            if into is None:
                return bodies.read(response, _MOST)
            into.seek(0)
            into.truncate()
            return bodies.read(response, _MOST_IN_FILE, into)
        except bodies.Unreadable as exc:
            raise _Misread(_unreadable(asked, response.status_code, str(exc))) from None
        finally:
            response.close()
            # It and its stream hold each other, and with them what was sent, which may be large.
            response.stream = _READ

    def _decoded(self, asked: str, response: httpx.Response, decode: Callable[[httpx.Response], T]) -> T:
        try:
            return decode(response)
        except MailingError:
            raise
        except Exception as exc:  # noqa: BLE001 - whatever an answer does to its reader, it is the answer's fault
            # The places, not the exception: its text may quote a row.
            logger.debug("%s: %s", asked, "".join(traceback.format_tb(exc.__traceback__)))
            raise _Misread(_unreadable(asked, response.status_code, type(exc).__name__)) from None

    def _refusal(self, asked: str, response: httpx.Response) -> MailingError:
        status = response.status_code
        told = (response.headers.get(name) for name in self._wait_headers)
        wait = next((parse_retry_after(each, now=datetime.now(UTC)) for each in told if each), None)
        if status == 429:
            return RateLimited(f"{asked}: too many requests.", status=status, retry_after=wait)
        if status == 407:
            return self._way.proxy_wants_login(asked)
        if status < 400:
            # Whether it did the work is unknown: what answered may not even be the provider.
            return _unreadable(asked, status, f"HTTP {status} leads elsewhere")
        error = self._error_of(asked, response)
        if isinstance(error, NotFound) and self._has_found:
            if self._explains_absence and not (error.code or error.said):
                return _unreadable(asked, status, f"HTTP {status} that the provider did not explain")
        elif isinstance(error, NotFound) and self._located_by:
            error.args = (f"{error} Nothing was found there at all so far: check `{self._located_by}`, too.",)
        if isinstance(error, AuthenticationError):
            error.args = (f"{error} Check {self._way.credentials()}: wrong, revoked, or of another account.",)
        error.retry_after = wait
        return error

    def _error_of(self, asked: str, response: httpx.Response) -> MailingError:
        try:
            return self._read_error(asked, response)
        except Exception:  # noqa: BLE001 - as for answers; then the status alone tells
            return self._read_error(asked, bodies.with_body(response, b""))


class _Misread(Exception):
    """Carries the error for an answer that could not be read, which may be worth another attempt."""

    def __init__(self, error: UnreadableAnswer) -> None:
        super().__init__()
        self.error = error


def _unreadable(asked: str, status: int, why: str) -> UnreadableAnswer:
    return UnreadableAnswer(f"{asked}: the answer could not be read ({why}).", status=status, maybe_done=True)


def _refusal_of(response: httpx.Response) -> httpx.Response:
    try:
        return bodies.read(response, _MOST_OF_REFUSAL)
    except bodies.Unreadable:
        return bodies.with_body(response, b"")


def _is_answer(status: int) -> bool:
    """Whether it says what was asked for: a 304 says that nothing changed."""
    return status < 300 or status == 304
