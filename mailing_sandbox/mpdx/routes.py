"""Every route of MPDX that the sandbox serves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from mailing_sandbox.mpdx import exports, resources
from mailing_sandbox.mpdx.documents import document, ordered, page, query_filters
from mailing_sandbox.mpdx.filters import PERSON, contact_names, contact_test, statuses, updated, words
from mailing_sandbox.mpdx.ranges import since
from mailing_sandbox.mpdx.refusal import MEDIA_TYPE, Refusal, unknown
from mailing_sandbox.provider import Reply

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mailing_sandbox.mpdx.account import Request
    from mailing_sandbox.mpdx.records import AccountList, Contact, Person, Tombstone
    from mailing_sandbox.mpdx.resources import Kind

Work = Callable[["Request", dict[str, str]], Reply]

PREFIX = "/api/v2"


def listing(request: Request, kind: Kind, rows: Sequence[Any], accepted: Mapping[str, str]) -> Reply:
    """Answer one page of rows."""
    reply, count = page(request, kind, ordered(request.call, kind, rows), accepted)
    request.counters.served(kind.type, count)
    return reply


def known(request: Request, names: Collection[str]) -> dict[str, str]:
    """Return the filters that a listing accepts; the others are ignored without a word."""
    return {name: value for name, value in query_filters(request.call).items() if name in names}


def changed(rows: Sequence[Any], values: Mapping[str, str]) -> Sequence[Any]:
    """Return the rows that a filter by `updated_at` lets pass."""
    if values.get("updated_at", "") == "":
        return rows
    test = updated(values["updated_at"])
    return [row for row in rows if test(row)]


def list_account_lists(request: Request, _: dict[str, str]) -> Reply:
    """List the account lists that the user sees."""
    values = known(request, ("updated_at",))
    return listing(request, resources.ACCOUNT_LISTS, changed(request.store.visible(request.user), values), values)


def read_account_list(request: Request, params: dict[str, str]) -> Reply:
    """Return one account list."""
    found: AccountList | None = request.store.account_lists.get(params["account_list"])
    if found is None or request.user not in found.users:
        raise unknown("AccountList", params["account_list"])
    return document(request.store, request.call, resources.ACCOUNT_LISTS, found)


def read_user(request: Request, _: dict[str, str]) -> Reply:
    """Return who is signed in."""
    return document(request.store, request.call, resources.USERS, request.store.users[request.user])


def list_contacts(request: Request, _: dict[str, str]) -> Reply:
    """List contacts; hidden ones only where the status filter names them."""
    values = known(request, contact_names(request.switches))
    account_lists = request.account_lists(values)
    test = contact_test(values, request.switches, reverse=True)
    rows = [row for row in request.store.contacts.values() if row.account_list in account_lists and test(row)]
    return listing(request, resources.CONTACTS, rows, values)


def contact_of(request: Request, key: str) -> Contact:
    """Return a contact: 404 where there is none, 403 where it is somebody else's."""
    found = request.store.contacts.get(key)
    if found is None:
        raise unknown("Contact", key)
    if found.account_list not in request.account_lists({}):
        raise Refusal(403, f"Not allowed to perform that action on resource with ID {key} of type contacts")
    return found


def read_contact(request: Request, params: dict[str, str]) -> Reply:
    """Return one contact, hidden or not."""
    contact = contact_of(request, params["contact"])
    return document(request.store, request.call, resources.CONTACTS, contact)


def list_addresses(request: Request, params: dict[str, str]) -> Reply:
    """List a contact's addresses, historic ones too."""
    values = known(request, ("updated_at",))
    rows = contact_of(request, params["contact"]).addresses
    return listing(request, resources.ADDRESSES, changed(rows, values), values)


def list_tags(request: Request, _: dict[str, str]) -> Reply:
    """List the tags in use: all at once, without `meta`."""
    account_lists = request.account_lists(query_filters(request.call))
    found = {tag for row in request.store.contacts.values() if row.account_list in account_lists for tag in row.tags}
    rows = [{"id": tag, "type": "tags", "attributes": {"name": tag}} for tag in sorted(found)]
    return Reply(200, msgspec.json.encode({"data": rows}), MEDIA_TYPE)


