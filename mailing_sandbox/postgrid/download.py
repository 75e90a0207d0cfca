"""Files of imports that are given by their URL, fetched beside the server."""

from __future__ import annotations

from threading import Thread
from urllib.parse import urlsplit

import httpx

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SECONDS = 20.0


def is_url(text: str) -> bool:
    """Tell whether a string is a URL that can be fetched."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """Tell whether a URL leads to this machine."""
    return urlsplit(url).hostname in LOOPBACK


class Download:
    """One file on its way. It never raises: a file that cannot be had is None."""

    def __init__(self, url: str, *, allowed: bool) -> None:
        self.content: bytes | None = None
        self.done = not allowed
        if allowed:
            Thread(target=self._fetch, args=(url,), name="postgrid-download", daemon=True).start()

    def _fetch(self, url: str) -> None:
        try:
            answer = httpx.get(url, timeout=SECONDS, trust_env=False)
            if answer.is_success:
                self.content = answer.content
        except (httpx.HTTPError, httpx.InvalidURL):
            pass  # the import will tell
        finally:
            self.done = True
