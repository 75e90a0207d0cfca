"""Mailjet's answers, read: the envelope around objects, and what a refusal means; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
from mailing_api.values import boolean, integer

__all__ = [
    "Row",
    "bare_id",
    "first",
    "id_of",
    "memberships_of",
    "name_of",
    "new_id",
    "opted_out",
    "read_error",
    "rows_of",
    "values_of",
    "written_rows",
]

Row = dict[str, Any]


class _Envelope(msgspec.Struct):
    Data: list[Row]


#: Fields that are whole numbers or flags wherever they stand, also as text.
_NUMBERS = frozenset({"ID", "ListID", "ContactID", "RefId", "DataID", "JobID", "Count"})
_FLAGS = frozenset({"IsDeleted", "IsUnsub", "IsUnsubscribed"})

_ENVELOPE = msgspec.json.Decoder(_Envelope)
_OBJECT = msgspec.json.Decoder(Row)
_MESSAGE_CODE = re.compile(r"\b(?:MJ|CM)\d{2}\b")
_MESSAGE_CODES = (
    ("Object not found", "object_not_found"),
    ("Source object not found", "source_object_not_found"),
    ("Invalid key name", "invalid_key_name"),
    ("Object properties invalid", "object_properties_invalid"),
    ("Invalid json input", "invalid_json_input"),
    ("Could not determine HTTP module", "unknown_path"),
)


def written_rows(response: httpx.Response) -> list[Row]:
    """The objects of the answer to a write; none for 204 and for 304, which means that nothing changed.

    Raises:
        ValueError: as for `rows_of`.
    """
    return [] if response.status_code in {204, 304} else rows_of(response)


def rows_of(response: httpx.Response) -> list[Row]:
    """The objects of an answer.

    Raises:
        ValueError: no envelope, or a number or a flag that is none.
    """
    rows = _ENVELOPE.decode(response.content).Data
    for row in rows:
        _check(row)
    return rows


def _check(row: Row) -> None:
    """Look at what is read without a look of its own."""
    for name in row.keys() & _NUMBERS:
        if type(row[name]) is not int:
            integer(row[name])
    for name in row.keys() & _FLAGS:
        boolean(row[name])


def memberships_of(response: httpx.Response) -> list[Row]:
    """The lists of a contact.

    Raises:
        ValueError: as for `rows_of`, or a membership without its list, or of which nobody can tell whether it is one.
    """
    rows = rows_of(response)
    if any(integer(row.get("ListID")) is None or opted_out(row) is None for row in rows):
        raise ValueError("a membership without a list or without its flag")
    return rows


def opted_out(membership: Mapping[str, Any]) -> bool | None:
    """Whether a contact left the list of a membership, as the two spellings of the flag tell."""
    return boolean(membership.get("IsUnsub", membership.get("IsUnsubscribed")))


def values_of(row: Row) -> list[Row]:
    """The property values of a contact: `Name` and `Value` of each.

    Raises:
        UnreadableAnswer: they are no list of objects.
    """
    found = row.get("Data", [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UnreadableAnswer("Mailjet: property values that are no list of objects.")
    return found


def first(rows: list[Row]) -> Row:
    """The one object asked for.

    Raises:
        NotFound: there is none.
    """
    if not rows:
        raise NotFound("Mailjet answered with no object.", code="empty")
    return rows[0]


def id_of(row: Row) -> int:
    """The ID of an object.

    Raises:
        UnreadableAnswer: it has none.
    """
    found = integer(row.get("ID"))
    if found is None:
        raise UnreadableAnswer("Mailjet: an object without an ID.")
    return found


def name_of(row: Row) -> str:
    """The name of an object.

    Raises:
        UnreadableAnswer: it has none.
    """
    found = row.get("Name")
    if not isinstance(found, str):
        raise UnreadableAnswer("Mailjet: an object without a name.")
    return found


def new_id(name: str) -> Callable[[httpx.Response], int]:
    """Makes a reader of the ID, exact at any size, that the first object of an answer has in this field.

    The reader raises ValueError where there is none.
    """

    def read(response: httpx.Response) -> int:
        return _whole(next(iter(rows_of(response)), {}), name)

    return read


def bare_id(response: httpx.Response) -> int:
    """The ID in the answer to an upload, which comes without envelope; may be beyond 2^53.

    Raises:
        ValueError: there is none.
    """
    return _whole(_OBJECT.decode(response.content), "ID")


def _whole(row: Row, name: str) -> int:
    if not str(row.get(name, "")).isdecimal():
        raise ValueError(f"no {name}")
    return int(row[name])


def read_error(asked: str, response: httpx.Response) -> MailingError:
    """The error for a refusal. Bodies may be HTML, text or JSON, and quote addresses: its text has only codes."""
    status = response.status_code
    code, identifier, message = _error_code(response.content)
    said = ", ".join(part for part in (f"HTTP {status}", code, identifier) if part)
    what = f"{asked}: {said}."
    if status == 401:
        return AuthenticationError(what, status=status, code=code)
    if status == 403:
        return PermissionDenied(what, status=status, code=code)
    if code == "unknown_path":
        return RequestRefused(f"{what} Check `mailjet_base_url`: the path is unknown there.", status=status, code=code)
    if status == 404:
        return NotFound(what, status=status, code=code, said=message)
    if status >= 500:
        return ProviderFault(what, status=status, code=code, maybe_done=True)
    return RequestRefused(what, status=status, code=code, said=message)


def _error_code(body: bytes) -> tuple[str | None, str | None, str]:
    """The code of an error, its identifier, and what it says."""
    try:
        found = msgspec.json.decode(body)
    except ValueError:
        return None, None, ""
    if not isinstance(found, dict):
        return None, None, ""
    given = found.get("ErrorMessage", "")
    message = given if isinstance(given, str) else msgspec.json.encode(given).decode()
    code = next((name for text, name in _MESSAGE_CODES if message.startswith(text)), None)
    if code is None and (match := _MESSAGE_CODE.search(message)):
        code = match[0]
    identifier = str(found.get("ErrorIdentifier", ""))
    return code, f"error {identifier}" if re.fullmatch(r"[0-9A-Fa-f-]{36}", identifier) else None, message[:500]
