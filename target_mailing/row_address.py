"""A row's e-mail address: as it is sent, and whether anybody may be added under it; pure."""

from __future__ import annotations

from typing import Any

from mailing_api.addresses import check_address, sent_address, with_ascii_domain
from target_mailing.fields import RowRejected

__all__ = ["ascii_address", "clean_address", "require_valid"]


def clean_address(value: Any) -> str:
    """A row's e-mail address as it is sent.

    Raises:
        RowRejected: it does not have the shape of an address.
    """
    if not isinstance(value, str) or not value.strip():
        blank = value is None or isinstance(value, str)
        raise RowRejected("bad_address", "missing" if blank else f"{value!r} is not an e-mail address")
    try:
        return sent_address(value)
    except ValueError:
        raise RowRejected("bad_address", f"{value!r} is not an e-mail address") from None


def ascii_address(value: Any) -> str:
    """The same for a provider that takes domains in ASCII (Punycode) only."""
    return with_ascii_domain(clean_address(value))


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
