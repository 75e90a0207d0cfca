"""Authentication at PostGrid."""

from __future__ import annotations

from collections.abc import Generator

import httpx

__all__ = ["ApiKey"]


class ApiKey(httpx.Auth):
    """Sends the key in PostGrid's own header."""

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers["X-API-Key"] = self._key
        yield request
