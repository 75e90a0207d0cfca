"""Whether and when to retry a request: pure functions, without a clock and I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from mailing_api.errors import MailingError, ProviderFault, UnreadableAnswer

__all__ = ["RetryPolicy", "parse_retry_after", "retry_delay"]

#: Failures before the request reached the provider: the work was not done.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and after which waits a client retries. All times are in seconds.

    Defaults follow the observed behaviour of the providers: a 429 needs longer waits and more tries than a server
    fault (Mailjet publishes neither limit nor `Retry-After`). Waits that the provider requests add up to about
    `retry_after_cap`, and to at most twice that.
    """

    throttle_base: float = 5.0
    throttle_cap: float = 120.0
    throttle_tries: int = 8
    fault_base: float = 1.0
    fault_cap: float = 60.0
    fault_tries: int = 5
    retry_after_cap: float = 3600.0


def retry_delay(
    policy: RetryPolicy,
    *,
    method: str,
    idempotent: bool,
    status: int | None,
    attempt: int,
    retry_after: float | None,
    exception: Exception | None,
    jitter: float,
) -> float | None:
    """Return the seconds to wait before the next attempt, or None to give up.

    Args:
        policy: the client's policy.
        method: HTTP method; GET, HEAD and OPTIONS are idempotent whatever `idempotent` says.
        idempotent: sending the request twice has the effect of sending it once.
        status: HTTP status, or None without a response.
        attempt: attempts made so far, 1 or more.
        retry_after: the wait that the provider requests, in seconds; respected up to `retry_after_cap` in all.
        exception: a transport failure, an unreadable response, or the error for a refusal; None for none.
        jitter: a random number in [0, 1), so that threads do not retry at the same time.
    """
    safe = idempotent or method in {"GET", "HEAD", "OPTIONS"}
    if status == 429:
        base, cap, tries = policy.throttle_base, policy.throttle_cap, policy.throttle_tries
    elif _is_fault(status, exception) and (safe or isinstance(exception, _NEVER_SENT)):
        base, cap, tries = policy.fault_base, policy.fault_cap, policy.fault_tries
    else:
        return None
    if attempt >= tries:
        return None
    if retry_after is not None:
        if (attempt - 1) * retry_after >= policy.retry_after_cap:
            return None  # the longest total wait is over
        return min(retry_after, policy.retry_after_cap) + jitter * base
    return jitter * min(cap, base * 2.0 ** (attempt - 1))


def _is_fault(status: int | None, exception: Exception | None) -> bool:
    if isinstance(exception, (httpx.TransportError, ProviderFault, UnreadableAnswer)):
        return True
    if isinstance(exception, MailingError):
        return False
    return status is not None and (status >= 500 or status == 408)


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Return the seconds of a `Retry-After` header (RFC 9110: seconds or an HTTP date); None if unreadable."""
    text = (value or "").strip()
    if text.isdecimal():
        return float(text)
    try:
        end = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for a year of many digits
        return None
    if end.tzinfo is None:
        end = end.replace(tzinfo=UTC)
    return max(0.0, (end - now).total_seconds())
