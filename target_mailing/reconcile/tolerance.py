"""The limit of `reconcile_tolerance`: how many contacts may differ; pure."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.settings import shown

__all__ = ["Tolerance", "TooManyDifferencesError", "tolerance"]


class TooManyDifferencesError(Exception):
    """More contacts differ than `reconcile_tolerance` allows."""


class Tolerance(msgspec.Struct, frozen=True):
    """How many contacts may differ.

    Attributes:
        count: a number of contacts.
        share: or a share of them (0 to 1).
    """

    count: int = 0
    share: Fraction | None = None

    def is_exceeded(self, different: int, contacts: int) -> bool:
        """Whether so many of the contacts on either side are too many."""
        return different > (self.count if self.share is None else self.share * contacts)

    def __str__(self) -> str:
        return str(self.count) if self.share is None else f"{float(100 * self.share):g}%"


def tolerance(value: Any) -> Tolerance:
    """The limit of `reconcile_tolerance`.

    Raises:
        ConfigurationError: neither a number of contacts nor a share.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Tolerance(count=value)
    if isinstance(value, str):
        if (match := re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]{1,99})?)\s*%\s*", value)) and Fraction(match[1]) <= 100:
            return Tolerance(share=Fraction(match[1]) / 100)
        if value.strip().isascii() and value.strip().isdigit():
            return Tolerance(count=int(value))
    raise ConfigurationError(
        f"Setting `reconcile_tolerance` is {shown(value)}; give a number of contacts, or a share such as 1%."
    )
