"""A contact as PostGrid takes it, checked before it is sent, and what tells it apart from others; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mailing_api.countries import country_code
from target_mailing.contacts import values
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import MISSING, AnyName, Field, Fields, RowRejected
from target_mailing.contacts.properties import CANONICAL_COLUMNS

__all__ = ["EXTERNAL_ID", "EXTERNAL_STREAM", "FLAGS", "encoded", "fields", "identity", "with_reference"]

#: Where the row's key, and its stream, stand in a contact's metadata.
EXTERNAL_ID: Final = "external_id"
EXTERNAL_STREAM: Final = "external_stream"

_TEXTS: Final[Mapping[str, str]] = {
    "first_name": "firstName",
    "last_name": "lastName",
    "company": "companyName",
    "job_title": "jobTitle",
    "email": "email",
    "phone": "phoneNumber",
    "address_line1": "addressLine1",
    "address_line2": "addressLine2",
    "address_city": "city",
    "address_region": "provinceOrState",
    "address_postal_code": "postalOrZip",
    "address_country": "countryCode",
    "description": "description",
}
#: Columns that are true or false.
FLAGS: Final[Mapping[str, str]] = {
    "skip_verification": "skipVerification",
    "force_verified_status": "forceVerifiedStatus",
    "secret": "secret",
}
#: Characters of a text at most. PostGrid publishes no limit; no envelope has room for as much.
_LONGEST: Final = 200
_LONGEST_DESCRIPTION: Final = 1000

_encode = msgspec.json.Encoder(order="deterministic").encode


def encoded(contact: MappedContact) -> bytes:
    """The body of the call that makes a contact, but for the reference to its row; equal for equal contacts.

    Raises:
        RowRejected: the post could not deliver to it.
    """
    found: dict[str, Any] = {}
    for column, name in _TEXTS.items():
        if text := contact.columns.get(column):
            most = _LONGEST_DESCRIPTION if column == "description" else _LONGEST
            if len(text) > most:
                raise RowRejected("bad_address", f"is longer than {most} characters", column=column)
            found[name] = text
    _name(contact, found)
    country = country_code(found.get("countryCode"))
    if "addressLine1" not in found:
        raise RowRejected("bad_address", MISSING, column="address_line1")
    if country is None:
        said = found.get("countryCode")
        raise RowRejected(
            "bad_address", f"has {said!r}, which is no country" if said else MISSING, column="address_country"
        )
    if "firstName" not in found and "companyName" not in found:
        raise RowRejected("bad_address", "the row has neither a name nor a company")
    found["countryCode"] = country
    found |= {name: True for column, name in FLAGS.items() if contact.columns.get(column)}
    metadata = {name: value for name, value in contact.properties.items() if value is not None}
    if metadata:
        found["metadata"] = metadata
    return _encode(found)


def _name(contact: MappedContact, found: dict[str, Any]) -> None:
    """PostGrid wants a first name, which may be the full one, or a company."""
    if "firstName" in found:
        return
    last, name = found.get("lastName"), contact.columns.get("name", "")
    if last and "companyName" in found and name in {"", last}:
        return
    if name or last:
        found.pop("lastName", None)
        found["firstName"] = name or last


def identity(body: bytes) -> str:
    """What tells a contact apart: all of it but the description, the only thing that PostGrid replaces.

    It may well take as the same what is not the same here: whether it compares metadata, and addresses as they were
    sent, is unverified. That is noticed by its IDs; the other way round it would not be.
    """
    told = msgspec.json.decode(body)
    told.pop("description", None)
    return hashlib.blake2b(_encode(told), digest_size=16).hexdigest()


def with_reference(body: bytes, reference: tuple[str, ...]) -> bytes:
    """The body with the row's stream and key in its metadata."""
    if not reference:
        return body
    found = msgspec.json.decode(body)
    stream, key = reference
    found["metadata"] = found.get("metadata", {}) | {EXTERNAL_ID: key, EXTERNAL_STREAM: stream}
    return _encode(found)


def fields(identify: Any) -> Fields:
    """What PostGrid takes: any name is a key of the metadata."""
    return Fields(
        columns=_FIELDS,
        properties=AnyName(Field(_metadata), but=CANONICAL_COLUMNS),
        required=("address_line1", "address_country"),
        identify=identify,
    )


def _metadata(value: Any) -> str | None:
    if isinstance(value, (dict, list)):
        return msgspec.json.encode(values.json_value(value)).decode()
    return values.text_or_flag(value)


_FIELDS: Final[Mapping[str, Field]] = {
    **dict.fromkeys(("name", *_TEXTS), Field(values.digits)),
    "address_postal_code": Field(values.postal_code),
    "description": Field(values.text),
    **dict.fromkeys(FLAGS, Field(values.flag)),
}
