"""PostGrid's responses: pages of a listing, objects, and the errors for refusals; pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
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
)
from mailing_api.values import count, is_identifier

__all__ = ["Page", "Row", "code", "metadata_of", "one", "page", "read_error", "something"]

Row = dict[str, Any]


class Page(msgspec.Struct):
    """One page of a listing.

    Attributes:
        rows: each with its `id`.
        total: the number of rows in the whole listing; None if it is missing, although it is documented.
        skip: rows before this page; likewise.
        made: the time of the response by the server's clock; None if it is missing.
    """

    rows: list[Row]
    total: int | None
    skip: int | None
    made: datetime | None


_Count = Annotated[int, msgspec.Meta(ge=0)]


class _List(msgspec.Struct):
    data: list[Row]
    totalCount: _Count | None = None  # noqa: N815 - as PostGrid writes it
    skip: _Count | None = None


_TYPES = {"metadata": dict, "errors": list, "notes": list, "status": str, "updatedAt": str}
_COUNTS = ("validRowCount", "invalidRowCount")

_LIST = msgspec.json.Decoder(_List)
_ROW = msgspec.json.Decoder(Row)


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""


class _Refusal(msgspec.Struct):
    error: _Error


_REFUSAL = msgspec.json.Decoder(_Refusal)

#: The form of a `type`; anything else could quote data.
_CODE = re.compile(r"[a-z][a-z0-9_.]{1,79}")

_KEY = re.compile(r"\b(?:test|live)_\w{8,}")
#: A URL and its query. URLs without a query match, too, so that the search continues after them.
_SIGNATURE = re.compile(r"(https?://[^\s?\"'<>]++)(\?[^\s\"'<>]*)?")


def page(response: httpx.Response) -> Page:
    """Read a page.

    Raises:
        ValueError: not a page, or a row without its ID.
    """
    listing = _LIST.decode(response.content)
    if not all(is_identifier(row.get("id")) for row in listing.data):
        raise ValueError("a row without its id")
    return Page(listing.data, listing.totalCount, listing.skip, _moment(response.headers.get("Date", "")))


def one(response: httpx.Response) -> Row:
    """Read a single object.

    Raises:
        ValueError: not an object, or without its ID, or with a member of a wrong type.
    """
    row = _ROW.decode(response.content)
    if not is_identifier(row.get("id")):
        raise ValueError("an object without its id")
    for name, kind in _TYPES.items():
        if row.get(name) is not None and not isinstance(row[name], kind):
            raise ValueError("a member of another type")
    for name in _COUNTS:
        count(row.get(name))
    return row


def metadata_of(row: Row) -> Row:
    """Return the metadata of an object of a listing, whose members are not checked; empty for none."""
    metadata = row.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def something(response: httpx.Response) -> None:
    """Check that the response is an object.

    Raises:
        ValueError: it is not, so it may not come from PostGrid.
    """
    _ROW.decode(response.content)


def code(kind: str) -> str | None:
    """Return the type of an error if it is a word and quotes no data."""
    return kind if _CODE.fullmatch(kind) and not _KEY.search(kind) else None


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # the latter for a year of many digits
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_error(request: str, response: httpx.Response, *, key: str) -> MailingError:
    """Return the error for a refusal. A body may be HTML; its message may quote addresses, and quotes a wrong key.

    Args:
        request: the name of the request, for the message.
        response: the refusal.
        key: the API key, to remove from PostGrid's message.
    """
    status = response.status_code
    try:
        error = _REFUSAL.decode(response.content).error
    except ValueError:
        error = _Error()
    kind = code(error.type)
    message = f"{request}: {', '.join(filter(None, (f'HTTP {status}', kind)))}."
    # A missing permission is a 401 here; a missing payment (402) is not the fault of a row.
    if status in {402, 403} or kind == "permission_missing_error":
        return PermissionDenied(message, status=status, code=kind)
    if status == 401:
        return AuthenticationError(message, status=status, code=kind)
    if status >= 500 or status == 408:
        return ProviderFault(message, status=status, code=kind, maybe_done=True)
    said = redacted(error.message, key)[:500]
    if status == 404:
        is_path = kind in {None, "not_found_error"}
        hint = " The path may be unknown: check `postgrid_base_url`." if is_path else ""
        return NotFound(f"{message}{hint}", status=status, code=kind, said=said)
    return RequestRefused(message, status=status, code=kind, said=said)


def redacted(text: str, key: str) -> str:
    """Return a message without API keys and without the signatures of its URLs."""
    bare = text.replace(key, "[key]") if key else text
    return _SIGNATURE.sub(_unsigned, _KEY.sub("[key]", bare))


def _unsigned(url: re.Match[str]) -> str:
    return f"{url[1]}?[signature]" if url[2] else url[1]
