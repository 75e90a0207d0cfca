"""What a provider can be asked about one contact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

__all__ = ["TellsToday"]


@runtime_checkable
class TellsToday(Protocol):
    """A destination whose provider tells the state of one contact there."""

    def today(self, names: Sequence[str]) -> Sequence[str]:
        """The state of a contact now, in sentences for people; nothing is written.

        Args:
            names: spellings of its address, the likeliest first; or the provider's IDs of it, where other fields than
                an address identify contacts.

        Raises:
            MailingError: the provider could not be asked.
        """
