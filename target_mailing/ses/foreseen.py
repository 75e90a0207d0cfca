"""What a plan would have changed at Amazon SES so far: its writer sends nothing, and its readings show the changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from mailing_api.addresses import fold_address
from mailing_api.errors import NotFound
from mailing_api.ses.client import SesClient
from mailing_api.ses.writer import SesWriter
from target_mailing.plan.foreseen import Foreseen
from target_mailing.ses.contact import State
from target_mailing.ses.lookup import LookedUp

__all__ = ["ForeseenStates", "ForeseenWriter", "UnusedWriter"]


class ForeseenStates:
    """The contacts that a plan would have changed."""

    def __init__(self) -> None:
        """Note nothing yet."""
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


class ForeseenWriter(SesWriter):
    """The writer of a plan: it only notes what it would write of contacts."""

    def __init__(self, client: SesClient, region: str, foreseen: ForeseenStates) -> None:
        """Take where to note it."""
        super().__init__(client, region)
        object.__setattr__(self, "_foreseen", foreseen)

    _foreseen: ForeseenStates

    def create_contact(self, contact_list: str, email: str, members: Mapping[str, Any]) -> bool:
        """Note a new contact, unless there is one."""
        if self._is_there(contact_list, email):
            return False
        self._note(email, members)
        return True

    def update_contact(self, contact_list: str, read_members: Callable[[], Mapping[str, Any] | None]) -> bool:
        """Note a contact's new content."""
        members = read_members()
        if members is None or not self._is_there(contact_list, members["EmailAddress"]):
            return False
        self._note(members["EmailAddress"], members)
        return True

    def delete_contact(
        self,
        contact_list: str,  # noqa: ARG002 - a plan has one list
        read_members: Callable[[], Mapping[str, Any] | None],
    ) -> bool:
        """Note that a contact is deleted."""
        if (members := read_members()) is not None:
            self._foreseen.note(members["EmailAddress"], None)
        return members is not None

    def _note(self, email: str, members: Mapping[str, Any]) -> None:
        self._foreseen.note(email, State.of({"AttributesData": None, **members, "EmailAddress": email}))

    def _is_there(self, contact_list: str, email: str) -> bool:
        if self._foreseen.has(email):
            return self._foreseen.of(email) is not None
        try:
            self.client.contact(self.region, contact_list, email)
        except NotFound:
            return False
        return True


class UnusedWriter(SesWriter):
    """The writer of a plan for the suppression list: no outcome depends on what it would have changed."""

    def suppress(self, email: str, reason: str) -> None:
        """Send nothing."""

    def unsuppress(self, read_members: Callable[[], Mapping[str, Any] | None]) -> bool:
        """Send nothing; whether the list has the address."""
        return read_members() is not None
