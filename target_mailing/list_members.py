"""The members of a list as its provider lists them, for destinations that can be asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import msgspec

__all__ = ["ListsMembers", "Member"]


class Member(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Somebody on a list, also who opted out of it.

    Attributes:
        address: in the provider's spelling.
        opted_out: the listing shows that the contact opted out of the list.
    """

    address: str
    opted_out: bool = False


@runtime_checkable
class ListsMembers(Protocol):
    """A destination whose provider lists the members of its list."""

    def members(self) -> Iterator[Sequence[Member]]:
        """All members, some at a time, read as they are needed; some may come more than once.

        Who joins or leaves meanwhile may be among them or not. A list that a plan's run would make has none.

        Raises:
            MailingError: the provider could not be asked, or an answer has a member without an address.
        """