def list_people(request: Request, _: dict[str, str]) -> Reply:
    """List everybody; a person in two contacts comes twice unless a switch says otherwise."""
    rule = request.switches.mpdx_contact_status
    names = {"account_list_id", *PERSON, *(() if rule == "ignored" else ("contact_status",))}
    values = known(request, names)
    account_lists = request.account_lists(values)
    wanted = statuses(values.get("contact_status", "")) if rule == "default" or "contact_status" in values else None
    tests = [PERSON[name](value) for name, value in values.items() if name in PERSON and value != ""]
    twice = request.switches.mpdx_people_repeated
    repeated = twice == "always" or (twice == "unfiltered" and not values.keys() - {"account_list_id"})
    rows: list[Person] = []
    for person in request.store.people.values():
        contacts = [
            contact
            for contact in request.store.contacts_of(person)
            if contact.account_list in account_lists and (wanted is None or contact.status in wanted)
        ]
        if contacts and all(test(person) for test in tests):
            rows += [person] * (len(contacts) if repeated else 1)
    return listing(request, resources.PEOPLE, rows, values)


def list_people_of(request: Request, params: dict[str, str]) -> Reply:
    """List a contact's people."""
    values = known(request, ("updated_at",))
    rows = contact_of(request, params["contact"]).people
    return listing(request, resources.PEOPLE, changed(rows, values), values)


def person_of(request: Request, params: dict[str, str]) -> Person:
    """Return one of a contact's people."""
    people = contact_of(request, params["contact"]).people
    found = next((person for person in people if person.id == params["person"]), None)
    if found is None:
        raise unknown("Person", params["person"])
    return found


def list_emails(request: Request, params: dict[str, str]) -> Reply:
    """List a person's e-mail addresses."""
    values = known(request, ("updated_at",))
    rows = person_of(request, params).emails
    return listing(request, resources.EMAILS, changed(rows, values), values)


def list_phones(request: Request, params: dict[str, str]) -> Reply:
    """List a person's phone numbers; the path says `phones`, their type is `phone_numbers`."""
    values = known(request, ("updated_at",))
    rows = person_of(request, params).phones
    return listing(request, resources.PHONES, changed(rows, values), values)


def list_deleted(request: Request, _: dict[str, str]) -> Reply:
    """List tombstones; only contacts leave any here."""
    values = known(request, ("account_list_id", "since_date", "types"))
    account_lists = request.account_lists(values)
    kinds = words(values.get("types", "")) or ["Contact"]
    rows: list[Tombstone] = []
    if "Contact" in kinds:
        rows = [row for row in request.store.tombstones.values() if row.account_list in account_lists]
    if values.get("since_date", "") != "":
        test = since(values["since_date"], request.store.now())
        rows = [row for row in rows if test(row.deleted)]
    return listing(request, resources.DELETED, rows, values)


class Route(NamedTuple):
    """One method of one path; parts in braces stand for an ID."""

    method: str
    path: str
    work: Work


def _exports(path: str, *, mailing: bool) -> tuple[Route, ...]:
    return (
        Route("POST", path, lambda request, _: exports.create(request, mailing=mailing)),
        Route("GET", path, lambda request, _: exports.create_used(request, mailing=mailing)),
        Route("GET", f"{path}.csv", lambda request, _: exports.one_step(request, mailing=mailing)),
        Route(
            "GET",
            f"{path}/{{export}}",
            lambda request, params: exports.download(request, params["export"], mailing=mailing),
        ),
    )


ROUTES: tuple[Route, ...] = (
    Route("GET", "/user", read_user),
    Route("GET", "/account_lists", list_account_lists),
    Route("GET", "/account_lists/{account_list}", read_account_list),
    Route("GET", "/contacts", list_contacts),
    Route("GET", "/contacts/tags", list_tags),
    Route("GET", "/contacts/people", list_people),
    *_exports("/contacts/exports/mailing", mailing=True),
    *_exports("/contacts/exports", mailing=False),
    Route("GET", "/contacts/{contact}", read_contact),
    Route("GET", "/contacts/{contact}/addresses", list_addresses),
    Route("GET", "/contacts/{contact}/people", list_people_of),
    Route("GET", "/contacts/{contact}/people/{person}/email_addresses", list_emails),
    Route("GET", "/contacts/{contact}/people/{person}/phones", list_phones),
    Route("GET", "/deleted_records", list_deleted),
)

_PATTERNS = [
    (route, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(f"{PREFIX}{route.path}"))))
    for route in ROUTES
]


def match(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the first route of a path; IDs that are none match nothing."""
    for route, pattern in _PATTERNS:
        found = pattern.fullmatch(path) if route.method == method else None
        if found is None:
            continue
        params = found.groupdict()
        if all(name == "export" or exports.is_uuid(key) for name, key in params.items()):
            return route, params
    return None
