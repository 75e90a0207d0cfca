"""Request bodies: JSON, forms with bracket keys, and multipart, as one kind of fields."""

from __future__ import annotations

import re
from email.message import Message
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from mailing_sandbox.postgrid.refusal import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailing_sandbox.provider import Call

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


class Upload(NamedTuple):
    """A file within a multipart body."""

    name: str
    content: bytes


class Body:
    """The fields of a request. In a form every value is text, so that there ``"true"`` is a boolean."""

    def __init__(self, fields: dict[str, Any], *, form: bool = False) -> None:
        self.fields = fields
        self._form = form

    def without_nulls(self) -> Body:
        """Return the fields that are not null."""
        return Body({name: value for name, value in self.fields.items() if value is not None}, form=self._form)

    def text(self, name: str) -> str | None:
        """Return a string, None if it is absent."""
        if name not in self.fields:
            return None
        value = self.fields[name]
        if not isinstance(value, str):
            raise invalid(f"'{name}' must be a string.")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean, false where it is absent."""
        value = self.fields.get(name, False)
        if self._form and value in ("true", "false"):
            return bool(value == "true")
        if not isinstance(value, bool):
            raise invalid(f"'{name}' must be a boolean.")
        return value

    def mapping(self, name: str, *, strings: bool = False) -> dict[str, Any] | None:
        """Return an object, None if it is absent; with `strings`, its values must be strings."""
        if name not in self.fields:
            return None
        value = self.fields[name]
        if not isinstance(value, dict):
            raise invalid(f"'{name}' must be an object.")
        if strings and not all(isinstance(each, str) for each in value.values()):
            raise invalid(f"the values of '{name}' must be strings.")
        return value


def read(call: Call, *, multipart: bool = True) -> Body:
    """Decode a body; an absent one has no fields. What is neither form nor multipart is read as JSON."""
    header = Message()
    header["content-type"] = call.headers.get("content-type", "application/json")
    kind = header.get_content_type()
    if kind == FORM:
        return Body(nested(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True)), form=True)
    if kind == MULTIPART and multipart:
        return Body(nested(parts(call.body, header.get_param("boundary"))), form=True)
    try:
        decoded = msgspec.json.decode(call.body) if call.body else {}
    except (ValueError, RecursionError) as error:
        raise invalid("the body must be valid JSON.") from error
    if not isinstance(decoded, dict):
        raise invalid("the body must be an object.")
    return Body(decoded)


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object that bracket keys spell: ``metadata[a]`` a key of an object, ``tags[]`` an item of an array."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        first, *inner = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name) or [name]
        place: Any = fields
        for step, following in zip([first, *inner], inner, strict=False):
            if isinstance(place, list):
                raise invalid(f"'{first}' has an array of objects.")
            place = place.setdefault(step, [] if following == "" else {})
            if not isinstance(place, list if following == "" else dict):
                raise invalid(f"'{first}' has two kinds of value.")
        if isinstance(place, list):
            place.append(value)
        else:
            place[[first, *inner][-1]] = value
    return fields


def parts(body: bytes, boundary: Any) -> list[tuple[str, Any]]:
    """Split a multipart body: strings, and an `Upload` for each part with a file name."""
    if not isinstance(boundary, str) or not boundary:
        raise invalid("the multipart body has no boundary.")
    found: list[tuple[str, Any]] = []
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        if part.startswith(b"--"):
            return found
        head, blank, content = part.partition(b"\r\n\r\n")
        lines = [line.partition(b":") for line in head.split(b"\r\n")]
        disposition = Message()
        disposition["content-disposition"] = next(
            (value.strip().decode("utf-8", "replace") for name, _, value in lines
             if name.strip().lower() == b"content-disposition"),
            "",
        )  # fmt: skip
        name = disposition.get_param("name", header="content-disposition")
        if not blank or not isinstance(name, str):
            raise invalid("the multipart body cannot be read.")
        file = disposition.get_param("filename", header="content-disposition")
        value = content.decode("utf-8", "replace") if file is None else Upload(str(file), content)
        found.append((name, value))
    raise invalid("the multipart body has no end.")
