"""Listings: paging, search and order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from mailing_sandbox.postgrid.refusal import invalid
from mailing_sandbox.postgrid.table import Dated
from mailing_sandbox.provider import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailing_sandbox.postgrid.account import Account
    from mailing_sandbox.postgrid.table import Table
    from mailing_sandbox.provider import Call

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
DIGITS = 15
ABSENT = object()

Record = TypeVar("Record", bound=Dated)


def number(call: Call, name: str, default: int) -> int:
    """Return a parameter that must be a whole number, not below 0."""
    text = call.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise invalid(f"'{name}' must be a whole number, 0 or more.")
    return int(text)


def limit_of(account: Account, call: Call) -> int:
    """Return how many rows a page may have."""
    limit = number(call, "limit", DEFAULT_LIMIT)
    if limit > MAX_LIMIT:
        if account.switches.postgrid_limit_over_max == "error":
            raise invalid(f"'limit' must not be above {MAX_LIMIT}.")
        return MAX_LIMIT
    if limit == 0 and account.switches.postgrid_limit_zero != "empty":
        if account.switches.postgrid_limit_zero == "error":
            raise invalid("'limit' must be above 0.")
        return DEFAULT_LIMIT
    return limit


def page(
    account: Account,
    call: Call,
    resource: str,
    table: Table[Record],
    show: Callable[[Record], dict[str, Any]],
) -> Reply:
    """Answer one page of a table; `totalCount` is that of what the search found."""
    skip, limit = number(call, "skip", 0), limit_of(account, call)
    found = table.ordered(account.switches.postgrid_order)
    search = call.query.get("search", "")
    if search:
        before = account.clock.now() - account.switches.postgrid_search_delay_seconds
        fits = criterion(search, show)
        found = [row for row in found if row.created <= before and fits(row)]
    rows = [show(row) for row in found[skip : skip + limit]]
    account.counters.served(resource, len(rows))
    body = {"object": "list", "totalCount": len(found), "skip": skip, "limit": limit, "data": rows}
    return Reply(200, msgspec.json.encode(body))


def criterion(search: str, show: Callable[[Record], dict[str, Any]]) -> Callable[[Record], bool]:
    """Return what a row must fulfil: a JSON object compares fields by their paths, anything else is looked for."""
    try:
        wanted = msgspec.json.decode(search)
    except (ValueError, RecursionError):
        wanted = None
    if isinstance(wanted, dict):
        # Looking up a metadata key among many is common; those rows need not be written out to be compared.
        light = {path: value for path, value in wanted.items() if path.partition(".")[0] == "metadata"}
        other = {path: value for path, value in wanted.items() if path not in light}
        return lambda row: fulfils(told(row), light) and (not other or fulfils(show(row), other))
    text = search.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    needle = text.lower()
    return lambda row: needle in msgspec.json.encode(show(row)).decode().lower()


def told(row: Dated) -> dict[str, Any]:
    """Return the metadata of a row as its answer has it."""
    return {} if row.metadata is None else {"metadata": row.metadata}


def fulfils(row: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Tell whether all paths have the values wanted."""
    return all(at(row, path) == value for path, value in wanted.items())


def at(row: dict[str, Any], path: str) -> Any:
    """Return the value at a path with dots."""
    place: Any = row
    for step in path.split("."):
        if not isinstance(place, dict) or step not in place:
            return ABSENT
        place = place[step]
    return place
