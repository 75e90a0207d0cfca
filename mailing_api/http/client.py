"""One HTTP client per account: authentication, time-outs, retries, pace and errors."""

from __future__ import annotations

import logging
import random
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, Self, TypeVar

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
from mailing_api.http.connection import Connection
from mailing_api.http.failures import Way
from mailing_api.http.network import Addresses, Network
from mailing_api.http.pace import Pace
from mailing_api.http.proxies import proxy_for
from mailing_api.http.read_only import ReadOnly, let_through
from mailing_api.http.retry import RetryPolicy, parse_retry_after, retry_delay
from mailing_api.http.shared_pace import Budget
from mailing_api.http.traffic import Traffic
from mailing_api.http.urls import check_encrypted, parse

__all__ = ["Connection", "HttpClient", "ReadError"]

T = TypeVar("T")
#: Makes the error to raise from the name of a request and the response that refuses it.
ReadError = Callable[[str, httpx.Response], MailingError]

logger = logging.getLogger(__name__)

# httpx and httpcore log full URLs and headers; paths and queries may hold addresses.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

#: The greatest size, after decompression, of a response in memory, and of one that goes to a file, in bytes.
_MOST: Final = 64 * 2**20
_MOST_IN_FILE: Final = 2 * 2**30
#: Seconds: a wait that is longer is logged as a warning. Only a provider requests such waits.
_LONG_WAIT: Final = 150.0
#: The stream of a response that was read.
_READ: Final = httpx.ByteStream(b"")
#: Bytes of a refusal; the body of a longer one is not used.
_MOST_OF_REFUSAL: Final = 2**20


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
        gate: ReadOnly | None = None,
        traffic: Traffic | None = None,
        budget: Budget | None = None,
        tenant: str = "",
    ) -> None:
        """Make a client; no request is sent.

        Args:
            provider: the provider's name, for messages.
            account: the account's label from the settings, for messages; never a credential.
            base_url: scheme and host.
            located_by: the setting that gives the base URL, for messages; "" for none.
            credentials: names the settings that hold the credentials, for messages.
            auth: authenticates requests.
            user_agent: sent with every request.
            read_error: makes the error to raise from the name of a request and a response outside 2xx and 304;
                `RateLimited` is retried as a 429 is, whatever its status.
            headers: more headers for every request; they replace those that are sent by default.
            wait_headers: headers that may say how long to wait, as seconds or an HTTP date; the first present applies.
            retry: when to retry.
            pace: the account's rate of requests.
            timeout: seconds to wait for a connection, and for a whole response, which has longer if it is large.
            connections: kept open.
            allow_http: whether http:// may lead to another machine.
            trusted: certificate authorities to use instead of those of the environment.
            addresses: looks up the host and may refuse it; not used with a proxy.
            explains_absence: the provider's own 404 has a code or a message. A 404 without them, after any success at
                the base URL, comes from a proxy or gateway and does not mean that the object does not exist.
            transport: replaces the network, for tests.
            sleep: waits between attempts.
            gate: lets requests through that only read; None for all.
            traffic: counts the requests; None for nobody.
            budget: shares the pace with other processes; None for none.
            tenant: identifies the account for `budget`, without a secret; "" for base URL and label.

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
        own = pace or Pace()
        #: Of the account.
        self.pace = budget.share(own, f"{provider} {tenant or f'{base_url} {account}'}") if budget else own
        self._sleep = sleep
        self._gate = gate
        self._traffic = traffic or Traffic()
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

    @property
    def rate(self) -> float | None:
        """Requests per second that the account's pace allows now; None for no limit."""
        return self.pace.rate

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
        reads: bool = False,
    ) -> T:
        """Send a request, retry it if that is safe and useful, and return its decoded response.

        Args:
            method: HTTP method.
            path: path below the base URL, with IDs or addresses filled in and quoted.
            decode: reads the response (2xx or 304); exceptions other than `MailingError` mean an unreadable response.
            route: the path as a template, for logs and errors; holds no address.
            params: query parameters.
            content: the body, already encoded.
            content_type: the body's media type.
            headers: more headers for this request.
            idempotent: sending it twice has the effect of sending it once (GET is, unless `once` is set).
            once: never retry it.
            into: receives the body of a 2xx as it arrives; `decode` gets a response without it.
            pace: of this kind of request, if it has a limit of its own beside the account's; a refusal slows only that.
            redirects: pass a redirect to `decode`; otherwise it is an error. Redirects are not followed.
            reads: it only reads, although its method may write.

        Raises:
            MailingError: see `mailing_api.errors`; `maybe_done` says that the work may have been done.
        """
        name = f"{self._name}: {method} {route}"
        let_through(self._gate, name, method, reads=reads)
        own_headers = {**({} if content is None else {"Content-Type": content_type}), **(headers or {})}
        own_pace = pace or self.pace
        attempt = 0
        while True:
            attempt += 1
            status: int | None = None
            if pace is not None:
                self.pace.wait(self._traffic)
            started = own_pace.wait(self._traffic)
            request = self._build(name, method, path, params=params, content=content, headers=own_headers)
            self._traffic.sent()
            try:
                response = self._send(name, request, into)
                status = response.status_code
                if _is_success(status) or (redirects and status < 400):
                    decoded = self._decoded(name, response, decode)
                    own_pace.succeeded()
                    self.pace.succeeded()  # which may be the same, or have become slower, too
                    self._has_found = True
                    note_answered(f"{method} {route}")
                    return decoded
                error = self._refusal(name, response)
                if isinstance(error, RateLimited):
                    own_pace.refused(started, error.retry_after)
                    self._traffic.throttled()
                    status = 429
                cause: Exception | None = None if isinstance(error, RateLimited) else error
            except httpx.TransportError as exc:
                error = self._way.failed(name, request.url, exc)
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
            why = "unreadable response" if is_unreadable else status or type(cause).__name__
            level = logging.INFO if delay < _LONG_WAIT else logging.WARNING
            logger.log(level, "%s: attempt %d failed (%s), next in %.1f s", name, attempt, why, delay)
            self._traffic.retries(delay)
            self._sleep(delay)

    def rest(self, error: MailingError, attempt: int) -> None:
        """Wait before another attempt at a request that is never retried (`once`), and has failed `attempt` times.

        Raises:
            MailingError: that error, if it is not temporary, or after the last attempt.
        """
        delay = self.delay(error, attempt)
        if delay is None:
            raise error
        logger.info("%s Attempt %d failed, next in %.1f s", error, attempt, delay)
        self._sleep(delay)

    def delay(self, error: MailingError, attempt: int) -> float | None:
        """Seconds to wait before a caller repeats the request, which are counted as waited; None where `rest` fails."""
        if not isinstance(error, (RateLimited, ProviderFault, UnreadableAnswer)):
            return None
        delay = retry_delay(
            self._retry,
            method="PUT",
            idempotent=True,
            status=429 if isinstance(error, RateLimited) else error.status or 500,
            attempt=attempt,
            retry_after=error.retry_after,
            exception=error,
            jitter=random.random(),  # noqa: S311
        )
        if delay is not None:
            self._traffic.retries(delay)
        return delay

    def _build(self, name: str, method: str, path: str, **parts: Any) -> httpx.Request:
        try:
            return self._client.build_request(method, path, **parts)
        except (httpx.InvalidURL, ValueError):
            raise self._way.unsendable(name) from None

    def _send(self, name: str, request: httpx.Request, into: BinaryIO | None) -> httpx.Response:
        """Return the response with its body, which goes to `into` if that is set and the request succeeded."""
        try:
            response = self._client.send(request, stream=True)
        except UnicodeEncodeError:  # of a credential
            raise self._way.unsendable(name) from None
        try:
            if not _is_success(response.status_code):
                return _refusal_of(response)
            if into is None:
                return bodies.read(response, _MOST)
            into.seek(0)
            into.truncate()
            return bodies.read(response, _MOST_IN_FILE, into)
        except bodies.Unreadable as exc:
            raise _Misread(_unreadable(name, response.status_code, str(exc))) from None
        finally:
            response.close()
            # It and its stream refer to each other, and to the request's body, which may be large.
            response.stream = _READ

    def _decoded(self, name: str, response: httpx.Response, decode: Callable[[httpx.Response], T]) -> T:
        try:
            return decode(response)
        except MailingError:
            raise
        except Exception as exc:  # noqa: BLE001 - a response may make its reader raise anything
            # The traceback without the exception, whose message may quote a row.
            logger.debug("%s: %s", name, "".join(traceback.format_tb(exc.__traceback__)))
            raise _Misread(_unreadable(name, response.status_code, type(exc).__name__)) from None

    def _refusal(self, name: str, response: httpx.Response) -> MailingError:
        status = response.status_code
        waits = (response.headers.get(header) for header in self._wait_headers)
        wait = next((parse_retry_after(each, now=datetime.now(UTC)) for each in waits if each), None)
        if status == 429:
            return RateLimited(f"{name}: too many requests.", status=status, retry_after=wait)
        if status == 407:
            return self._way.proxy_wants_login(name)
        if status < 400:
            # Whether the work was done is unknown: the response may not come from the provider.
            return _unreadable(name, status, f"HTTP {status} is a redirect")
        error = self._error_of(name, response)
        if isinstance(error, NotFound) and self._has_found:
            if self._explains_absence and not (error.code or error.said):
                return _unreadable(name, status, f"HTTP {status} without the provider's explanation")
        elif isinstance(error, NotFound) and self._located_by:
            error.args = (f"{error} No request has succeeded there yet: check `{self._located_by}`, too.",)
        if isinstance(error, AuthenticationError):
            error.args = (f"{error} Check {self._way.credentials()}: wrong, revoked, or of another account.",)
        error.retry_after = wait
        return error

    def _error_of(self, name: str, response: httpx.Response) -> MailingError:
        try:
            return self._read_error(name, response)
        except Exception:  # noqa: BLE001 - a response may make its reader raise anything; then only the status is used
            return self._read_error(name, bodies.with_body(response, b""))


class _Misread(Exception):
    """Carries the error for a response that could not be read; another attempt may succeed."""

    def __init__(self, error: UnreadableAnswer) -> None:
        super().__init__()
        self.error = error


def _unreadable(name: str, status: int, why: str) -> UnreadableAnswer:
    return UnreadableAnswer(f"{name}: the response could not be read ({why}).", status=status, maybe_done=True)


def _refusal_of(response: httpx.Response) -> httpx.Response:
    try:
        return bodies.read(response, _MOST_OF_REFUSAL)
    except bodies.Unreadable:
        return bodies.with_body(response, b"")


def _is_success(status: int) -> bool:
    """Return whether a status means success: a 304 says that nothing changed."""
    return status < 300 or status == 304
