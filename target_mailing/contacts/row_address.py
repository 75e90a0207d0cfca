"""A row's e-mail address: as it is sent, and whether anybody may be added under it; pure."""

from __future__ import annotations

import re
from typing import Any, Final

from mailing_api.addresses import check_address, fold_address, sent_address, with_ascii_domain, without_hidden
from target_mailing.contacts.fields import MISSING, RowRejected

__all__ = ["ascii_address", "clean_address", "lone_address", "meant_address", "require_valid"]

#: A longer text is no cell of addresses.
_LONGEST: Final = 1000
#: What may be an address in a text that holds more.
_CANDIDATE: Final = re.compile(r"""[^\s,;:<>()\[\]{}"'|/\\]+@[^\s,;:<>()\[\]{}"'|/\\]+""")


def clean_address(value: Any) -> str:
    """A row's e-mail address as it is sent.

    Raises:
        RowRejected: it does not have the shape of an address.
    """
    if value is None or (isinstance(value, str) and not without_hidden(value).strip()):
        raise RowRejected("bad_address", MISSING, column="email")
    if not isinstance(value, str):
        raise RowRejected("bad_address", f"{value!r} is not an e-mail address")
    try:
        return sent_address(value)
    except ValueError:
        raise RowRejected("bad_address", f"{value!r} is not an e-mail address") from None


def ascii_address(value: Any) -> str:
    """The same for a provider that takes domains in ASCII (Punycode) only."""
    return with_ascii_domain(clean_address(value))


def lone_address(text: Any, *, ascii_only: bool = False) -> str | None:
    """The one address in a text, which may hold more; None where there is none, or several.

    It is for opt-outs: whoever is meant must not be written to, though nobody may be added under such a text.
    """
    found: dict[str, str] = {}
    for one in _CANDIDATE.findall(text) if isinstance(text, str) and len(text) <= _LONGEST else ():
        try:
            email = ascii_address(one) if ascii_only else clean_address(one)
            require_valid(email, ascii_only=ascii_only)
        except RowRejected:
            continue
        found.setdefault(fold_address(email), email)
    return next(iter(found.values())) if len(found) == 1 else None


def meant_address(email: str, *, ascii_only: bool = False) -> str:
    """The address of somebody who opts out: the one in the text, if nobody can have the text itself as theirs."""
    try:
        require_valid(email, ascii_only=ascii_only)
    except RowRejected:
        return lone_address(email, ascii_only=ascii_only) or email
    return email


def require_valid(email: str, *, ascii_only: bool = False) -> None:
    """See whether somebody may be added under an address; who leaves or opts out needs no valid one.

    Args:
        email: as it is sent.
        ascii_only: the provider takes no letters beyond ASCII.

    Raises:
        RowRejected: no mail server accepts it.
    """
    try:
        check_address(email, ascii_only=ascii_only)
    except ValueError as no:
        raise RowRejected("bad_address", f"{email!r} is not an e-mail address: {no}") from None
