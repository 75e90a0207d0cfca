"""uvicorn's HTTP/1.1 protocol, with reason phrases of our own."""

from __future__ import annotations

from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REASON = b"x-sandbox-reason"
"""Header in which an answer carries its reason phrase as far as the protocol; it never leaves the server."""


class _Connection(h11.Connection):
    def send(self, event: Any) -> Any:
        if isinstance(event, h11.Response):
            kept = [(name, value) for name, value in event.headers if name != REASON]
            if len(kept) != len(event.headers):
                reason = next(value for name, value in event.headers if name == REASON)
                event = h11.Response(status_code=event.status_code, headers=kept, reason=reason)
        return super().send(event)


class Protocol(H11Protocol):
    """Puts the value of the `REASON` header into the status line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Connection(h11.SERVER, 1 << 20)
