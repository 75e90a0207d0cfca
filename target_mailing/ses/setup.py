"""Finds the contact list before contacts are delivered to it, or makes it.

If another worker made it meanwhile, that list is used.
"""

from __future__ import annotations

from typing import Final

from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    NotFound,
    PermissionDenied,
    ProviderFault,
    RequestRefused,
)
from mailing_api.ses.answers import Row
from mailing_api.ses.words import is_invalid
from mailing_api.ses.writer import SesWriter

__all__ = ["existing_lists", "topics_of"]

_NO_LIST: Final = "it has none"
_NAMES: Final = "A name has the letters a to z and A to Z, digits, `-` and `_`, 64 at most"


def topics_of(writer: SesWriter, name: str, *, create: bool, dry_run: bool) -> list[str]:
    """The topics of a contact list; none if the list has to be made.

    Args:
        writer: of the region.
        name: of the list.
        create: make it if the region has no contact list.
        dry_run: do not make it yet.

    Raises:
        ConfigurationError: it is missing, or Amazon SES refuses to make it.
    """
    contact_list = _list_named(writer, name)
    if contact_list is None:
        lists = existing_lists(writer)
        if not create:
            raise ConfigurationError(
                f"Setting `list`: Amazon SES {writer.region} has no contact list {name!r} ({lists}). "
                "Correct `list` or `ses_regions`, or set `create_list: true`."
            )
        if lists == _NO_LIST:
            contact_list = {} if dry_run else _create(writer, name)
        else:
            contact_list = _list_named(writer, name)  # another worker may have made it meanwhile
            if contact_list is None:
                raise _second_list(writer, name, lists)
    return [str(topic.get("TopicName")) for topic in contact_list.get("Topics") or ()]


def existing_lists(writer: SesWriter) -> str:
    """The contact lists of the region, for a message."""
    pages = writer.client.contact_lists(writer.region)
    names = [str(row.get("ContactListName")) for page in pages for row in page]
    return f"it has {', '.join(map(repr, names))}" if names else _NO_LIST


def _create(writer: SesWriter, name: str) -> Row:
    try:
        writer.create_list(name)
    except (RequestRefused, PermissionDenied, AuthenticationError, ProviderFault) as error:
        # Another worker may have made it meanwhile; or this one did, and the reply was lost.
        contact_list = _list_named(writer, name)
        if contact_list is not None:
            return contact_list
        if isinstance(error, ProviderFault):
            raise
        lists = existing_lists(writer)
        if lists != _NO_LIST:
            raise _second_list(writer, name, lists) from None
        raise ConfigurationError(
            f"Setting `create_list`: Amazon SES {writer.region} refuses to make a contact list {name!r} "
            f"({error.code_or_status}). {_NAMES}, and the credentials need ses:CreateContactList: "
            "choose another name in `list`, or make the list at Amazon SES by hand."
        ) from None
    return {}


def _second_list(writer: SesWriter, name: str, lists: str) -> ConfigurationError:
    return ConfigurationError(
        f"Setting `create_list`: Amazon SES {writer.region} has no contact list {name!r}, and AWS allows only one list "
        f"in a region ({lists}). Name that list in `list`, and tell groups of people apart by its topics; or deliver "
        "to another region, named in `ses_regions`."
    )


def _list_named(writer: SesWriter, name: str) -> Row | None:
    try:
        return writer.client.contact_list(writer.region, name)
    except NotFound:
        return None
    except RequestRefused as error:
        if not is_invalid(error):
            raise
        raise ConfigurationError(
            f"Setting `list`: Amazon SES {writer.region} refuses {name!r} as the name of a contact list. {_NAMES}: "
            f"correct it ({existing_lists(writer)})."
        ) from None
