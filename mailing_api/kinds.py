"""One vocabulary for all providers: the canonical kinds of things, their columns and types.

A stream of a canonical kind begins with these columns, in this order, whatever the provider; so the streams of
several providers union in a warehouse, and a target understands a contact of any of them.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

import msgspec

__all__ = [
    "KINDS",
    "Contact",
    "ContactExport",
    "ContactProperty",
    "ImportJob",
    "ListMember",
    "MailingList",
    "SubscriptionStatus",
    "Suppression",
    "Timestamp",
    "column_schemas",
]

#: RFC 3339, UTC, fixed microseconds.
Timestamp = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]

SubscriptionStatus = Literal["subscribed", "unsubscribed", "excluded", "pending", "unknown"]

PropertyValue = str | int | float | bool | None


class _Kind(msgspec.Struct, kw_only=True):
    """What every canonical row begins with.

    Attributes:
        provider: for example `mailjet`.
        account: the account's label from the settings.
        id: the provider's identifier, as text so that all providers agree.
    """

    provider: str
    account: str
    id: str


class Contact(_Kind, kw_only=True):
    """A person or household that can be written to.

    Attributes:
        address_country: ISO 3166-1 alpha-2.
        subscription_status: whether this person may be written to.
        properties: the account's own fields, typed.
    """

    email: str | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    job_title: str | None = None
    phone: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_city: str | None = None
    address_region: str | None = None
    address_postal_code: str | None = None
    address_country: str | None = None
    subscription_status: SubscriptionStatus | None = None
    properties: dict[str, PropertyValue] | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None


class MailingList(_Kind, kw_only=True):
    """A list that contacts can be members of."""

    name: str | None = None
    description: str | None = None
    status: str | None = None
    contact_count: int | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None


class ImportJob(_Kind, kw_only=True):
    """A provider's asynchronous work on contacts.

    Attributes:
        kind: the provider's word for the sort of job.
        status: the provider's word.
        is_terminal: whether the job can no longer change.
    """

    kind: str | None = None
    status: str | None = None
    is_terminal: bool | None = None
    list_id: str | None = None
    records_processed: int | None = None
    records_failed: int | None = None
    error: str | None = None
    created_at: Timestamp | None = None
    started_at: Timestamp | None = None
    completed_at: Timestamp | None = None


class ListMember(_Kind, kw_only=True):
    """One contact's place on one list."""

    list_id: str | None = None
    contact_id: str | None = None
    email: str | None = None
    subscription_status: SubscriptionStatus | None = None
    subscribed_at: Timestamp | None = None
    unsubscribed_at: Timestamp | None = None


class Suppression(_Kind, kw_only=True):
    """An address that must not be written to."""

    email: str | None = None
    reason: str | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None


class ContactProperty(_Kind, kw_only=True):
    """The definition of one of the account's own contact fields."""

    name: str | None = None
    data_type: str | None = None


class ContactExport(_Kind, kw_only=True):
    """An export of contacts made at the provider."""

    kind: str | None = None
    filter: str | None = None
    created_at: Timestamp | None = None
    exported_at: Timestamp | None = None


KINDS: dict[str, type[_Kind]] = {
    "contacts": Contact,
    "mailing_lists": MailingList,
    "import_jobs": ImportJob,
    "list_members": ListMember,
    "suppressions": Suppression,
    "contact_properties": ContactProperty,
    "contact_exports": ContactExport,
}


def column_schemas(kind: type[_Kind]) -> dict[str, dict[str, Any]]:
    """The kind's columns in order, each with its JSON Schema; only provider, account and id are never null."""
    found: dict[str, dict[str, Any]] = msgspec.json.decode(_encoded_schemas(kind))
    return found


@cache
def _encoded_schemas(kind: type[_Kind]) -> bytes:
    """Columns and JSON Schemas, encoded, so that whoever decodes them may change them."""
    return msgspec.json.encode({field.name: _json_schema(field.type) for field in msgspec.structs.fields(kind)})


def _json_schema(annotation: Any) -> dict[str, Any]:
    found = msgspec.json.schema(annotation)
    options = found.pop("anyOf", [found])
    types: list[str] = []
    merged: dict[str, Any] = {}
    for option in options:
        types.append(option.pop("type", None) or _type_of_enum(option))
        merged |= option
    if "enum" in merged and "null" in types:
        merged["enum"] = [value for value in merged["enum"] if value is not None] + [None]
    values = merged.get("additionalProperties")
    if isinstance(values, dict) and "anyOf" in values:
        merged["additionalProperties"] = {"type": [option["type"] for option in values["anyOf"]]}
    return {"type": types if len(types) > 1 else types[0], **merged}


def _type_of_enum(option: dict[str, Any]) -> str:
    return "string" if option.get("enum") else "null"
