"""Signed, temporary links to the files of imports, and the files themselves."""

from __future__ import annotations

import hashlib
import hmac
from itertools import count
from typing import TYPE_CHECKING

from mailing_sandbox.provider import Reply

if TYPE_CHECKING:
    from mailing_sandbox.clock import Clock
    from mailing_sandbox.provider import Call

PREFIX = "postgrid-files"
SECONDS = 900
"""How long a link works, by the emulated time."""


class Links:
    """Makes links, and tells whether one is good. Each is another, as on the real service."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._serial = count(1)
        self._secret = b"mailing-sandbox"
        self.hosted: dict[str, bytes] = {}

    def host(self, content: bytes) -> str:
        """Keep a file for imports to fetch, and return the path of its link, which needs no signature."""
        name = f"{len(self.hosted) + 1}.csv"
        self.hosted[name] = content
        return f"/{PREFIX}/hosted/{name}"

    def sign(self, call: Call, number: str, name: str) -> str:
        """Return a link to a file of an import, at the address that the client called."""
        path = f"/{PREFIX}/{number}/{name}"
        query = f"serial={next(self._serial)}&expires={int(self._clock.now()) + SECONDS}"
        return f"http://{call.headers.get('host', 'localhost')}{path}?{query}&signature={self._signature(path, query)}"

    def good(self, call: Call) -> bool:
        """Tell whether a link was made here and works still."""
        query = f"serial={call.query.get('serial', '')}&expires={call.query.get('expires', '')}"
        right = self._signature(call.path, query)
        if not hmac.compare_digest(right.encode(), call.query.get("signature", "").encode()):
            return False
        return int(call.query["expires"]) > self._clock.now()

    def _signature(self, path: str, query: str) -> str:
        return hmac.new(self._secret, f"{path}?{query}".encode(), hashlib.sha256).hexdigest()


def csv_reply(content: bytes | None) -> Reply:
    """Answer a file, or that there is none."""
    if content is None:
        return Reply(404, b"Not found", "text/plain")
    return Reply(200, content, "text/csv")


def forbidden() -> Reply:
    """Answer a link that is wrong or old."""
    return Reply(403, b"Forbidden: the link is wrong or has expired", "text/plain")
