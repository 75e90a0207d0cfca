"""The control API under ``/_sandbox``: needs no credentials, is never counted and never faulted."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Mount, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence

    from starlette.requests import Request

    from mailing_sandbox.clock import Clock
    from mailing_sandbox.counters import Counters
    from mailing_sandbox.faults import Faults
    from mailing_sandbox.provider import Provider
    from mailing_sandbox.switches import SwitchBoard

    App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

TYPES = ("application/json", "text/csv")
"""Types that a page of another origin cannot send without asking first, which is never allowed."""


def answer(content: Any, status: int = 200) -> Response:
    """Return a JSON answer of the control API."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def missing(what: str) -> Response:
    """Return a 404 that names the missing object."""
    return answer({"error": f"there is no {what}"}, 404)


async def fields(request: Request) -> dict[str, Any]:
    """Decode a body that must be a JSON object; an absent body is an empty one. ValueError otherwise."""
    body = await request.body()
    try:
        decoded = msgspec.json.decode(body) if body else {}
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    if not isinstance(decoded, dict):
        raise ValueError("the body must be a JSON object")
    return decoded


async def refused(_: Request, error: Exception) -> Response:
    """Return a 400 with the message about a wrong value."""
    return answer({"error": str(error)}, 400)


def guarded(app: App) -> App:
    """Refuse what a page in a browser could send: another name in `Host`, another origin, a body that is not JSON."""

    async def serve(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        headers = Headers(scope=scope)
        wrong = None
        if not is_local(headers.get("host", "")):
            wrong = "the Host must be localhost, an address, or a name that ends in .localhost"
        elif headers.get("origin", f"http://{headers.get('host')}") != f"http://{headers.get('host')}":
            wrong = "requests of other origins are refused"
        elif has_body(headers) and headers.get("content-type", "").partition(";")[0].strip().lower() not in TYPES:
            wrong = f"the Content-Type must be {' or '.join(TYPES)}"
        await (answer({"error": wrong}, 403) if wrong else app)(scope, receive, send)

    return serve


def is_local(host: str) -> bool:
    """Whether a host, perhaps with a port, is an address or localhost: no name of somebody else's can lead here."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def has_body(headers: Headers) -> bool:
    """Whether a request has a body."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


class Control:
    """The part of the control API that knows no provider; each provider mounts its own below its name."""

    def __init__(
        self, clock: Clock, counters: Counters, faults: Faults, switches: SwitchBoard, providers: Sequence[Provider]
    ) -> None:
        self._clock = clock
        self._counters = counters
        self._faults = faults
        self._switches = switches
        self._providers = providers

    def app(self) -> Starlette:
        """Return the ASGI application; it is to be served `guarded`."""
        common = [
            Route("/faults", self.list_faults, methods=["GET"]),
            Route("/faults", self.add_fault, methods=["POST"]),
            Route("/faults", self.clear_faults, methods=["DELETE"]),
            Route("/faults/{number:int}", self.remove_fault, methods=["DELETE"]),
            Route("/faults/{number:int}/release", self.release_fault, methods=["POST"]),
            Route("/counters", self.read_counters, methods=["GET"]),
            Route("/counters", self.reset_counters, methods=["DELETE"]),
            Route("/clock", self.read_clock, methods=["GET"]),
            Route("/clock", self.advance_clock, methods=["POST"]),
            Route("/switches", self.read_switches, methods=["GET"]),
            Route("/switches", self.change_switches, methods=["PATCH"]),
            Route("/reset", self.reset, methods=["POST"]),
            Route("/seed", self.seed, methods=["POST"]),
        ]
        own = [Mount(f"/{provider.name}", routes=list(provider.routes())) for provider in self._providers]
        errors: Any = {ValueError: refused}
        return Starlette(routes=[Mount("/_sandbox", routes=[*common, *own])], exception_handlers=errors)

    async def list_faults(self, _: Request) -> Response:
        """Show every fault, with hits and waiting requests."""
        return answer([fault.as_dict() for fault in self._faults.all()])

    async def add_fault(self, request: Request) -> Response:
        """Add a fault."""
        return answer({"id": self._faults.add(**await fields(request)).id}, 201)

    async def clear_faults(self, _: Request) -> Response:
        """Remove all faults, releasing what they hold."""
        self._faults.clear()
        return answer({})

    async def remove_fault(self, request: Request) -> Response:
        """Remove one fault, releasing what it holds."""
        number = request.path_params["number"]
        return answer({}) if self._faults.remove(number) else missing(f"fault {number}")

    async def release_fault(self, request: Request) -> Response:
        """Release the requests held by a fault."""
        fault = self._faults.get(request.path_params["number"])
        if fault is None:
            return missing(f"fault {request.path_params['number']}")
        fault.release()
        return answer(fault.as_dict())

    async def read_counters(self, _: Request) -> Response:
        """Show what was counted."""
        return answer(self._counters.as_dict())

    async def reset_counters(self, _: Request) -> Response:
        """Set all counters to 0."""
        self._counters.reset()
        return answer({})

    async def read_clock(self, _: Request) -> Response:
        """Show the emulated time."""
        return answer({"now": self._clock.now()})

    async def advance_clock(self, request: Request) -> Response:
        """Move the time forward by `advance` seconds; `freeze` stops or restarts it."""
        body = await fields(request)
        if body.get("freeze") is True:
            self._clock.freeze()
        elif body.get("freeze") is False:
            self._clock.thaw()
        return answer({"now": self._clock.advance(float(body.get("advance", 0)))})

    async def read_switches(self, _: Request) -> Response:
        """Show every switch."""
        return answer(self._switches.as_dict())

    async def change_switches(self, request: Request) -> Response:
        """Set some switches."""
        self._switches.change(await fields(request))
        return answer(self._switches.as_dict())

    async def reset(self, _: Request) -> Response:
        """Forget all data of all providers."""
        for provider in self._providers:
            provider.reset()
        return answer({})

    async def seed(self, request: Request) -> Response:
        """Fill providers with invented data: every one, or those named."""
        body = await fields(request)
        known = {provider.name: provider for provider in self._providers}
        wanted = body.get("providers", list(known))
        if unknown := sorted(set(wanted) - known.keys()):
            raise ValueError(f"unknown provider {', '.join(unknown)}; the providers are {', '.join(known)}")
        for name in wanted:
            known[name].seed(int(body.get("contacts", 0)), int(body.get("seed", 1)))
        return answer({})
