"""Mailjet's responses: the envelope around objects, and the errors for refusals; pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
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
from mailing_api.values import boolean, count, integer, text

__all__ = [
    "Row",
    "bare_id",
    "counted_rows",
    "fingerprint",
    "first",
    "id_of",
    "memberships_of",
    "name_of",
    "new_id",
    "opted_out",
    "read_error",
    "rows_of",
    "valued_rows",
    "values_of",
    "written_rows",
]

Row = dict[str, Any]


class _Envelope(msgspec.Struct):
    Data: list[Row]
    Total: Any = None


class _Value(msgspec.Struct, gc=False):
    Name: str
    Value: Any


class _Values(msgspec.Struct, gc=False):
    ID: int
    Data: list[_Value]


class _ValuesEnvelope(msgspec.Struct):
    Data: list[_Values]
    Total: Any = None


#: Fields that are whole numbers, counts or flags in every object, perhaps as strings.
_NUMBERS = frozenset({"ID", "ListID", "ContactID", "RefId", "DataID", "JobID"})
_COUNTS = frozenset({"Count", "Errcount"})
_FLAGS = frozenset({"IsDeleted", "IsUnsub", "IsUnsubscribed"})

_ENVELOPE = msgspec.json.Decoder(_Envelope)
_VALUES_ENVELOPE = msgspec.json.Decoder(_ValuesEnvelope)
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
    """Return the objects in the response to a write; none for 204 and for 304, which means that nothing changed.

    Raises:
        ValueError: as for `rows_of`.
    """
    return [] if response.status_code in {204, 304} else rows_of(response)


def rows_of(response: httpx.Response) -> list[Row]:
    """Return the objects in a response, with checked numbers, counts and flags.

    Raises:
        ValueError: no envelope, or an invalid number, count or flag.
    """
    return counted_rows(response)[0]


def counted_rows(response: httpx.Response) -> tuple[list[Row], int | None]:
    """Return the objects in a response as `rows_of` does, and its `Total`, None if that is no count."""
    envelope = _ENVELOPE.decode(response.content)
    names: set[str] = set().union(*envelope.Data)
    for name in names & _NUMBERS:
        _check([row[name] for row in envelope.Data if name in row], int, integer)
    for name in names & _COUNTS:
        for row in envelope.Data:
            count(row.get(name))
    for name in names & _FLAGS:
        _check([row[name] for row in envelope.Data if name in row], bool, boolean)
    return envelope.Data, _total(envelope.Total)


def valued_rows(response: httpx.Response) -> tuple[list[Row], int | None]:
    """Return the rows of `contactdata` as `counted_rows` does, each with its ID and as `Data` its values by name.

    Raises:
        ValueError: as for `rows_of`.
        UnreadableAnswer: a row's `Data` is not an array of names and values.
    """
    try:  # objects of the usual shape take half the time, and less memory
        usual = _VALUES_ENVELOPE.decode(response.content)
    except msgspec.ValidationError:
        rows, total = counted_rows(response)
        return [{"ID": row.get("ID"), "Data": _by_name(row.get("Data"))} for row in rows], total
    rows = [{"ID": row.ID, "Data": {value.Name: value.Value for value in row.Data}} for row in usual.Data]
    return rows, _total(usual.Total)


def _by_name(found: Any) -> Row:
    try:
        return {text(value["Name"]) or "": value.get("Value") for value in found or ()}
    except (AttributeError, LookupError, TypeError):
        raise UnreadableAnswer("Mailjet contactdata: field Data is not an array of names and values.") from None


def _total(found: Any) -> int | None:
    """The size of a collection, as undocumented as its request: it only decides how many pages are requested ahead."""
    try:
        return count(found)
    except ValueError:
        return None


def _check(found: Sequence[Any], usual: type, read: Callable[[Any], Any]) -> None:
    if set(map(type, found)) != {usual}:
        for value in found:
            read(value)


def fingerprint(row: Row) -> bytes:
    """Return sixteen bytes that differ between rows that differ."""
    return hashlib.blake2b(msgspec.json.encode(row), digest_size=16).digest()


def memberships_of(response: httpx.Response) -> list[Row]:
    """Return the lists of a contact.

    Raises:
        ValueError: as for `rows_of`, or a membership lacks its list, or whether the contact has left the list.
    """
    rows = rows_of(response)
    if any(integer(row.get("ListID")) is None or opted_out(row) is None for row in rows):
        raise ValueError("a membership without a list or without its flag")
    return rows


def opted_out(membership: Mapping[str, Any]) -> bool | None:
    """Return whether a contact has left the list of a membership, by either name of the flag."""
    return boolean(membership.get("IsUnsub", membership.get("IsUnsubscribed")))


def values_of(row: Row) -> list[Row]:
    """Return the property values of a contact: `Name` and `Value` of each.

    Raises:
        UnreadableAnswer: they are not a list of objects.
    """
    values = row.get("Data", [])
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise UnreadableAnswer("Mailjet: the property values are not a list of objects.")
    return values


def first(rows: list[Row]) -> Row:
    """Return the requested object.

    Raises:
        NotFound: there is none.
    """
    if not rows:
        raise NotFound("Mailjet returned no object.", code="empty")
    return rows[0]


def id_of(row: Row) -> int:
    """Return the ID of an object.

    Raises:
        UnreadableAnswer: it has none.
    """
    number = integer(row.get("ID"))
    if number is None:
        raise UnreadableAnswer("Mailjet: an object without an ID.")
    return number


def name_of(row: Row) -> str:
    """Return the name of an object.

    Raises:
        UnreadableAnswer: it has none.
    """
    name = row.get("Name")
    if not isinstance(name, str):
        raise UnreadableAnswer("Mailjet: an object without a name.")
    return name


def new_id(name: str) -> Callable[[httpx.Response], int]:
    """Return a reader of the ID, exact at any size, in this field of a response's first object.

    The reader raises ValueError if there is no ID.
    """

    def read(response: httpx.Response) -> int:
        return _whole(next(iter(rows_of(response)), {}), name)

    return read


def bare_id(response: httpx.Response) -> int:
    """Return the ID in the response to an upload, which has no envelope; it may be above 2^53.

    Raises:
        ValueError: there is none.
    """
    return _whole(_OBJECT.decode(response.content), "ID")


def _whole(row: Row, name: str) -> int:
    if not str(row.get(name, "")).isdecimal():
        raise ValueError(f"no {name}")
    return int(row[name])


def read_error(request: str, response: httpx.Response) -> MailingError:
    """Return the error for a refusal. Bodies may be HTML, text or JSON, and quote addresses: it holds only codes."""
    status = response.status_code
    code, identifier, said = _error_code(response.content)
    message = f"{request}: {', '.join(filter(None, (f'HTTP {status}', code, identifier)))}."
    if status == 401:
        return AuthenticationError(message, status=status, code=code)
    if status == 403:
        return PermissionDenied(message, status=status, code=code)
    if code == "unknown_path":
        message += " Check `mailjet_base_url`: the path is unknown there."
        return RequestRefused(message, status=status, code=code)
    if status == 404:
        return NotFound(message, status=status, code=code, said=said)
    if status >= 500:
        return ProviderFault(message, status=status, code=code, maybe_done=True)
    return RequestRefused(message, status=status, code=code, said=said)


def _error_code(body: bytes) -> tuple[str | None, str | None, str]:
    """The code of an error, its identifier, and its message."""
    try:
        error = _OBJECT.decode(body)
    except ValueError:
        return None, None, ""
    given = error.get("ErrorMessage", "")
    message = given if isinstance(given, str) else msgspec.json.encode(given).decode()
    code = next((name for beginning, name in _MESSAGE_CODES if message.startswith(beginning)), None)
    if code is None and (match := _MESSAGE_CODE.search(message)):
        code = match[0]
    identifier = str(error.get("ErrorIdentifier", ""))
    return code, f"error {identifier}" if re.fullmatch(r"[0-9A-Fa-f-]{36}", identifier) else None, message[:500]
