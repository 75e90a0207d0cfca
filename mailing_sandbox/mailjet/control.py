"""Mailjet's corner of the control API, under ``/_sandbox/mailjet``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.routing import Route

from mailing_sandbox.control import answer, fields, missing

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mailing_sandbox.mailjet.emulator import Mailjet


async def rows(request: Request, *needed: str) -> list[dict[str, Any]]:
    """Decode a body that must be a list of objects with certain keys; ValueError otherwise."""
    decoded = msgspec.json.decode(await request.body())
    if not isinstance(decoded, list) or not all(isinstance(row, dict) and row.keys() >= {*needed} for row in decoded):
        raise ValueError(f"the body must be a list of objects, each with {' and '.join(needed)}")
    return decoded


class Routes:
    """The in-process methods of the emulator, over HTTP."""

    def __init__(self, mailjet: Mailjet) -> None:
        self._mailjet = mailjet

    def all(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/jobs", self.jobs, methods=["GET"]),
            Route("/jobs/plan", self.plan, methods=["POST"]),
            Route("/jobs/{job:int}/finish", self.finish, methods=["POST"]),
            Route("/batchjob/{job:int}", self.change_job, methods=["PATCH"]),
            Route("/received", self.received, methods=["GET"]),
            Route("/contacts", self.contacts, methods=["GET"]),
            Route("/contacts", self.add_contacts, methods=["POST"]),
            Route("/signups", self.add_signups, methods=["POST"]),
            Route("/lists", self.add_list, methods=["POST"]),
            Route("/lists/{list}/members", self.members, methods=["GET"]),
            Route("/properties", self.add_property, methods=["POST"]),
            Route("/properties/{name}", self.retype, methods=["PATCH"]),
        ]

    async def jobs(self, _: Request) -> Response:
        """Show every job."""
        return answer(self._mailjet.jobs())

    async def plan(self, request: Request) -> Response:
        """Say how the next jobs will go."""
        plans = (await fields(request)).get("next", [])
        if not isinstance(plans, list):
            raise ValueError("next must be a list of plans")
        self._mailjet.plan_jobs(plans)
        return answer({"planned": len(plans)})

    async def finish(self, request: Request) -> Response:
        """Bring a job to its end."""
        number = request.path_params["job"]
        end = (await fields(request)).get("end")
        if end not in (None, "completed", "error", "abort", "completed_with_errors"):
            raise ValueError(f"a job cannot end with {end!r}")
        try:
            self._mailjet.finish_job(number, end)
        except ValueError:
            return missing(f"job {number}")
        return answer(next(job for job in self._mailjet.jobs() if job["id"] == number))

    async def change_job(self, request: Request) -> Response:
        """Set fields of a past job."""
        self._mailjet.set_job(request.path_params["job"], await fields(request))
        return answer({})

    async def received(self, _: Request) -> Response:
        """Show the bulk rows received."""
        return answer(self._mailjet.received())

    async def contacts(self, _: Request) -> Response:
        """Show all contacts."""
        return answer(self._mailjet.contacts())

    async def add_contacts(self, request: Request) -> Response:
        """Create contacts and memberships."""
        return answer({"ids": self._mailjet.add_contacts(await rows(request, "email"))}, 201)

    async def add_signups(self, request: Request) -> Response:
        """Let people sign up."""
        signups = await rows(request, "email", "list")
        if not all(isinstance(row.get("confirmed", False), bool) for row in signups):
            raise ValueError("confirmed must be true or false")
        return answer({"ids": self._mailjet.add_signups(signups)}, 201)

    async def add_list(self, request: Request) -> Response:
        """Create a list."""
        name = (await fields(request)).get("name")
        if not isinstance(name, str):
            raise ValueError("name must be a string")
        return answer({"id": self._mailjet.add_list(name)}, 201)

    async def members(self, request: Request) -> Response:
        """Show the members of a list."""
        try:
            return answer(self._mailjet.members(request.path_params["list"]))
        except ValueError:
            return missing(f"list {request.path_params['list']}")

    async def add_property(self, request: Request) -> Response:
        """Define a property."""
        body = await fields(request)
        if not isinstance(body.get("name"), str):
            raise ValueError("name must be a string")
        if body.get("namespace", "static") not in ("static", "historic"):
            raise ValueError("namespace must be static or historic")
        add = self._mailjet.historic if body.get("namespace") == "historic" else self._mailjet.add_property
        return answer({"id": add(body["name"], str(body.get("datatype", "str")))}, 201)

    async def retype(self, request: Request) -> Response:
        """Give a property another type; values stay."""
        self._mailjet.retype(request.path_params["name"], str((await fields(request)).get("datatype")))
        return answer({})
