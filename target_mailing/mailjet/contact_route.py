"""The step of Mailjet's single-contact route: one row after the other, each with its outcome in the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from mailing_api.errors import MailingError, NotFound, RequestRefused
from mailing_api.mailjet.answers import opted_out
from mailing_api.mailjet.client import MailjetClient
from mailing_api.mailjet.contacts import ContactCalls
from target_mailing.contacts.consent import Consent, may_remove
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.one_by_one import finished, take_each
from target_mailing.destination import Progress, Refusal, Step, Work
from target_mailing.mailjet.json_route import ACTIONS
from target_mailing.mailjet.lists_column import action_on
from target_mailing.mailjet.refusals import UnknownProperties, about_one, is_no_address
from target_mailing.row import Row

__all__ = ["MAX_ROWS", "ManageContacts"]

#: Rows of a batch at most: a batch is what comes again after a kill, and several go side by side.
MAX_ROWS: Final = 100

_STAGES: Final = {
    "opt-outs": "looking for the contact's lists was refused",
    "look-up": "looking for the contact was refused",
    "contact": "the contact was refused",
    "properties": "a property was refused, and no list was touched",
    "lists": "a list was refused, and it is unverified whether the others were done: take it that none was",
}


#: What was done where all of a row's lists have the same action, which may not be the row's own.
_ON_LISTS: Final = {
    frozenset({ACTIONS.unsubscribe}): Effect.UNSUBSCRIBED,
    frozenset({ACTIONS.remove}): Effect.REMOVED,
}


class _Contact(msgspec.Struct):
    Email: str
    Name: str | None = None
    Properties: dict[str, Any] = {}
    Lists: dict[int, str] | None = None


@dataclass(frozen=True)
class ManageContacts(Step):
    """Creates or updates each contact, and acts on its lists. All its calls converge, so it may be taken again."""

    client: MailjetClient
    consent: Consent
    unknown_properties: UnknownProperties
    name = "contacts"
    sends = True

    def run(self, work: Work) -> Progress:
        """Deliver row by row."""
        answered = 0

        def take(at: int) -> Refusal | Effect | bool:
            nonlocal answered
            row = work.rows[at]
            end = self._deliver(row, work.action, answered)
            if not (isinstance(end, Refusal) or end is True):
                answered = max(answered, len(row.contact))
            return end

        return finished(*take_each(range(len(work.rows)), take, probe=partial(self.client.memberships, 1)))

    def _deliver(self, row: Row, action: str, answered: int) -> Refusal | Effect | bool:
        """Why a row is refused, what was done if that is known, or if it is withheld; `answered` as in `about_one`."""
        contact = msgspec.json.decode(row.contact, type=_Contact)
        lists = self._lists(row, contact, action)
        if lists is None:
            return Refusal("unknown_list", "a removal without `lists`, and there is no setting `list`")
        stage = "opt-outs"
        try:
            if action == ACTIONS.ask:
                opted_out = self._opt_outs(contact.Email)
                return any(opted_out.get(one, False) for one in lists)
            only_leaves = action == ACTIONS.remove or bool(lists and set(lists.values()) == {ACTIONS.remove})
            to_do, kept = self._allowed(contact.Email, lists)
            stage = "look-up"
            calls = ContactCalls(self.client)
            key: int | str = contact.Email
            effect: Effect | None = None
            if not only_leaves:
                there = calls.find(contact.Email)
                stage = "contact"
                key = calls.put(contact.Email, contact.Name, there)
                effect = None if there or row.resubmitted else Effect.ADDED
                stage = "properties"
                if contact.Properties:
                    self._set_values(calls, key, contact.Properties)
            stage = "lists"
            if to_do:
                calls.act_on_lists(key, to_do)
        except MailingError as error:
            is_unasked = stage == "opt-outs"
            if is_unasked and (action == ACTIONS.ask or row.followers) and is_no_address(error):
                return False  # nobody to remove, nor to have opted out
            refusal = about_one(
                error,
                probe=lambda: self.client.memberships(1) if is_unasked else self.client.one("contact", 1),
                writes=stage not in {"opt-outs", "look-up"},
                what=_STAGES[stage],
                size=len(row.contact),
                answered=answered,
            )
            return msgspec.structs.replace(refusal, is_unasked=is_unasked)
        # Whoever follows a removal is the same person under a new address, and has opted out where this one has.
        is_withheld = bool(kept) and (len(kept) == len(lists) or bool(row.followers))
        return is_withheld or _ON_LISTS.get(frozenset(lists.values()), effect) or False

    def _set_values(self, calls: ContactCalls, contact: int, values: Mapping[str, Any]) -> None:
        """Set property values, again for a while where a property, which is defined, is said to be unknown."""
        while True:
            try:
                calls.set_values(contact, values)
            except RequestRefused as error:
                if error.code != "invalid_key_name" or not self.unknown_properties.wait(error.said):
                    raise
            else:
                return

    def _lists(self, row: Row, contact: _Contact, action: str) -> Mapping[int, str] | None:
        """List ID -> action; None for a removal from nobody knows where.

        An old address leaves the lists that the row names under its new one.
        """
        if row.followers:
            followers = [msgspec.json.decode(one.contact, type=_Contact).Lists or {} for one in row.followers]
            if found := dict.fromkeys(sorted({one for lists in followers for one in lists}), ACTIONS.remove):
                return found
        if contact.Lists is None:
            return None
        return {one: action_on(action, own, self.consent) for one, own in contact.Lists.items()}

    def _allowed(self, email: str, lists: Mapping[int, str]) -> tuple[dict[int, str], Sequence[int]]:
        """What may be done, and the lists that are not left so that an opt-out is kept; nobody leaves twice."""
        leaving = [one for one, action in lists.items() if action == ACTIONS.remove]
        if not leaving:
            return dict(lists), ()
        opted_out = self._opt_outs(email)
        kept = [one for one in leaving if not may_remove(ACTIONS, unsubscribed=opted_out.get(one, False))]
        left = {one for one in leaving if one in opted_out and one not in kept}
        return {one: action for one, action in lists.items() if action != ACTIONS.remove or one in left}, kept

    def _opt_outs(self, email: str) -> dict[int, bool]:
        """The lists that a contact is on, and whether it opted out of each."""
        try:
            memberships = self.client.memberships(email)
        except NotFound:
            return {}
        return {int(row["ListID"]): opted_out(row) is not False for row in memberships}
