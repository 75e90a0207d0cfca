"""What a plan would have changed at Amazon SES so far: its writer sends nothing, and its readings show the changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from mailing_api.addresses import fold_address
from mailing_api.errors import NotFound
from mailing_api.ses.writer import SesWriter
from target_mailing.foresight.foreseen import Foreseen
from target_mailing.ses.contact import State
from target_mailing.ses.lookup import LookedUp

__all__ = ["ForeseenStates", "ForeseenWriter", "UncheckedWriter"]


class ForeseenStates:
    """The contacts that a plan would have changed."""

    def __init__(self, count: Callable[[int], None]) -> None:
        """Take what counts calls that are not made."""
        self.count = count
        self._foreseen = Foreseen()

    def note(self, email: str, state: State | None) -> None:
        """Note a contact as it would be; None if it would be deleted."""
        self._foreseen.note([(email, msgspec.msgpack.encode(state))])

    def has(self, email: str) -> bool:
        """Whether the plan would have changed the contact of this address."""
        return self._foreseen.of(email) is not None

    def of(self, email: str) -> State | None:
        """The contact that the plan would have changed; None if it would have deleted it."""
        found = self._foreseen.of(email)
        return None if found is None else msgspec.msgpack.decode(found, type=State | None)

    def over(self, there: LookedUp[State], emails: Iterable[str]) -> LookedUp[State]:
        """What was found of some addresses, with the changes."""
        changed = {fold_address(email): self.of(email) for email in emails if self.has(email)}
        if not changed:
            return there
        found = {**there.found, **changed}
        return LookedUp(
            {address: state for address, state in found.items() if state is not None},
            {address: error for address, error in there.refused.items() if address not in changed},
        )


@dataclass(frozen=True)
class ForeseenWriter(SesWriter):
    """The writer of a plan: it only notes what it would write of contacts."""

    foreseen: ForeseenStates

    def create_contact(self, contact_list: str, email: str, members: Mapping[str, Any]) -> bool:
        """Note a new contact, unless there is one."""
        if self.foreseen.has(email):
            self.foreseen.count(1)
            is_there = self.foreseen.of(email) is not None
        else:
            is_there = self._is_there(contact_list, email)
        if not is_there:
            self._note(email, members)
        return not is_there

    def update_contact(
        self,
        contact_list: str,  # noqa: ARG002 - it has one list
        read_members: Callable[[], Mapping[str, Any] | None],
    ) -> bool:
        """Note the new content of a contact, which was just read."""
        if (members := read_members()) is not None:
            self.foreseen.count(1)
            self._note(members["EmailAddress"], members)
        return members is not None

    def delete_contact(
        self,
        contact_list: str,  # noqa: ARG002 - it has one list
        read_members: Callable[[], Mapping[str, Any] | None],
    ) -> bool:
        """Note that a contact is deleted."""
        if (members := read_members()) is not None:
            self.foreseen.count(1)
            self.foreseen.note(members["EmailAddress"], None)
        return members is not None

    def _note(self, email: str, members: Mapping[str, Any]) -> None:
        self.foreseen.note(email, State.of({"AttributesData": None, **members, "EmailAddress": email}))

    def _is_there(self, contact_list: str, email: str) -> bool:
        try:
            self.client.contact(self.region, contact_list, email)
        except NotFound:
            return False
        return True


@dataclass(frozen=True)
class UncheckedWriter(SesWriter):
    """The writer of a plan for the suppression list: no outcome depends on what it would have changed."""

    count: Callable[[int], None]

    def suppress(self, email: str, reason: str) -> None:  # noqa: ARG002
        """Send nothing."""
        self.count(1)

    def unsuppress(self, read_members: Callable[[], Mapping[str, Any] | None]) -> bool:
        """Send nothing; whether the list has the address."""
        is_there = read_members() is not None
        self.count(int(is_there))
        return is_there
