"""Authentication at MPDX: a JSON Web Token from the settings, or one exchanged for an access token and renewed."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec

from mailing_api.process.secret_values import SECRETS

__all__ = ["MpdxSession"]

logger = logging.getLogger(__name__)

#: A token that expires within this time is renewed before it is used again.
_MARGIN = timedelta(minutes=5)

#: The time before the expiry of a token that cannot be renewed when a warning is logged.
_NOTICE = timedelta(days=3)


class MpdxSession(httpx.Auth):
    """The token of one account; safe to share between threads.

    As an `httpx.Auth` it adds the present token to the headers. It sends no request itself: `ensure` and `renew` call
    `exchange`, which does.
    """

    def __init__(self, token: str | None, exchange: Callable[[], str] | None) -> None:
        """Make a session; nothing is sent.

        Args:
            token: a JSON Web Token; None to get one by `exchange`.
            exchange: returns a new token; None if there is nothing to exchange.
        """
        self._token = token
        self._exchange = exchange
        self._lock = threading.Lock()
        self._warn()

    @property
    def ends(self) -> datetime | None:
        """The expiry of the present token, if it can be read; its signature is not checked."""
        return _expiry(self._token)

    def ensure(self) -> str:
        """Return a token that is not about to expire, as far as is known.

        Raises:
            MailingError: the exchange failed.
        """
        with self._lock:
            ends = self.ends
            is_ending = ends is not None and ends - datetime.now(UTC) < _MARGIN
            if self._exchange is not None and (self._token is None or is_ending):
                self._take(self._exchange())
            return self._token or ""

    def renew(self, refused: str) -> bool:
        """Get another token after one was refused; return whether there is another one.

        Raises:
            MailingError: the exchange failed.
        """
        with self._lock:
            if self._token != refused:
                return True
            if self._exchange is None:
                return False
            self._take(self._exchange())
            return True

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token to the headers, unless there is none or the request has another one."""
        if self._token is not None and "Authorization" not in request.headers:
            request.headers["Authorization"] = f"Bearer {self._token}"
        yield request

    def _take(self, token: str) -> None:
        SECRETS.add(token)
        self._token = token

    def _warn(self) -> None:
        ends = self.ends
        if self._exchange is None and ends is not None and ends - datetime.now(UTC) < _NOTICE:
            logger.warning(
                "MPDX: the token in `mpdx_token` expires at %s; get a new one.", f"{ends:%Y-%m-%dT%H:%M:%SZ}"
            )


def _expiry(token: str | None) -> datetime | None:
    parts = (token or "").split(".")
    if len(parts) != 3:
        return None
    try:
        claims: Any = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, LookupError, TypeError, OverflowError, OSError):
        return None
