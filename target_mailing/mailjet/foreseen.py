"""What a plan would have changed at Mailjet so far, as far as its later steps read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from mailing_api.errors import NotFound
from mailing_api.mailjet.answers import Row
from mailing_api.mailjet.client import MailjetClient
from mailing_api.mailjet.contacts import ContactCalls
from target_mailing.foresight.foreseen import Foreseen
from target_mailing.interface.destination import Work
from target_mailing.mailjet.actions import ACTIONS

__all__ = ["ForeseenCalls", "ForeseenOptOuts"]

#: The action that leaves an opt-out as it is; each other one decides how a contact is on a list, whatever was before.
_ADDS: Final = "addnoforce"

#: What actions of jobs do to an opt-out: record it, or lift or erase it.
_OPT_OUTS: Final[Mapping[str, bytes]] = {ACTIONS.unsubscribe: b"1", "addforce": b"", ACTIONS.remove: b""}


class ForeseenOptOuts:
    """Opt-outs that the jobs of a plan would record, lift or erase; none in a run."""

    def __init__(self) -> None:
        self._foreseen = Foreseen()

    def note(self, work: Work) -> None:
        """Note the effect of a job."""
        if (effect := _OPT_OUTS.get(work.action)) is not None:
            self._foreseen.note((contact.email, effect) for contact in work.contacts)

    def of(self, email: str) -> bool | None:
        """Whether a contact would have opted out; None if that is as at Mailjet."""
        found = self._foreseen.of(email)
        return None if found is None else bool(found)


class ForeseenCalls(ContactCalls):
    """The calls of a plan: those that write only note what they would change, and those that read show it."""

    def __init__(self, client: MailjetClient, count: Callable[[int], None]) -> None:
        """Take what counts calls that are not made."""
        super().__init__(client)
        self._count = count
        self._foreseen = Foreseen()

    def find(self, email: str) -> Row | None:
        """The contact, also one that the plan would have created."""
        if self._foreseen.of(email) is None:
            return super().find(email)
        self._count(1)
        return {"Email": email}

    def opt_outs(self, email: str) -> dict[int, bool]:
        """Its lists, as the plan would have changed them."""
        if (found := self._foreseen.of(email)) is None:
            return super().opt_outs(email)
        try:
            lists = super().opt_outs(email)
        except NotFound:
            lists = {}
        for list_id, action in msgspec.json.decode(found, type=list[tuple[int, str]]):
            if action == ACTIONS.remove:
                lists.pop(list_id, None)
            else:
                kept = lists.get(list_id, False) and action != "addforce"
                lists[list_id] = kept or action == ACTIONS.unsubscribe
        return lists

    def put(self, email: str, name: str | None, found: Row | None) -> str:
        """Count the call, and note that the contact exists."""
        self._count(int(found is None or (name is not None and found.get("Name") != name)))
        if self._foreseen.of(email) is None:
            self._foreseen.note([(email, b"[]")])
        return email

    def set_values(self, contact: int | str, values: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Nothing of a contact's values is read."""
        self._count(1)

    def act_on_lists(self, contact: int | str, actions: Mapping[int, str]) -> None:
        """Note the actions; the lists themselves are read when they are needed."""
        self._count(1)
        found = self._foreseen.of(str(contact))
        before = [] if found is None else msgspec.json.decode(found, type=list[tuple[int, str]])
        others = [(list_id, action) for list_id, action in before if actions.get(list_id, _ADDS) in {_ADDS, action}]
        changes = [one for one in actions.items() if one not in others]
        self._foreseen.note([(str(contact), msgspec.json.encode([*others, *changes]))])
