"""Rows that are taken one by one, each by calls of its own, and the one for which the provider fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from mailing_api.errors import ProviderFault
from target_mailing.destination import Refusal

__all__ = ["take_each"]

T = TypeVar("T")

#: Rows that may fail before it counts as the provider's trouble. Each of them is as patient as the client is.
_MOST_FAILING: Final = 3


def take_each(positions: Iterable[int], take: Callable[[int], T]) -> tuple[dict[int, T], dict[int, Refusal]]:
    """Take rows one by one; what came of each, and why others are refused.

    A row whose call ends in a server error, each time, is put aside. When the others went through, and it fails once
    more, it is refused: else one contact would end every run.

    Args:
        positions: of the rows.
        take: takes one row.

    Raises:
        ProviderFault: none went through, too many failed, or no answer came.
    """
    taken: dict[int, T] = {}
    failed: list[int] = []
    for at in positions:
        try:
            taken[at] = take(at)
        except ProviderFault as error:
            if error.status is None or len(failed) == _MOST_FAILING:
                raise
            failed.append(at)
    refused: dict[int, Refusal] = {}
    for at in failed:
        try:
            taken[at] = take(at)
        except ProviderFault as error:
            if error.status is None or not taken:
                raise
            why = f"HTTP {error.status} each time that it was tried, while other contacts went through"
            refused[at] = Refusal("unconfirmed", why, is_unasked=True)
    return taken, refused
