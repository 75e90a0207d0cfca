"""The members of a list as its provider lists them, for destinations that can be asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

__all__ = ["ComparesMembers", "ComparesOwnList", "Held", "ListsMembers", "Member"]


class Member(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Somebody on a list, also who opted out of it.

    Attributes:
        address: in the provider's spelling.
        opted_out: the listing shows that the contact opted out of the list.
    """

    address: str
    opted_out: bool = False


class Held(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Somebody on a list as its provider has them, to be compared with a row.

    Attributes:
        address: in the provider's spelling.
        opted_out: how the contact opted out, in a word such as `unsubscribed`; "" if it did not.
        fields: in the destination's own encoding.
        suppressed: why the provider sends nothing to the contact, in a word; "" if the listing shows no reason.
    """

    address: str
    opted_out: str = ""
    fields: bytes = b""
    suppressed: str = ""


@runtime_checkable
class ListsMembers(Protocol):
    """A destination whose provider lists the members of its list."""

    def members(self) -> Iterator[Sequence[Member]]:
        """All members, some at a time, read as they are needed; some may come more than once.

        Who joins or leaves meanwhile may be among them or not. A list that a plan's run would make has none.

        Raises:
            MailingError: the provider could not be asked, or an answer has a member without an address.
        """


@runtime_checkable
class ComparesMembers(Protocol):
    """A destination whose provider lists the members of its list with some of their fields."""

    def fields_in(self, content: bytes) -> Collection[str]:
        """The names of the fields that a row would write, also of those that no listing shows."""

    def uncompared(self, fields: Collection[str]) -> Collection[str]:
        """Those of these fields that no listing shows."""

    def held(self, fields: Collection[str]) -> Iterator[Sequence[Held]]:
        """All members with at least these fields, some at a time, as `ListsMembers.members` has them.

        Raises:
            MailingError: the provider could not be asked, or an answer has a member without an address.
        """

    def differences(self, content: bytes, held: bytes) -> Mapping[str, tuple[Any, Any]]:
        """The fields that a row would change: the values at the provider and in the row."""

    def suppressions(self) -> Iterator[Sequence[tuple[str, str]]]:
        """Addresses to which the provider sends nothing, whatever the list says, each with the reason in a word.

        Raises:
            MailingError: the provider could not be asked.
        """


@runtime_checkable
class ComparesOwnList(Protocol):
    """A destination whose rows may name lists, and which can compare the list of its settings."""

    @property
    def own_list(self) -> str | None:
        """That list, as `ListsByRow.actions_on_lists` has it; None if the settings have none, or several."""
