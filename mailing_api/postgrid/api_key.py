"""Authentication at PostGrid."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

import httpx

__all__ = ["ApiKey", "named_by"]


class ApiKey(httpx.Auth):
    """Sends the key in PostGrid's own header."""

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers["X-API-Key"] = self._key
        yield request


def named_by(key: str) -> str:
    """Return a name for what a key opens, which does not tell the key."""
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
