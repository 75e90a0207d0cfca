"""PostGrid's answers, read: pages of a listing, and what a refusal means; pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
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
)
from mailing_api.values import is_identifier

__all__ = ["Page", "Row", "code", "metadata_of", "one", "page", "read_error", "something"]

Row = dict[str, Any]


class Page(msgspec.Struct):
    """One page of a listing.

    Attributes:
        rows: each with its `id`.
        total: rows of the whole listing when this page was made; None if not told, though that is documented.
        skip: rows before this page; likewise.
        made: when the answer was made, by the server's clock; None if not told.
    """

    rows: list[Row]
    total: int | None
    skip: int | None
    made: datetime | None


class _List(msgspec.Struct):
    data: list[Row]
    totalCount: int | None = None  # noqa: N815 - as PostGrid writes it
    skip: int | None = None


_TYPES = {"metadata": dict, "errors": list, "notes": list, "status": str, "updatedAt": str}

_LIST = msgspec.json.Decoder(_List)
_ROW = msgspec.json.Decoder(Row)


class _Said(msgspec.Struct):
    type: str = ""
    message: str = ""


class _Refusal(msgspec.Struct):
    error: _Said


_REFUSAL = msgspec.json.Decoder(_Refusal)

#: What `type` may look like; anything else could be a quote.
_CODE = re.compile(r"[a-z][a-z0-9_.]{1,79}")

_KEY = re.compile(r"\b(?:test|live)_\w{8,}")
#: A URL, and what follows in it. Also one without a query matches, so that none is looked for again within it.
_SIGNATURE = re.compile(r"(https?://[^\s?\"'<>]++)(\?[^\s\"'<>]*)?")


def page(response: httpx.Response) -> Page:
    """Read a page.

    Raises:
        ValueError: not a page, or a row without its ID.
    """
    found = _LIST.decode(response.content)
    if not all(is_identifier(row.get("id")) for row in found.data):
        raise ValueError("a row without its id")
    return Page(found.data, found.totalCount, found.skip, _moment(response.headers.get("Date", "")))


def one(response: httpx.Response) -> Row:
    """Read a single object.

    Raises:
        ValueError: not one, or without its ID.
    """
    found = _ROW.decode(response.content)
    _check(found)
    return found


def _check(row: Row) -> None:
    """Look at what is read without a look of its own."""
    if not is_identifier(row.get("id")):
        raise ValueError("an object without its id")
    for name, kind in _TYPES.items():
        if row.get(name) is not None and not isinstance(row[name], kind):
            raise ValueError("a member of another type")


def metadata_of(row: Row) -> Row:
    """The metadata of an object of a listing, where nobody looked at its type; empty where there is none."""
    found = row.get("metadata")
    return found if isinstance(found, dict) else {}


def something(response: httpx.Response) -> None:
    """Read an object of which nothing is wanted.

    Raises:
        ValueError: not one, so that it need not be PostGrid who answered.
    """
    _ROW.decode(response.content)


def code(kind: str) -> str | None:
    """The type of an error if it is a word, and no quote."""
    return kind if _CODE.fullmatch(kind) and not _KEY.search(kind) else None


def _moment(date: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # the latter for a year of many digits
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def read_error(asked: str, response: httpx.Response, *, key: str) -> MailingError:
    """The error for a refusal. A body may be HTML; its message may quote addresses and does quote a wrong key.

    Args:
        asked: what was asked, for the error's text.
        response: the answer.
        key: the API key, to be taken out of what PostGrid says.
    """
    status = response.status_code
    code, message = _told(response.content)
    what = f"{asked}: {', '.join(filter(None, (f'HTTP {status}', code)))}."
    # A missing permission is a 401 here; what is to be paid first is no row's fault.
    if status in {402, 403} or code == "permission_missing_error":
        return PermissionDenied(what, status=status, code=code)
    if status == 401:
        return AuthenticationError(what, status=status, code=code)
    if status >= 500 or status == 408:
        return ProviderFault(what, status=status, code=code, maybe_done=True)
    said = redacted(message, key)[:500]
    if status == 404:
        is_path = code in {None, "not_found_error"}
        hint = " The path may be unknown: see `postgrid_base_url`." if is_path else ""
        return NotFound(f"{what}{hint}", status=status, code=code, said=said)
    return RequestRefused(what, status=status, code=code, said=said)


def redacted(text: str, key: str) -> str:
    """A text without API keys and without what signs the URLs in it."""
    bare = text.replace(key, "[key]") if key else text
    return _SIGNATURE.sub(_unsigned, _KEY.sub("[key]", bare))


def _unsigned(url: re.Match[str]) -> str:
    return f"{url[1]}?[signature]" if url[2] else url[1]


def _told(body: bytes) -> tuple[str | None, str]:
    """The code of a refusal, and what it says."""
    try:
        found = _REFUSAL.decode(body).error
    except ValueError:
        return None, ""
    return code(found.type), found.message
