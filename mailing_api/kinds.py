"""The canonical kinds of rows of all providers, their columns and types.

A stream of a canonical kind begins with these columns, in this order, whatever the provider. So a warehouse can combine
the streams of several providers by UNION, and the target reads the contacts of each.
"""

from __future__ import annotations

from copy import deepcopy
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
    """The first columns of every canonical row.

    Attributes:
        provider: for example `mailjet`.
        account: the account's label from the settings.
        id: the provider's identifier, a string for all providers.
    """

    provider: str
    account: str
    id: str


class Contact(_Kind, kw_only=True):
    """A person or household that messages can be sent to.

    Attributes:
        address_country: ISO 3166-1 alpha-2.
        subscription_status: whether messages may be sent to this person.
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
        kind: the kind of job, as the provider calls it.
        status: the status, as the provider calls it.
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
    """The membership of a contact on a list."""

    list_id: str | None = None
    contact_id: str | None = None
    email: str | None = None
    subscription_status: SubscriptionStatus | None = None
    subscribed_at: Timestamp | None = None
    unsubscribed_at: Timestamp | None = None


class Suppression(_Kind, kw_only=True):
    """An address that messages must not be sent to."""

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
    """Return the kind's columns in order, each with its JSON Schema; only provider, account and id are not nullable."""
    return deepcopy(_column_schemas(kind))


@cache
def _column_schemas(kind: type[_Kind]) -> dict[str, dict[str, Any]]:
    return {field.name: _json_schema(field.type) for field in msgspec.structs.fields(kind)}


def _json_schema(annotation: Any) -> dict[str, Any]:
    schema = msgspec.json.schema(annotation)
    options = schema.pop("anyOf", [schema])
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
