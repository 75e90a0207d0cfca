"""The ASGI door of the providers: counting, faults, latency and rate limit around a provider's work."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from mailing_sandbox.protocol import REASON
from mailing_sandbox.provider import Call, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence

    from mailing_sandbox.counters import Counters
    from mailing_sandbox.faults import Fault, Faults, Rule
    from mailing_sandbox.provider import Provider

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

PAGE = b"<html>\r\n<head><title>%b</title></head>\r\n<body>\r\n<center><h1>%b</h1></center>\r\n</body>\r\n</html>\r\n"
PHRASES = {404: "404 Not Found", 429: "429 Too Many Requests", 502: "502 Bad Gateway", 503: "503 Service Unavailable"}


def page(status: int) -> bytes:
    """Return an HTML page as a proxy in front of an API would send it."""
    title = PHRASES.get(status, str(status)).encode()
    return PAGE % (title, title)


class RateLimit:
    """Refuses calls beyond so many a second: a bucket that refills steadily and holds one second's worth."""

    def __init__(self, per_second: float | None) -> None:
        self.per_second = per_second
        self._left = per_second or 0.0
        self._seen = time.monotonic()

    def refuses(self) -> bool:
        """Take one call from the bucket; True when it is empty."""
        if self.per_second is None:
            return False
        now = time.monotonic()
        self._left = min(max(self.per_second, 1.0), self._left + (now - self._seen) * self.per_second)
        self._seen = now
        if self._left < 1:
            return True
        self._left -= 1
        return False


class Gateway:
    """Hands each request to the provider that owns its first path segment."""

    def __init__(
        self, providers: Sequence[Provider], counters: Counters, faults: Faults, latency: float, limit: RateLimit
    ) -> None:
        self._providers = {prefix: provider for provider in providers for prefix in provider.prefixes}
        self._counters = counters
        self._faults = faults
        self._latency = latency
        self._limit = limit
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Cut every wait short; called inside the server's loop."""
        self._stopping.set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        connection = Connection(receive, send)
        body = await connection.body()
        if body is None:
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        raw_path = scope.get("raw_path") or scope["path"].encode()
        call = Call.of(
            scope["method"], raw_path.decode("latin-1"), scope["query_string"].decode("latin-1"), headers, body
        )
        provider = self._providers.get(call.segments[0].lower() if call.segments else "")
        if provider is None:
            await connection.reply(Reply(404, page(404), "text/html"))
            return
        self._counters.call(provider.template(call))
        if self._latency:
            await self._wait(asyncio.sleep(self._latency), connection)
        if self._limit.refuses():
            await connection.reply(Reply(429, page(429), "text/html"))
            return
        fault = self._faults.take(call.method, call.path)
        if fault is None:
            await connection.reply(provider.answer(call))
        else:
            await self._serve_faulted(provider, call, fault, connection)

    async def _serve_faulted(self, provider: Provider, call: Call, fault: Fault, connection: Connection) -> None:
        rule = fault.rule
        if rule.kind == "reset":
            await connection.reset()
            return
        if rule.kind == "status":
            if rule.done:
                provider.answer(call)
            await connection.reply(injected(rule, provider))
            return
        waits = rule.kind in ("hold", "slow")
        if waits and rule.when == "before" and not await self._pause(fault, connection):
            return
        reply = provider.answer(call)
        if waits and rule.when == "after" and not await self._pause(fault, connection):
            return
        if rule.kind == "reply_lost":
            await connection.close()
        elif rule.kind == "cut_body":
            await connection.cut(reply)
        elif rule.kind == "html":
            await connection.reply(Reply(200, page(502), "text/html"))
        else:
            await connection.reply(reply)

    async def _pause(self, fault: Fault, connection: Connection) -> bool:
        """Hold the request; False when its client has gone meanwhile."""
        pause = fault.gate() if fault.rule.kind == "hold" else asyncio.sleep(fault.rule.seconds)
        return await self._wait(pause, connection)

    async def _wait(self, pause: Any, connection: Connection) -> bool:
        waits = [asyncio.ensure_future(wait) for wait in (pause, connection.gone(), self._stopping.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return not waits[1].done()
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


def injected(rule: Rule, provider: Provider) -> Reply:
    """Build the answer of a `status` fault."""
    if rule.content is not None:
        types = {"html": "text/html", "text": "text/plain", "json": "application/json", "empty": "text/html"}
        reply = Reply(rule.status, rule.content.encode(), types[rule.body])
    elif rule.body == "json":
        reply = provider.error(rule.status, rule.message)
    elif rule.body == "html":
        reply = Reply(rule.status, page(rule.status), "text/html")
    elif rule.body == "text":
        text = rule.message or PHRASES.get(rule.status, f"{rule.status} Error")[4:]
        reply = Reply(rule.status, text.encode(), "text/plain")
    else:
        reply = Reply(rule.status, b"", "text/html")
    reply.headers = reply.headers | rule.headers
    return reply


class Connection:
    """One request's connection: normal answers, and the ways of not answering."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    @property
    def _transport(self) -> asyncio.Transport:
        """The socket's transport, which uvicorn binds to the request's `send`."""
        transport: asyncio.Transport = self._send.__self__.transport  # type: ignore[attr-defined]
        return transport

    async def body(self) -> bytes | None:
        """Read the whole body; None when the client went away before its end."""
        parts: list[bytes] = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def gone(self) -> None:
        """Return when the client has closed the connection."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def reply(self, reply: Reply) -> None:
        """Answer in full."""
        if reply.dropped:
            await self.reset()
            return
        await self._head(reply)
        await self._send({"type": "http.response.body", "body": reply.body})

    async def cut(self, reply: Reply) -> None:
        """Announce the whole answer, send half of it and close the connection."""
        await self._head(reply)
        half = reply.body[: len(reply.body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        await self.close()

    async def close(self) -> None:
        """Close the connection without a further byte."""
        self._transport.close()
        await self.gone()

    async def reset(self) -> None:
        """Reset the connection: the client's next read fails with ECONNRESET."""
        if self._transport.is_closing():
            return
        linger = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()
        await self.gone()

    async def _head(self, reply: Reply) -> None:
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
        if reply.content_type is not None:
            headers.append((b"content-type", reply.content_type.encode()))
        if reply.status not in (204, 304) and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"content-length", str(len(reply.body)).encode()))
        if reply.reason:
            headers.append((REASON, reply.reason.encode("ascii", "replace")))
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})
