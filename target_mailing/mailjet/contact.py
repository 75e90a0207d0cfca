"""A contact in Mailjet's form, as rows hold it; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from target_mailing.contacts.contact import MappedContact
from target_mailing.mailjet.lists_column import laid_over

__all__ = ["Contact", "decoded", "encoded", "overlaid", "values_of"]


class Contact(msgspec.Struct):
    """A contact with the fields of the JSON routes.

    Attributes:
        Email: the address.
        Name: None keeps the name at Mailjet.
        Properties: values by name; None clears one. Properties without a value here keep theirs.
        Lists: by list ID, the action there; None if neither the row nor the setting `list` names any list for
            `route: contact`.
    """

    Email: str
    Name: str | None = None
    Properties: dict[str, Any] = {}
    Lists: dict[int, str] | None = None


decoded: Final = msgspec.json.Decoder(Contact).decode
#: Equal contacts are equal bytes.
encoded: Final = msgspec.json.Encoder(order="deterministic").encode


def values_of(contact: MappedContact) -> dict[str, Any]:
    """The name and the properties of a contact, if it has any."""
    columns, values = contact.columns, {}
    if columns and (name := columns.get("name") or _full_name(columns)):
        values["Name"] = name
    if contact.properties:
        values["Properties"] = contact.properties
    return values


def _full_name(columns: Mapping[str, Any]) -> str:
    return " ".join(columns[part] for part in ("first_name", "last_name") if columns.get(part))


def overlaid(earlier: bytes, later: bytes) -> bytes:
    """The later contact laid over the earlier one: Mailjet updates the fields that are present and keeps the others."""
    if earlier == later:
        return later
    below, above = msgspec.json.decode(earlier), msgspec.json.decode(later)
    merged = {**below, **above}
    if "Properties" in merged:
        merged["Properties"] = {**below.get("Properties", {}), **above.get("Properties", {})}
    if "Lists" in below and "Lists" in above:
        merged["Lists"] = laid_over(below["Lists"], above["Lists"])
    return encoded(merged)
