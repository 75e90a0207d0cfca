"""What must be at Mailjet before contacts go there: the list, found or made, and properties, defined.

Whoever makes something may find that another worker made it meanwhile, and goes on with that.
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

#: How Mailjet begins what it says of a name that is taken; it has said it in both ways of a property.
_TAKEN: Final = frozenset({"MJ18", "CM01"})


def find_list(client: MailjetClient, wanted: str, *, create: bool, dry_run: bool) -> int:
    """The ID of a list given by ID, name or address; 0 for one that would be made.

    Args:
        client: of the account.
        wanted: ID, name or address.
        create: make it if there is none of that name.
        dry_run: do not make it yet.

    Raises:
        ConfigurationError: it is missing, deleted or named ambiguously, or Mailjet refuses to make it.
    """
    if wanted.isdecimal():
        row = _list_at(client, wanted)
        if row is None:
            raise ConfigurationError(
                f"Setting `list`: Mailjet has no list with the ID {wanted}. Digits are always an ID; for a list whose "
                "name is digits, give its ID or its address."
            )
    else:
        row = _list_named(client, wanted) or _list_at(client, wanted)
        if row is None and create:
            row = {"ID": 0} if dry_run else _create_list(client, wanted)
        if row is None:
            raise ConfigurationError(
                f"Setting `list`: Mailjet has no list with the name or address {wanted!r}.{_alike(client, wanted)} "
                "Correct it, or set `create_list: true`."
            )
    if boolean(row.get("IsDeleted")):
        raise ConfigurationError(f"Setting `list`: the Mailjet list {wanted!r} is deleted; choose another.")
    return id_of(row)


def define_properties(client: MailjetClient, datatypes: Mapping[str, str]) -> None:
    """Define static properties, given with their types; one that is there by now stays as it is.

    Raises:
        ConfigurationError: Mailjet refuses one.
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
                f"({_told(error)}). Give it a name of the letters a to z, digits and `_` by `mapping`, such as "
                f'{{"{plain}": "{name}"}}, or define it at Mailjet by hand, or leave its column out.'
            ) from None


def _list_named(client: MailjetClient, wanted: str) -> dict[str, Any] | None:
    # Mailjet ignores a filter that it does not know, so what comes back is compared.
    rows = [row for row in client.page("contactslist", {"Name": wanted, "Limit": 100}) if row.get("Name") == wanted]
    if len(rows) > 1:
        ids = ", ".join(str(id_of(row)) for row in rows)
        raise ConfigurationError(f"Setting `list`: several Mailjet lists are named {wanted!r} ({ids}); give the ID.")
    return rows[0] if rows else None


def _alike(client: MailjetClient, wanted: str) -> str:
    """A question that names a list with a similar name."""
    with suppress(MailingError):  # what is wrong is told without it
        rows = client.page("contactslist", {"Limit": 1000})
        return did_you_mean([wanted], [row["Name"] for row in rows if isinstance(row.get("Name"), str)])
    return ""


def _create_list(client: MailjetClient, wanted: str) -> dict[str, Any]:
    try:
        return client.create_list(wanted)
    except (RequestRefused, PermissionDenied, AuthenticationError) as error:
        if error.code in _TAKEN and (row := _list_named(client, wanted)) is not None:
            return row
        raise ConfigurationError(
            f"Setting `create_list`: Mailjet refuses to make a list named {wanted!r} ({_told(error)}). Choose another "
            "name in `list`, or make the list at Mailjet by hand."
        ) from None


def _list_at(client: MailjetClient, key: str) -> dict[str, Any] | None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key):
        return None
    try:
        return client.one("contactslist", key)
    except NotFound:
        return None


def _told(error: RequestRefused | PermissionDenied | AuthenticationError) -> str:
    return error.code or f"HTTP {error.status}"
