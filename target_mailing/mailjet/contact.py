"""A contact in Mailjet's form, as rows hold it; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from target_mailing.contacts.contact import MappedContact
from target_mailing.mailjet.lists_column import laid_over

__all__ = ["Contact", "Form", "decoded", "encoded", "encoded_all", "form_of", "overlaid"]


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
_encoder: Final = msgspec.json.Encoder(order="deterministic")
#: Equal contacts are equal bytes.
encoded: Final = _encoder.encode


class Form(msgspec.Struct, omit_defaults=True, gc=False):
    """A contact to be encoded: `Contact` without what its row does not say; its address may be unknown."""

    Email: str | None
    Lists: Mapping[str, str] | None = None
    Name: str | None = None
    Properties: dict[str, Any] = {}


def encoded_all(forms: Sequence[Form]) -> list[bytes]:
    """Encode many, each as `encoded` does."""
    return _encoder.encode_lines(forms).splitlines()


def form_of(contact: MappedContact, *, by_address: bool) -> Form:
    """The form of a contact, without lists; `by_address`: only the address is needed."""
    if by_address:
        return Form(contact.email)
    columns = contact.columns
    name = columns.get("name") or _full_name(columns) if columns else None
    return Form(contact.email, None, name or None, contact.properties)


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
