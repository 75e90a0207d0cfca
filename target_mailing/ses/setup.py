"""What must be at Amazon SES before contacts go there: the contact list, found or made.

Whoever makes it may find that another worker made it meanwhile, and goes on with that.
"""

from __future__ import annotations

from typing import Final

from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    MailingError,
    NotFound,
    PermissionDenied,
    ProviderFault,
    RequestRefused,
)
from mailing_api.ses.answers import Row
from mailing_api.ses.words import is_invalid
from mailing_api.ses.writer import SesWriter

__all__ = ["lists_there", "topics_of"]

_NO_LIST: Final = "there is none"
_NAMES: Final = "A name has the letters a to z and A to Z, digits, `-` and `_`, 64 at most"


def topics_of(writer: SesWriter, name: str, *, create: bool, dry_run: bool) -> list[str]:
    """The topics of a contact list; none for one that would be made.

    Args:
        writer: of the region.
        name: of the list.
        create: make it if there is none in the region.
        dry_run: do not make it yet.

    Raises:
        ConfigurationError: it is missing, or Amazon SES refuses to make it.
    """
    found = _list_named(writer, name)
    if found is None:
        there = lists_there(writer)
        if not create:
            raise ConfigurationError(
                f"Setting `list`: Amazon SES {writer.region} has no contact list {name!r} ({there}). "
                "Correct it, or `ses_regions`, or set `create_list: true`."
            )
        if there != _NO_LIST:
            found = _list_named(writer, name)  # by now another worker may have made it
            if found is None:
                raise _no_second(writer, name, there)
        else:
            found = {} if dry_run else _create(writer, name)
    return [str(one.get("TopicName")) for one in found.get("Topics") or ()]


def lists_there(writer: SesWriter) -> str:
    """The contact lists of the region, in words."""
    pages = writer.client.contact_lists(writer.region)
    names = [str(row.get("ContactListName")) for page in pages for row in page]
    return f"there is {', '.join(map(repr, names))}" if names else _NO_LIST


def _create(writer: SesWriter, name: str) -> Row:
    try:
        writer.create_list(name)
    except (RequestRefused, PermissionDenied, AuthenticationError, ProviderFault) as error:
        # Another worker made it meanwhile; or this one did, and the reply was lost.
        found = _list_named(writer, name)
        if found is None:
            raise _not_made(writer, name, error) from None
        return found
    return {}


def _not_made(writer: SesWriter, name: str, error: MailingError) -> MailingError:
    if isinstance(error, ProviderFault):
        return error
    there = lists_there(writer)
    if there != _NO_LIST:
        return _no_second(writer, name, there)
    return ConfigurationError(
        f"Setting `create_list`: Amazon SES {writer.region} refuses to make a contact list {name!r} "
        f"({error.code or f'HTTP {error.status}'}). {_NAMES}, and the credentials need ses:CreateContactList: choose "
        "another name in `list`, or make the list at Amazon SES by hand."
    )


def _no_second(writer: SesWriter, name: str, there: str) -> ConfigurationError:
    return ConfigurationError(
        f"Setting `create_list`: Amazon SES {writer.region} has no contact list {name!r}, and it cannot be "
        f"made, since AWS allows one list a region ({there}). Name that one in `list`, and tell groups of "
        "people apart by its topics; or deliver to another region, named in `ses_regions`."
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
            f"Setting `list`: Amazon SES {writer.region} takes {name!r} for no name of a contact list. {_NAMES}: "
            f"correct it ({lists_there(writer)})."
        ) from None
