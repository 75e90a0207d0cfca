"""A network without sockets: requests go to the sandbox's providers in this process, answers through a test's hands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

import httpx

from mailing_sandbox.provider import Call, Reply
from mailing_sandbox.server import Sandbox

__all__ = ["Answer", "Wire"]


class Answer:
    """What goes back: a status, headers, and a body in pieces, of which each may be an exception to raise there.

    Attributes:
        misleads: it says something that is not true, in a form that is right, so that nobody could tell.
    """

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.headers = [(name.encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
        if reply.content_type is not None:
            self.headers.append((b"Content-Type", reply.content_type.encode()))
        self.body = reply.body
        self.misleads = False
        self.pieces: Iterable[bytes | Exception] | None = None


class Wire(httpx.BaseTransport):
    """Takes the place of the network.

    Attributes:
        change: is given each call and its answer, which it may change; it may raise an error of httpx.
        calls: what was asked, as the sandbox calls it.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._providers = {prefix: one for one in sandbox.providers for prefix in one.prefixes}
        self._lock = threading.Lock()
        self.calls: list[str] = []
        self.change: Callable[[str, Call, Answer], None] = lambda *_: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            path, _, query = request.url.raw_path.decode("ascii").partition("?")
            headers = {name.lower(): value for name, value in request.headers.items()}
            call = Call.of(request.method, path, query, headers, request.read())
            provider = self._providers.get(call.segments[0].lower() if call.segments else "")
            if provider is None:
                return httpx.Response(404, request=request)
            template = provider.template(call)
            self.calls.append(template)
            answer = Answer(provider.answer(call))
            self.change(template, call, answer)
        pieces = [answer.body] if answer.pieces is None else answer.pieces
        return httpx.Response(answer.status, headers=answer.headers, stream=_Stream(pieces), request=request)


class _Stream(httpx.SyncByteStream):
    def __init__(self, pieces: Iterable[bytes | Exception]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece
