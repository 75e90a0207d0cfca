"""The sandbox: every emulated provider behind one port, with the controls around them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

import uvicorn

from mailing_sandbox.clock import Clock
from mailing_sandbox.control import Control, guarded
from mailing_sandbox.counters import Counters
from mailing_sandbox.faults import Faults
from mailing_sandbox.gateway import Gateway, RateLimit
from mailing_sandbox.mailjet import Mailjet
from mailing_sandbox.mpdx import Mpdx
from mailing_sandbox.postgrid import PostGrid
from mailing_sandbox.protocol import Protocol
from mailing_sandbox.ses import Ses, Storage
from mailing_sandbox.switches import SwitchBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping, Sequence
    from types import TracebackType

    from mailing_sandbox.provider import Provider


class Sandbox:
    """Emulated providers on a local port, served from a thread of this process.

    Use it as a context manager. `port` 0 takes a free one; `url` is known once it runs. `contacts` and `seed`
    fill the data at the start (0 contacts: nothing at all). `job_seconds` is how long a bulk job takes,
    `latency_ms` delays every provider call, `rate_limit` (calls a second) answers 429 beyond it.
    `others` make emulators of other packages, which are served beside these.
    """

    def __init__(
        self,
        *,
        contacts: int = 0,
        seed: int = 1,
        job_seconds: float = 0.2,
        switches: Mapping[str, Any] | None = None,
        latency_ms: float = 0,
        rate_limit: float | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str = "sandbox-key",
        secret_key: str = "sandbox-secret",  # noqa: S107
        others: Sequence[Callable[[Clock, Counters], Provider]] = (),
    ) -> None:
        self.api_key = api_key
        self.secret_key = secret_key
        self.clock = Clock()
        self.counters = Counters()
        self.faults = Faults()
        self.mailjet = Mailjet(self.clock, self.counters, api_key, secret_key)
        self.mpdx = Mpdx(self.clock, self.counters, secret_key)
        self.postgrid = PostGrid(self.clock, self.counters)
        self.storage = Storage(self.clock, api_key, secret_key)
        self.ses = Ses(self.clock, self.counters, self.storage)
        added = [make(self.clock, self.counters) for make in others]
        self.providers: Sequence[Provider] = (
            self.mailjet, self.mpdx, self.postgrid, self.ses, self.storage, *added
        )  # fmt: skip
        self.switches = SwitchBoard(self.providers)
        durations = ("job_seconds", "postgrid_job_seconds", "postgrid_import_seconds", "ses_job_seconds")
        self.switches.change(dict.fromkeys(durations, job_seconds) | dict(switches or {}))
        if contacts:
            self.seed(contacts, seed)
        #: Decides which calls are refused as too many; to be replaced before the start.
        self.limit = RateLimit(rate_limit)
        self._latency = latency_ms / 1000
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL, such as ``http://127.0.0.1:8025``. RuntimeError unless the sandbox runs."""
        if self._socket is None:
            raise RuntimeError("the sandbox is not running: use it as a context manager or call start()")
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def seed(self, contacts: int, seed: int = 1) -> None:
        """Fill every provider with invented data; the same numbers give the same data."""
        for provider in self.providers:
            provider.seed(contacts, seed)

    def reset(self) -> None:
        """Forget all data, as if restarted empty. Credentials, switches, faults and counters stay."""
        for provider in self.providers:
            provider.reset()

    def app(self, gateway: Gateway) -> Callable[..., Any]:
        """Return the ASGI application: the control API beside the providers."""
        control = guarded(Control(self.clock, self.counters, self.faults, self.switches, self.providers).app())

        async def serve(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            path = scope["path"]
            inner = control if path == "/_sandbox" or path.startswith("/_sandbox/") else gateway
            await inner(scope, receive, send)

        return serve

    def start(self) -> Self:
        """Listen and serve; returns when requests are answered. OSError when the address is taken."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        # With the protocol named, asyncio turns Nagle's algorithm off; without it every answer waits 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self._address)
        except OSError:
            listener.close()
            raise
        gateway = Gateway(self.providers, self.counters, self.faults, self._latency, self.limit)
        self._socket = listener
        self._server = _Server(self.app(gateway), gateway)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="sandbox", daemon=True)
        self._thread.start()
        self._server.ready.wait()
        return self

    @property
    def running(self) -> bool:
        """True from `start` to `stop`, unless the server broke down."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Release held requests, close every connection and end the thread."""
        if self._server is None or self._thread is None or self._socket is None:
            return
        self.faults.clear()
        self._server.stop()
        self._thread.join()
        self._socket.close()
        self.storage.reset()
        self._server = self._thread = self._socket = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class _Server(uvicorn.Server):
    """uvicorn, telling when it listens and able to be stopped from another thread."""

    def __init__(self, app: Callable[..., Any], gateway: Gateway) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="error",
                access_log=False,
                date_header=True,
                server_header=False,
                backlog=2048,
                timeout_keep_alive=75,
            )
        )
        self.ready = threading.Event()
        self._gateway = gateway
        self._running: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._running = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Tick once a second, for the Date header, and end at once when stopped."""
        while not self._stop.is_set():
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Close the idle connections at once, give the others two seconds, then cut them."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if not await self._emptied(2):
            for connection in list(self.server_state.connections):
                # An abort, and no cancelled task: the request sees its client leave, and ends without a traceback.
                connection.transport.abort()
            await self._emptied(1)

    async def _emptied(self, seconds: float) -> bool:
        """Wait for the connections and requests to end; tell whether they did."""
        state = self.server_state
        for _ in range(int(seconds / 0.005)):
            if not (state.connections or state.tasks):
                break
            await asyncio.sleep(0.005)
        return not (state.connections or state.tasks)

    def stop(self) -> None:
        """End the server's loop; called from outside its thread."""
        if self._running is not None and not self._running.is_closed():
            self._running.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._gateway.stop()
        self._stop.set()
