"""A contact in PostGrid's form, checked before it is sent, and what identifies it; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from mailing_api.countries import country_code
from target_mailing.contacts import bulk, values
from target_mailing.contacts.consent import Actions
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import MISSING, AnyName, Field, Fields, RowRejected
from target_mailing.contacts.properties import CANONICAL_COLUMNS

__all__ = [
    "ACTIONS",
    "EXTERNAL_ID",
    "EXTERNAL_STREAM",
    "FLAGS",
    "REMOVALS",
    "encoded",
    "fields",
    "identity",
    "shown_values",
    "with_reference",
]

#: PostGrid records no opt-outs: a contact that opted out is on no list.
ACTIONS: Final = Actions(
    known=frozenset({"addnoforce", "remove", "unsub"}),
    remove="remove",
    ask="ask",
    unsubscribe="unsub",
    respectful={},
    records_opt_outs=False,
    removing_erases_opt_out=False,
    old_first=False,
)
#: Actions that need no values of the contact.
REMOVALS: Final = frozenset({ACTIONS.remove, ACTIONS.unsubscribe, ACTIONS.ask})

#: Keys of a contact's metadata for the row's key and its stream.
EXTERNAL_ID: Final = "external_id"
EXTERNAL_STREAM: Final = "external_stream"

_STRINGS: Final[Mapping[str, str]] = {
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
#: Greatest number of characters. PostGrid publishes no limit; longer values fit on no envelope.
_LONGEST: Final = 200
_LONGEST_DESCRIPTION: Final = 1000

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def encoded(contact: MappedContact) -> bytes:
    """The body of the call that creates a contact, without the reference to its row; equal for equal contacts.

    Raises:
        RowRejected: the contact has no usable postal address or no name.
    """
    body: dict[str, Any] = {}
    for column, name in _STRINGS.items():
        if value := contact.columns.get(column):
            most = _LONGEST_DESCRIPTION if column == "description" else _LONGEST
            if len(value) > most:
                raise RowRejected("bad_address", f"is longer than {most} characters", column=column)
            body[name] = value
    _set_name(contact, body)
    country = body.get("countryCode")
    code = country_code(country)
    if "addressLine1" not in body:
        raise RowRejected("bad_address", MISSING, column="address_line1")
    if code is None:
        reason = f"is {country!r}, which is not a known country" if country else MISSING
        raise RowRejected("bad_address", reason, column="address_country")
    if "firstName" not in body and "companyName" not in body:
        raise RowRejected("bad_address", "the row has neither a name nor a company")
    body["countryCode"] = code
    body |= {name: True for column, name in FLAGS.items() if contact.columns.get(column)}
    metadata = {name: value for name, value in contact.properties.items() if value is not None}
    if metadata:
        body["metadata"] = metadata
    return _encode(body)


def _set_name(contact: MappedContact, body: dict[str, Any]) -> None:
    """PostGrid requires a first name, which may be the full name, or a company."""
    last, name = body.get("lastName"), contact.columns.get("name")
    has_company_and_last = last and "companyName" in body and (not name or name == last)
    if "firstName" not in body and (name or last) and not has_company_and_last:
        body.pop("lastName", None)
        body["firstName"] = name or last


def identity(body: bytes) -> str:
    """What identifies a contact: all of its values except the description, the only value that PostGrid replaces.

    PostGrid may treat different values as the same: whether it compares metadata, and addresses as they were sent, is
    unverified. That shows in its IDs; the reverse would not.
    """
    contact = msgspec.json.decode(body)
    contact.pop("description", None)
    return hashlib.blake2b(_encode(contact), digest_size=16).hexdigest()


def with_reference(body: bytes, reference: tuple[str, ...]) -> bytes:
    """The body with the row's stream and key in its metadata."""
    if not reference:
        return body
    contact = msgspec.json.decode(body)
    stream, key = reference
    contact["metadata"] = contact.get("metadata", {}) | {EXTERNAL_ID: key, EXTERNAL_STREAM: stream}
    return _encode(contact)


def shown_values(contact: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a contact in a request or an answer, by PostGrid's names, and those of its metadata by their keys.

    Without what PostGrid adds, and without the reference to a row.
    """
    metadata = contact.get("metadata") or {}
    own = {name: value for name, value in metadata.items() if name not in {EXTERNAL_ID, EXTERNAL_STREAM}}
    return {name: contact[name] for name in (*_STRINGS.values(), *FLAGS.values()) if contact.get(name)} | own


def fields(identify: Callable[[MappedContact], str]) -> Fields:
    """The fields that PostGrid has; a property of any name is a key of the metadata.

    Args:
        identify: what identifies a contact; it may raise RowRejected.
    """

    def identified(contact: MappedContact, action: str) -> str:
        if contact.deleted:
            return ""
        try:
            return identify(contact)
        except RowRejected:
            if action in REMOVALS:
                return ""  # the row's key identifies it
            raise

    return Fields(
        columns=_FIELDS,
        properties=AnyName(Field(_metadata, bulk.text), but=CANONICAL_COLUMNS),
        required=("address_line1", "address_country"),
        identify=identified,
    )


def _metadata(value: Any) -> str | None:
    if isinstance(value, (dict, list)):
        return msgspec.json.encode(values.json_value(value)).decode()
    return values.text_or_flag(value)


_FIELDS: Final[Mapping[str, Field]] = {
    **dict.fromkeys(("name", *_STRINGS), Field(values.digits, bulk.digits)),
    "address_postal_code": Field(values.postal_code, bulk.digits),
    "description": Field(values.text, bulk.text),
    **dict.fromkeys(FLAGS, Field(values.flag, bulk.flag)),
}
