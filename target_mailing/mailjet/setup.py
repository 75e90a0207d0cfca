"""Prerequisites at Mailjet: the list, found or created, and properties, defined.

If another worker has created the same list or property meanwhile, that one is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    MailingError,
    NotFound,
    PermissionDenied,
    RequestRefused,
)
from mailing_api.mailjet.answers import id_of
from mailing_api.mailjet.client import MailjetClient
from mailing_api.suggestions import did_you_mean
from mailing_api.values import boolean

__all__ = ["define_properties", "find_list"]

#: Codes for a name that exists; Mailjet has used both for properties.
_TAKEN: Final = frozenset({"MJ18", "CM01"})


def find_list(client: MailjetClient, identifier: str, *, create: bool, dry_run: bool) -> int:
    """The ID of a list given by ID, name or address; 0 for a list that would be created.

    Args:
        client: of the account.
        identifier: ID, name or address.
        create: create it if no list has that name.
        dry_run: do not create it yet.

    Raises:
        ConfigurationError: it is missing, deleted or named ambiguously, or Mailjet refuses to create it.
    """
    if identifier.isdecimal():
        row = _list_at(client, identifier)
        if row is None:
            raise ConfigurationError(
                f"Setting `list`: Mailjet has no list with the ID {identifier}. A number is always an ID; for a list "
                "with a number as its name, use its ID or its address."
            )
    else:
        row = _list_named(client, identifier) or _list_at(client, identifier)
        if row is None and create:
            row = {"ID": 0} if dry_run else _create_list(client, identifier)
        if row is None:
            raise ConfigurationError(
                f"Setting `list`: Mailjet has no list with the name or address {identifier!r}."
                f"{_alike(client, identifier)} Correct it, or set `create_list: true`."
            )
    if boolean(row.get("IsDeleted")):
        raise ConfigurationError(f"Setting `list`: the Mailjet list {identifier!r} is deleted; choose another list.")
    return id_of(row)


def define_properties(client: MailjetClient, datatypes: Mapping[str, str]) -> None:
    """Define static properties of these types; a property that exists by now is not changed.

    Raises:
        ConfigurationError: Mailjet refuses a property.
    """
    for name, datatype in datatypes.items():
        try:
            client.create_property(name, datatype)
        except (RequestRefused, PermissionDenied, AuthenticationError) as error:
            if error.code in _TAKEN:
                continue
            plain = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "name"
            raise ConfigurationError(
                f"Setting `create_properties`: Mailjet refuses to define the property {name!r} of type {datatype} "
                f"({error.code_or_status}). Choose a name with a to z, digits and `_` in `mapping`, such as "
                f'{{"{plain}": "{name}"}}, define it at Mailjet yourself, or remove its column from `properties`.'
            ) from None


def _list_named(client: MailjetClient, name: str) -> dict[str, Any] | None:
    # Mailjet ignores unknown filters, so the names are compared.
    rows = [row for row in client.page("contactslist", {"Name": name, "Limit": 100}) if row.get("Name") == name]
    if len(rows) > 1:
        ids = ", ".join(str(id_of(row)) for row in rows)
        raise ConfigurationError(
            f"Setting `list`: several Mailjet lists have the name {name!r} ({ids}); use the ID instead."
        )
    return rows[0] if rows else None


def _alike(client: MailjetClient, name: str) -> str:
    """A question that names a list with a similar name."""
    with suppress(MailingError):  # the message is complete without it
        rows = client.page("contactslist", {"Limit": 1000})
        return did_you_mean([name], [row["Name"] for row in rows if isinstance(row.get("Name"), str)])
    return ""


def _create_list(client: MailjetClient, name: str) -> dict[str, Any]:
    try:
        return client.create_list(name)
    except (RequestRefused, PermissionDenied, AuthenticationError) as error:
        if error.code in _TAKEN and (row := _list_named(client, name)) is not None:
            return row
        raise ConfigurationError(
            f"Setting `create_list`: Mailjet refuses to create a list with the name {name!r} ({error.code_or_status}). "
            "Choose another name in `list`, or create the list at Mailjet yourself."
        ) from None


def _list_at(client: MailjetClient, key: str) -> dict[str, Any] | None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key):
        return None
    try:
        return client.one("contactslist", key)
    except NotFound:
        return None
