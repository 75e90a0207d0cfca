"""MPDX's corner of the control API, under ``/_sandbox/mpdx``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.routing import Route

from mailing_sandbox.control import answer, fields

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mailing_sandbox.mpdx.emulator import Mpdx

Call = Callable[["Request"], Awaitable["Response"]]


class Routes:
    """The in-process methods of the emulator, over HTTP."""

    def __init__(self, mpdx: Mpdx) -> None:
        self._mpdx = mpdx

    def all(self) -> list[Route]:
        """Return the routes."""
        mpdx = self._mpdx
        return [
            Route("/tokens", self.issue_token, methods=["POST"]),
            Route("/tokens", self.revoke_tokens, methods=["DELETE"]),
            Route("/users", self.add_user, methods=["POST"]),
            Route("/exports", self.exports, methods=["GET"]),
            Route("/account_lists", self.account_lists, methods=["GET"]),
            Route("/account_lists", self.add_account_list, methods=["POST"]),
            Route("/contacts", self.contacts, methods=["GET"]),
            Route("/contacts", self.add_contacts, methods=["POST"]),
            Route("/contacts/{contact}", _changes(mpdx.change_contact, "contact"), methods=["PATCH"]),
            Route("/contacts/{contact}", _deletes(mpdx.delete_contact, "contact"), methods=["DELETE"]),
            Route("/contacts/{contact}/merge", self.merge, methods=["POST"]),
            Route("/contacts/{contact}/people", _adds(mpdx.add_person, "contact"), methods=["POST"]),
            Route("/contacts/{contact}/people/{person}", self.join, methods=["PUT"]),
            Route("/contacts/{contact}/addresses", _adds(mpdx.add_address, "contact"), methods=["POST"]),
            Route("/people/{person}", _changes(mpdx.change_person, "person"), methods=["PATCH"]),
            Route("/people/{person}", _deletes(mpdx.delete_person, "person"), methods=["DELETE"]),
            Route("/people/{person}/mailchimp", self.mailchimp, methods=["POST"]),
            Route("/people/{person}/emails", _adds(mpdx.add_email, "person"), methods=["POST"]),
            Route("/emails/{email}", _changes(mpdx.change_email, "email"), methods=["PATCH"]),
            Route("/emails/{email}", _deletes(mpdx.delete_email, "email"), methods=["DELETE"]),
            Route("/addresses/{address}", _changes(mpdx.change_address, "address"), methods=["PATCH"]),
            Route("/addresses/{address}", _deletes(mpdx.delete_address, "address"), methods=["DELETE"]),
        ]

    async def issue_token(self, request: Request) -> Response:
        """Sign a token."""
        body = await fields(request)
        return answer({"token": self._mpdx.token(body.get("user"), body.get("seconds"))}, 201)

    async def revoke_tokens(self, _: Request) -> Response:
        """Refuse the tokens issued so far."""
        self._mpdx.revoke_tokens()
        return answer({})

    async def add_user(self, _: Request) -> Response:
        """Add a user."""
        return answer({"id": self._mpdx.add_user()}, 201)

    async def exports(self, _: Request) -> Response:
        """Show the export logs."""
        return answer(self._mpdx.exports())

    async def account_lists(self, _: Request) -> Response:
        """Show the account lists."""
        return answer(self._mpdx.account_lists())

    async def add_account_list(self, request: Request) -> Response:
        """Add an account list."""
        body = await fields(request)
        if not isinstance(body.get("name"), str):
            raise ValueError("name must be a string")
        key = self._mpdx.add_account_list(body["name"], body.get("home_country"), body.get("user"))
        return answer({"id": key}, 201)

    async def contacts(self, _: Request) -> Response:
        """Show all contacts."""
        return answer(self._mpdx.contacts())

    async def add_contacts(self, request: Request) -> Response:
        """Add contacts."""
        rows = msgspec.json.decode(await request.body())
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("the body must be a list of objects")
        return answer({"ids": self._mpdx.add_contacts(rows)}, 201)

    async def merge(self, request: Request) -> Response:
        """Merge a contact into another."""
        self._mpdx.merge_contacts(request.path_params["contact"], str((await fields(request)).get("into")))
        return answer({})

    async def join(self, request: Request) -> Response:
        """Put a person into one more contact."""
        self._mpdx.join_contact(request.path_params["contact"], request.path_params["person"])
        return answer({})

    async def mailchimp(self, request: Request) -> Response:
        """Let an opt-out or a subscription come in from Mailchimp."""
        subscribed = (await fields(request)).get("subscribed")
        if not isinstance(subscribed, bool):
            raise ValueError("subscribed must be true or false")
        self._mpdx.mailchimp(request.path_params["person"], subscribed=subscribed)
        return answer({})


def _adds(add: Callable[..., str], owner: str) -> Call:
    async def route(request: Request) -> Response:
        given: dict[str, Any] = await fields(request)
        return answer({"id": add(request.path_params[owner], **given)}, 201)

    return route


def _changes(change: Callable[..., None], name: str) -> Call:
    async def route(request: Request) -> Response:
        given: dict[str, Any] = await fields(request)
        change(request.path_params[name], **given)
        return answer({})

    return route


def _deletes(delete: Callable[[str], None], name: str) -> Call:
    async def route(request: Request) -> Response:
        delete(request.path_params[name])
        return answer({})

    return route
