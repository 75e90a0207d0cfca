"""Export logs: tickets, each good for one download in any format (MPDX reference, exports)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from mailing_sandbox.mpdx import sheets
from mailing_sandbox.mpdx.documents import document, query_filters
from mailing_sandbox.mpdx.filters import contact_test
from mailing_sandbox.mpdx.names import language
from mailing_sandbox.mpdx.refusal import Refusal, no_route, unknown
from mailing_sandbox.mpdx.resources import EXPORT_LOGS
from mailing_sandbox.provider import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailing_sandbox.mpdx.account import Request
    from mailing_sandbox.mpdx.records import Contact, Ticket

KINDS = {True: "Contacts Mailing", False: "Contacts"}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_uuid(key: str) -> bool:
    """Tell whether a string may be an ID."""
    return _UUID.fullmatch(key) is not None


def create(request: Request, *, mailing: bool) -> Reply:
    """Make a ticket. The filter is looked at when the file is fetched, not now."""
    try:
        body = msgspec.json.decode(request.call.body or b"{}")
    except ValueError as error:
        raise Refusal(400, "The body is not JSON") from error
    body = body.get("data") if isinstance(body, dict) else None
    if not isinstance(body, dict) or body.get("type") != "export_logs":
        raise Refusal(409, "The type must be export_logs", "/data/type")
    attributes = body.get("attributes") or {}
    for name in attributes:
        if name == "id" or name.endswith("_id"):
            raise Refusal(409, f"{name} belongs into relationships", f"/data/attributes/{name}")
    params = attributes.get("params")
    ticket = request.store.add_ticket(request.user, KINDS[mailing], params if isinstance(params, dict) else {})
    return document(request.store, request.call, EXPORT_LOGS, ticket, status=201)


def create_used(request: Request, *, mailing: bool) -> Reply:
    """Make a ticket and use it at once, as `GET contacts/exports` does."""
    ticket = request.store.add_ticket(request.user, KINDS[mailing], {"filter": query_filters(request.call)})
    ticket.used = True
    ticket.formats = ["json"]
    return document(request.store, request.call, EXPORT_LOGS, ticket)


def one_step(request: Request, *, mailing: bool) -> Reply:
    """Make a ticket and answer its file at once."""
    ticket = request.store.add_ticket(request.user, KINDS[mailing], {"filter": query_filters(request.call)})
    return _file(request, ticket, mailing=mailing)


def download(request: Request, name: str, *, mailing: bool) -> Reply:
    """Use a ticket up, whatever comes of it."""
    key, _, form = name.partition(".")
    if not is_uuid(key) or form not in ("", "csv"):
        raise no_route()
    ticket = request.store.tickets.get(key.lower())
    if ticket is None:
        raise unknown("ExportLog", key)
    if ticket.user != request.user or ticket.used:
        raise Refusal(403, f"Not allowed to perform that action on resource with ID {key} of type export_logs")
    if form:
        return _file(request, ticket, mailing=mailing)
    ticket.used = True
    ticket.formats = [*ticket.formats, "json"]
    return document(request.store, request.call, EXPORT_LOGS, ticket)


def _file(request: Request, ticket: Ticket, *, mailing: bool) -> Reply:
    ticket.used = True
    ticket.formats = [*ticket.formats, "csv"]
    rows = _chosen(request, _values(request, ticket.params.get("filter")))
    homes = {each.id: each.home_country for each in request.store.visible(request.user)}
    tongue = language(request.call.headers.get("accept-language", ""))
    if mailing:
        content = sheets.mailing(rows, homes, tongue, more=request.switches.mpdx_csv_columns == "more")
    else:
        content = sheets.advanced(rows, homes, tongue)
    request.counters.served("contacts/exports/mailing" if mailing else "contacts/exports", len(rows))
    today = datetime.fromtimestamp(request.store.now(), UTC).strftime("%Y%m%d")
    return Reply(200, content, "text/csv", {"Content-Disposition": f'attachment; filename="contacts-{today}.csv"'})


def _values(request: Request, given: Any) -> dict[str, str]:
    """Return the filter's usable values: strings, and lists of IDs if the switch says so."""
    if isinstance(given, str):
        if request.switches.mpdx_string_filter == "error":
            raise Refusal(500)
        try:
            given = msgspec.json.decode(given)
        except ValueError as error:
            raise Refusal(500) from error
    values = {}
    for name, value in (given if isinstance(given, dict) else {}).items():
        if isinstance(value, str):
            values[name] = value
        elif name == "ids" and isinstance(value, list) and request.switches.mpdx_array_ids == "honoured":
            values[name] = ",".join(map(str, value))
        elif value is True:
            values[name] = "true"
    return values


def _chosen(request: Request, values: Mapping[str, str]) -> list[Contact]:
    """Return the contacts of an export, in the byte order of their names."""
    account_lists = {each.id for each in request.store.visible(request.user)}
    if "account_list_id" in values:
        if values["account_list_id"] not in account_lists:
            raise unknown("AccountList", values["account_list_id"])
        account_lists = {values["account_list_id"]}
    test = contact_test(values, request.switches, reverse=False)
    rows = [row for row in request.store.contacts.values() if row.account_list in account_lists and test(row)]
    return sorted(rows, key=lambda row: row.name.encode())
