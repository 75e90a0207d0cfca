"""JSON:API as MPDX speaks it: documents to rows, refusals to errors, ranges of dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec

from mailing_api.errors import (
    AuthenticationError,
    MailingError,
    NotFound,
    PermissionDenied,
    ProviderFault,
    RequestRefused,
    UnreadableAnswer,
)

__all__ = ["MEDIA_TYPE", "Page", "Resource", "covering", "date_range", "page", "read_error", "resource", "row"]

Row = dict[str, Any]

MEDIA_TYPE = "application/vnd.api+json"


class Resource(msgspec.Struct):
    """One resource as it is sent."""

    id: str
    type: str
    attributes: Row = {}
    relationships: dict[str, Row] = {}


class _Linked(msgspec.Struct):
    type: str
    id: str


_Linkage = list[_Linked] | _Linked | None


class _Pagination(msgspec.Struct):
    total_count: int


class _Meta(msgspec.Struct):
    pagination: _Pagination
    filter: Row = {}


class _List(msgspec.Struct):
    data: list[Resource]
    meta: _Meta
    included: list[Resource] = []


class _Single(msgspec.Struct):
    data: Resource


class Page(msgspec.Struct):
    """One page of a listing.

    Attributes:
        rows: see `row`.
        total: the rows of the whole listing, when this page was made.
    """

    rows: list[Row]
    total: int


def page(response: httpx.Response, applied: Mapping[str, str]) -> Page:
    """Read a page.

    Args:
        response: the answer.
        applied: filters that must have been understood: MPDX ignores one that it does not know, but echoes the others.

    Raises:
        ValueError: not such a document.
        UnreadableAnswer: a filter was not applied.
    """
    found = _LIST.decode(response.content)
    ignored = [name for name, value in applied.items() if found.meta.filter.get(name) != value]
    if ignored:
        raise UnreadableAnswer(f"MPDX did not apply the filter {', '.join(ignored)}.")
    included = {(one.type, one.id): one for one in found.included}
    return Page([row(one, included) for one in found.data], found.meta.pagination.total_count)


def resource(response: httpx.Response) -> Resource:
    """Read a document of one resource; ValueError where it is none."""
    return _SINGLE.decode(response.content).data


def row(one: Resource, included: Mapping[tuple[str, str], Resource]) -> Row:
    """A resource as a flat row: `id`, the attributes, and each relationship under its name.

    A relationship is a list or a single value: the linked resource's own row where it is among `included`, else its ID.
    What is linked from there is an ID: included resources may link to each other in a circle.

    Raises:
        ValueError: a link without type and ID.
    """
    return _flat(one, lambda linked: _included(linked, included))


def _included(linked: _Linked, included: Mapping[tuple[str, str], Resource]) -> Any:
    target = included.get((linked.type, linked.id))
    return linked.id if target is None else _flat(target, lambda further: further.id)


def _flat(one: Resource, follow: Callable[[_Linked], Any]) -> Row:
    found: Row = {"id": one.id, **one.attributes}
    for name, relationship in one.relationships.items():
        to = msgspec.convert(relationship.get("data"), _Linkage)
        found[name] = [follow(each) for each in to] if isinstance(to, list) else to and follow(to)
    return found


def date_range(since: str) -> str:
    """A filter's value for "from then on".

    Both ends, whole seconds and `Z`: MPDX takes anything else for the single day of its first date. The end is
    tomorrow, so that a row that is changed while the listing is read stays in it.

    Args:
        since: in the form of `mailing_api.values.timestamp`.
    """
    return f"{since[:19]}Z..{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"


def covering(offset: int, most: int) -> tuple[int, int]:
    """The page with the row at `offset` that has the most rows after it, of all pages up to `most` rows long.

    MPDX counts pages and not rows, so a page can begin at a given row only where its length divides the row's place.

    Returns:
        the page's number from 1 on, and its length.
    """
    length = max(range(1, most + 1), key=lambda one: one - offset % one)
    return offset // length + 1, length


def read_error(asked: str, response: httpx.Response) -> MailingError:
    """The error for a refusal. Titles and details quote IDs and may quote rows, so only the status is kept."""
    status = response.status_code
    pointers = _pointers(response.content)
    what = f"{asked}: HTTP {status}{f' ({pointers})' if pointers else ''}."
    if status == 401:
        return AuthenticationError(f"{what} The token is missing, wrong or expired: get a new one.", status=status)
    if status == 403:
        return PermissionDenied(what, status=status)
    if status == 404:
        return NotFound(what, status=status)
    if status >= 500:
        return ProviderFault(what, status=status, maybe_done=True)
    return RequestRefused(what, status=status, code=pointers or None)


def _pointers(body: bytes) -> str:
    """What the errors point at, such as `/data/attributes/name`."""
    try:
        found = msgspec.json.decode(body)
        pointers: Sequence[str] = [error.get("source", {}).get("pointer", "") for error in found["errors"]]
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return ", ".join(one for one in pointers if re.fullmatch(r"[\w/]{1,80}", str(one)))


_LIST = msgspec.json.Decoder(_List)
_SINGLE = msgspec.json.Decoder(_Single)
