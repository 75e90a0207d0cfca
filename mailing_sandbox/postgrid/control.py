"""PostGrid's corner of the control API, under ``/_sandbox/postgrid``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
from starlette.routing import Route

from mailing_sandbox.control import answer, fields, missing

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mailing_sandbox.postgrid.address import AddressStatus
    from mailing_sandbox.postgrid.emulator import PostGrid


def live(request: Request) -> bool:
    """Tell whether a request means the live mode: ``?live=true``."""
    return request.query_params.get("live", "").lower() == "true"


def text(body: dict[str, Any], name: str) -> str:
    """Return a string of a body; ValueError otherwise."""
    if not isinstance(body.get(name), str):
        raise ValueError(f"{name} must be a string")
    return str(body[name])


def errors_of(body: dict[str, Any]) -> list[str] | None:
    """Return the types of errors to end with, None if there are none; ValueError otherwise."""
    errors = body.get("errors")
    if errors is not None and not (isinstance(errors, list) and all(isinstance(each, str) for each in errors)):
        raise ValueError("errors must be a list of strings")
    return errors


class Routes:
    """The in-process methods of the emulator, over HTTP."""

    def __init__(self, postgrid: PostGrid) -> None:
        self._postgrid = postgrid

    def all(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/keys", self.add_key, methods=["POST"]),
            Route("/keys/{key}", self.remove_key, methods=["DELETE"]),
            Route("/addresses", self.teach_addresses, methods=["POST"]),
            Route("/contacts", self.contacts, methods=["GET"]),
            Route("/contacts", self.add_contacts, methods=["POST"]),
            Route("/lists", self.lists, methods=["GET"]),
            Route("/lists", self.add_list, methods=["POST"]),
            Route("/lists/{list}/members", self.members, methods=["GET"]),
            Route("/lists/{list}/finish", self.finish_job, methods=["POST"]),
            Route("/jobs", self.jobs, methods=["GET"]),
            Route("/jobs/plan", self.plan_jobs, methods=["POST"]),
            Route("/imports", self.imports, methods=["GET"]),
            Route("/imports", self.add_import, methods=["POST"]),
            Route("/imports/plan", self.plan_imports, methods=["POST"]),
            Route("/imports/{import}/finish", self.finish_import, methods=["POST"]),
            Route("/imports/{import}/file", self.lose_file, methods=["DELETE"]),
            Route("/files", self.host_file, methods=["POST"]),
            Route("/received", self.received, methods=["GET"]),
        ]

    async def add_key(self, request: Request) -> Response:
        """Accept a key."""
        body = await fields(request)
        read_only, seconds = body.get("read_only", False), body.get("seconds")
        if not isinstance(read_only, bool) or not (seconds is None or isinstance(seconds, int | float)):
            raise ValueError("read_only must be true or false, and seconds a number")
        self._postgrid.add_key(text(body, "key"), read_only=read_only, seconds=seconds)
        return answer({}, 201)

    async def remove_key(self, request: Request) -> Response:
        """Accept a key no longer."""
        return answer({}) if self._postgrid.remove_key(request.path_params["key"]) else missing("such key")

    async def teach_addresses(self, request: Request) -> Response:
        """Tell the verifier about addresses."""
        body = await fields(request)
        for line, status in body.items():
            if status not in ("verified", "corrected", "failed"):
                raise ValueError(f"an address cannot be {status!r}")
            self._postgrid.teach_address(line, cast("AddressStatus", status))
        return answer({})

    async def contacts(self, request: Request) -> Response:
        """Show all contacts."""
        return answer(self._postgrid.contacts(live=live(request)))

    async def add_contacts(self, request: Request) -> Response:
        """Create contacts."""
        rows = msgspec.json.decode(await request.body())
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("the body must be a list of objects")
        return answer({"ids": self._postgrid.add_contacts(rows, live=live(request))}, 201)

    async def lists(self, request: Request) -> Response:
        """Show all lists."""
        return answer(self._postgrid.lists(live=live(request)))

    async def add_list(self, request: Request) -> Response:
        """Create a list."""
        body = await fields(request)
        metadata = body.get("metadata")
        if not (metadata is None or isinstance(metadata, dict)):
            raise ValueError("metadata must be an object")
        return answer({"id": self._postgrid.add_list(text(body, "description"), metadata, live=live(request))}, 201)

    async def members(self, request: Request) -> Response:
        """Show who is on a list."""
        return answer(self._postgrid.members(request.path_params["list"]))

    async def finish_job(self, request: Request) -> Response:
        """Bring the job of a list to its end."""
        self._postgrid.finish_job(request.path_params["list"], errors_of(await fields(request)))
        return answer({})

    async def jobs(self, _: Request) -> Response:
        """Show every list job."""
        return answer(self._postgrid.jobs())

    async def plan_jobs(self, request: Request) -> Response:
        """Say how the next list jobs will go."""
        plans = plans_of(await fields(request))
        self._postgrid.plan_jobs(plans)
        return answer({"planned": len(plans)})

    async def imports(self, request: Request) -> Response:
        """Show all imports."""
        return answer(self._postgrid.imports(live=live(request)))

    async def add_import(self, request: Request) -> Response:
        """Take a file in."""
        body = await fields(request)
        try:
            mapping = msgspec.convert(body.get("mapping"), dict[str, str])
        except msgspec.ValidationError as error:
            raise ValueError(f"mapping refused: {error}") from error
        return answer({"id": self._postgrid.add_import(text(body, "content"), mapping, live=live(request))}, 201)

    async def plan_imports(self, request: Request) -> Response:
        """Say how the next imports will go."""
        plans = plans_of(await fields(request))
        self._postgrid.plan_imports(plans)
        return answer({"planned": len(plans)})

    async def finish_import(self, request: Request) -> Response:
        """Bring an import to its end."""
        self._postgrid.finish_import(request.path_params["import"], errors_of(await fields(request)))
        return answer({})

    async def lose_file(self, request: Request) -> Response:
        """Let the file of an import be gone."""
        self._postgrid.lose_file(request.path_params["import"])
        return answer({})

    async def host_file(self, request: Request) -> Response:
        """Keep a file for imports to fetch; the body is the file."""
        return answer({"path": self._postgrid.host_file((await request.body()).decode())}, 201)

    async def received(self, _: Request) -> Response:
        """Show the rows received."""
        return answer(self._postgrid.received())


def plans_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the plans of a body; ValueError otherwise."""
    plans = body.get("next", [])
    if not isinstance(plans, list) or not all(isinstance(plan, dict) for plan in plans):
        raise ValueError("next must be a list of plans")
    return plans
