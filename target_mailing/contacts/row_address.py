"""A row's e-mail address: how it is sent, and whether a contact may be added with it; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from mailing_api.addresses import (
    check_address,
    fold_address,
    odd_addresses,
    sent_address,
    sent_addresses,
    with_ascii_domain,
    without_hidden,
)
from target_mailing.contacts.fields import MISSING, RowRejected, attempt

__all__ = [
    "ascii_address",
    "clean_address",
    "clean_addresses",
    "is_blank",
    "lone_address",
    "not_addable",
    "opt_out_address",
    "require_valid",
]

#: No cell with addresses is longer.
_LONGEST: Final = 1000
#: A possible address in a longer string.
_CANDIDATE: Final = re.compile(r"""[^\s,;:<>()\[\]{}"'|/\\]+@[^\s,;:<>()\[\]{}"'|/\\]+""")


def is_blank(value: Any) -> bool:
    """Whether a value is null, or a string without visible characters."""
    return value is None or (isinstance(value, str) and not without_hidden(value).strip())


def clean_address(value: Any) -> str:
    """A row's e-mail address as it is sent.

    Raises:
        RowRejected: it does not have the shape of an address.
    """
    if is_blank(value):
        raise RowRejected("bad_address", MISSING, column="email")
    try:
        if isinstance(value, str):
            return sent_address(value)
    except ValueError:
        pass
    raise RowRejected("bad_address", f"{value!r} is not an e-mail address")


def clean_addresses(column: Sequence[Any]) -> Sequence[str] | None:
    """The bulk form of `clean_address` and `ascii_address`, for ordinary addresses, which are ASCII."""
    return sent_addresses(column) if {*map(type, column)} == {str} else None


def ascii_address(value: Any) -> str:
    """The same for a provider that accepts only ASCII domains (Punycode)."""
    return with_ascii_domain(clean_address(value))


def lone_address(value: Any, *, ascii_only: bool = False) -> str | None:
    """The only address in a string, which may hold more; None where there is none, or several.

    It is for opt-outs: the person must not be contacted, although no contact may be added with such a string.
    """
    addresses = addresses_in(value, ascii_only=ascii_only)
    return addresses[0] if len(addresses) == 1 else None


def addresses_in(value: Any, *, ascii_only: bool = False) -> list[str]:
    """All addresses in a string, which may hold more."""
    addresses: dict[str, str] = {}
    for candidate in _CANDIDATE.findall(value) if isinstance(value, str) and len(value) <= _LONGEST else ():
        try:
            email = ascii_address(candidate) if ascii_only else clean_address(candidate)
            require_valid(email, ascii_only=ascii_only)
        except RowRejected:
            continue
        addresses.setdefault(fold_address(email), email)
    return [*addresses.values()]


def opt_out_address(email: str, *, ascii_only: bool = False) -> str:
    """The address of a contact who opts out: the only one in the string, if the string itself is not a valid one."""
    try:
        require_valid(email, ascii_only=ascii_only)
    except RowRejected:
        return lone_address(email, ascii_only=ascii_only) or email
    return email


def require_valid(email: str, *, ascii_only: bool = False) -> None:
    """Check that a contact may be added with an address; removals and opt-outs need no valid one.

    Args:
        email: as it is sent.
        ascii_only: the provider accepts only ASCII characters.

    Raises:
        RowRejected: no mail server accepts it.
    """
    try:
        check_address(email, ascii_only=ascii_only)
    except ValueError as no:
        raise RowRejected("bad_address", f"{email!r} is not an e-mail address: {no}") from None


def not_addable(emails: Sequence[str], *, ascii_only: bool = False) -> dict[int, RowRejected]:
    """By position, why no contact may be added with an address: what `require_valid` raises."""
    checked = {email: attempt(require_valid, email, ascii_only=ascii_only) for email in odd_addresses(emails)}
    if not checked:
        return {}
    return {at: no for at, email in enumerate(emails) if (no := checked.get(email)) is not None}
