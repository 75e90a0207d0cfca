"""Every route of PostGrid that the sandbox serves, and how a path finds its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from mailing_sandbox.postgrid import contact_routes as contacts
from mailing_sandbox.postgrid import import_routes as imports
from mailing_sandbox.postgrid import list_routes as lists
from mailing_sandbox.postgrid.links import PREFIX

if TYPE_CHECKING:
    from mailing_sandbox.postgrid.account import Mode
    from mailing_sandbox.provider import Call, Reply

Work = Callable[["Mode", "Call", str], "Reply"]

ROUTES: dict[str, dict[str, Work]] = {
    "/print-mail/v1/contacts": {"GET": contacts.list_contacts, "POST": contacts.create},
    "/print-mail/v1/contacts/{id}": {"GET": contacts.read_contact, "DELETE": contacts.delete_contact},
    "/print-mail/v1/mailing_lists": {"GET": lists.list_lists, "POST": lists.create},
    "/print-mail/v1/mailing_lists/{id}": {
        "GET": lists.read_list,
        "POST": lists.update_list,
        "DELETE": lists.delete_list,
    },
    "/print-mail/v1/mailing_lists/{id}/jobs": {"POST": lists.submit_job},
    "/print-mail/v1/mailing_list_imports": {"GET": imports.list_imports, "POST": imports.create},
    "/print-mail/v1/mailing_list_imports/{id}": {
        "GET": imports.read_import,
        "POST": imports.update_import,
        "DELETE": imports.delete_import,
    },
}
"""Works by path and method; ``{id}`` stands for any segment."""


class Match(NamedTuple):
    """A path: its template, the ID in it, and the works by method."""

    template: str
    id: str
    works: dict[str, Work]


def match(call: Call) -> Match | None:
    """Return what a path means, None when PostGrid has no such path."""
    segments = call.segments
    number = segments[3] if len(segments) > 3 else ""
    template = "/" + "/".join((*segments[:3], *(("{id}",) if number else ()), *segments[4:]))
    works = ROUTES.get(template)
    return None if works is None else Match(template, number, works)


def template(call: Call) -> str:
    """Return the route of a call, to count it under."""
    if call.segments[0].lower() == PREFIX:
        kind = "hosted" if call.segments[1:2] == ("hosted",) else "{id}"
        return f"{call.method} /{PREFIX}/{kind}/{{file}}"
    found = match(call)
    return f"{call.method} {found.template if found else '(unknown)'}"
