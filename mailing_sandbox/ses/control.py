"""The corner of SES in the control API, under ``/_sandbox/ses``. ``?region=`` chooses a region, else us-east-1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.routing import Route

from mailing_sandbox.control import answer, fields, missing
from mailing_sandbox.ses.jobs import ENDS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mailing_sandbox.ses.emulator import Ses


async def rows(request: Request) -> list[dict[str, Any]]:
    """Decode a body that must be a list of objects with an `email`; ValueError otherwise."""
    decoded = msgspec.json.decode(await request.body())
    if not isinstance(decoded, list) or not all(isinstance(row, dict) and "email" in row for row in decoded):
        raise ValueError("the body must be a list of objects, each with email")
    return decoded


async def words(request: Request, name: str) -> list[str]:
    """Return a list of strings from a body; ValueError otherwise."""
    given = (await fields(request)).get(name, [])
    if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
        raise ValueError(f"{name} must be a list of strings")
    return given


def region_of(request: Request) -> str:
    """Return the region that a request is about."""
    return request.query_params.get("region", "us-east-1")


class Routes:
    """The in-process methods of the emulator, over HTTP."""

    def __init__(self, ses: Ses) -> None:
        self._ses = ses

    def all(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/jobs", self.jobs, methods=["GET"]),
            Route("/jobs/plan", self.plan, methods=["POST"]),
            Route("/jobs/{job}/finish", self.finish, methods=["POST"]),
            Route("/received", self.received, methods=["GET"]),
            Route("/lists", self.add_list, methods=["POST"]),
            Route("/contacts", self.contacts, methods=["GET"]),
            Route("/contacts", self.add_contacts, methods=["POST"]),
            Route("/contacts", self.remove_contacts, methods=["DELETE"]),
            Route("/suppressions", self.suppressions, methods=["GET"]),
            Route("/suppressions", self.add_suppressions, methods=["POST"]),
            Route("/suppressions", self.remove_suppressions, methods=["DELETE"]),
            Route("/account", self.account, methods=["GET", "PATCH"]),
            Route("/denied", self.deny, methods=["PUT"]),
            Route("/keys", self.add_key, methods=["POST"]),
        ]

    async def jobs(self, _: Request) -> Response:
        """Show every import job."""
        return answer(self._ses.jobs())

    async def plan(self, request: Request) -> Response:
        """Say how the next import jobs will go."""
        plans = (await fields(request)).get("next", [])
        if not isinstance(plans, list):
            raise ValueError("next must be a list of plans")
        self._ses.plan_jobs(plans)
        return answer({"planned": len(plans)})

    async def finish(self, request: Request) -> Response:
        """Bring an import job to its end."""
        number = request.path_params["job"]
        end = (await fields(request)).get("end")
        if end not in (None, *ENDS):
            raise ValueError(f"an import job cannot end with {end!r}")
        try:
            self._ses.finish_job(number, end)
        except ValueError:
            return missing(f"import job {number}")
        return answer(next(job for job in self._ses.jobs() if job["id"] == number))

    async def received(self, _: Request) -> Response:
        """Show what was received."""
        return answer(self._ses.received())

    async def add_list(self, request: Request) -> Response:
        """Create the contact list of a region."""
        body = await fields(request)
        if not isinstance(body.get("name"), str):
            raise ValueError("name must be a string")
        topics = body.get("topics", {})
        if not isinstance(topics, dict) or not {*topics.values()} <= {"OPT_IN", "OPT_OUT"}:
            raise ValueError("topics must be an object of OPT_IN and OPT_OUT by name")
        self._ses.add_list(body["name"], topics, region=region_of(request))
        return answer({}, 201)

    async def contacts(self, request: Request) -> Response:
        """Show all contacts of a region."""
        return answer(self._ses.contacts(region=region_of(request)))

    async def add_contacts(self, request: Request) -> Response:
        """Create or replace contacts."""
        self._ses.add_contacts(await rows(request), region=region_of(request))
        return answer({}, 201)

    async def remove_contacts(self, request: Request) -> Response:
        """Delete contacts."""
        self._ses.remove_contacts(await words(request, "emails"), region=region_of(request))
        return answer({})

    async def suppressions(self, request: Request) -> Response:
        """Show a suppression list; ``?tenant=`` chooses a tenant's."""
        tenant = request.query_params.get("tenant")
        return answer(self._ses.suppressions(region=region_of(request), tenant=tenant))

    async def add_suppressions(self, request: Request) -> Response:
        """Suppress addresses."""
        tenant = request.query_params.get("tenant")
        self._ses.add_suppressions(await rows(request), region=region_of(request), tenant=tenant)
        return answer({}, 201)

    async def remove_suppressions(self, request: Request) -> Response:
        """Take addresses off a suppression list."""
        tenant = request.query_params.get("tenant")
        emails = await words(request, "emails")
        self._ses.remove_suppressions(emails, region=region_of(request), tenant=tenant)
        return answer({})

    async def account(self, request: Request) -> Response:
        """Show what GetAccount is made of; set some of it."""
        changes = await fields(request) if request.method == "PATCH" else {}
        changes.pop("region", None)
        return answer(self._ses.profile(region=region_of(request), **changes))

    async def deny(self, request: Request) -> Response:
        """Deny exactly these actions."""
        self._ses.deny(*await words(request, "actions"))
        return answer({})

    async def add_key(self, request: Request) -> Response:
        """Let another access key call."""
        body = await fields(request)
        if not isinstance(body.get("access_key"), str) or not isinstance(body.get("secret_key"), str):
            raise ValueError("access_key and secret_key must be strings")
        self._ses.add_key(
            body["access_key"], body["secret_key"], body.get("session_token"), seconds=body.get("seconds")
        )
        return answer({}, 201)
