"""MPDX's JSON:API: rows from documents, errors from refusals, ranges of dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

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
    """One resource of a document."""

    id: str
    type: str
    attributes: Row = {}
    relationships: dict[str, Row] = {}


class _Linked(msgspec.Struct):
    type: str
    id: str


_Linkage = list[_Linked] | _Linked | None


class _Pagination(msgspec.Struct):
    total_count: Annotated[int, msgspec.Meta(ge=0)]


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
        total: the number of rows in the whole listing.
    """

    rows: list[Row]
    total: int


def page(response: httpx.Response, applied: Mapping[str, str]) -> Page:
    """Read a page.

    Args:
        response: the response.
        applied: filters that MPDX must have applied: it ignores a filter that it does not know, and echoes the others.

    Raises:
        ValueError: not such a document.
        UnreadableAnswer: a filter was not applied.
    """
    document = _LIST.decode(response.content)
    ignored = [name for name, value in applied.items() if document.meta.filter.get(name) != value]
    if ignored:
        raise UnreadableAnswer(f"MPDX did not apply the filter {', '.join(ignored)}.")
    included = {(each.type, each.id): each for each in document.included}
    return Page([row(each, included) for each in document.data], document.meta.pagination.total_count)


def resource(response: httpx.Response) -> Resource:
    """Read a document of one resource; raise ValueError if it is not one."""
    return _SINGLE.decode(response.content).data


def row(source: Resource, included: Mapping[tuple[str, str], Resource]) -> Row:
    """Return a resource as a flat row: `id`, the attributes, and each relationship under its name.

    A relationship is a list or a single value: the linked resource's own row if it is among `included`, otherwise its
    ID. In that row relationships are IDs, since included resources may link to each other in a circle.

    Raises:
        ValueError: a link without type and ID.
    """

    def linked_row(link: _Linked) -> Any:
        target = included.get((link.type, link.id))
        return link.id if target is None else _flat(target, lambda further: further.id)

    return _flat(source, linked_row)


def _flat(source: Resource, follow: Callable[[_Linked], Any]) -> Row:
    flat: Row = {"id": source.id, **source.attributes}
    for name, relationship in source.relationships.items():
        links = msgspec.convert(relationship.get("data"), _Linkage)
        flat[name] = [follow(each) for each in links] if isinstance(links, list) else links and follow(links)
    return flat


def date_range(since: str) -> str:
    """Return a filter's value for all dates from `since` on.

    It has both ends, whole seconds and `Z`: MPDX reads anything else as the single day of its first date. The end is
    tomorrow, so that rows that change while the listing is read stay in it.

    Args:
        since: in the form of `mailing_api.values.timestamp`.
    """
    return f"{since[:19]}Z..{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"


def covering(offset: int, most: int) -> tuple[int, int]:
    """Return the page, of at most `most` rows, that has the row at `offset` and the most rows after it.

    MPDX counts pages and not rows, so a page can begin at a given row only if its length divides the row's offset.

    Returns:
        the page's number from 1 on, and its length.
    """
    length = max(range(1, most + 1), key=lambda size: size - offset % size)
    return offset // length + 1, length


def read_error(request: str, response: httpx.Response) -> MailingError:
    """Return the error for a refusal. Titles and details quote IDs and may quote rows, so they are not read."""
    status = response.status_code
    pointers = _pointers(response.content)
    message = f"{request}: HTTP {status}{f' ({pointers})' if pointers else ''}."
    if status == 401:
        return AuthenticationError(f"{message} The token is missing, wrong or expired: get a new one.", status=status)
    if status == 403:
        return PermissionDenied(message, status=status)
    if status == 404:
        return NotFound(message, status=status)
    if status >= 500:
        return ProviderFault(message, status=status, maybe_done=True)
    return RequestRefused(message, status=status, code=pointers or None)


def _pointers(body: bytes) -> str:
    """The pointers of the errors, such as `/data/attributes/name`."""
    try:
        errors = msgspec.json.decode(body)["errors"]
        pointers: Sequence[str] = [error.get("source", {}).get("pointer", "") for error in errors]
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return ", ".join(pointer for pointer in pointers if re.fullmatch(r"[\w/]{1,80}", str(pointer)))


_LIST = msgspec.json.Decoder(_List)
_SINGLE = msgspec.json.Decoder(_Single)
