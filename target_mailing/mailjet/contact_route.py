"""The step of Mailjet's single-contact route: one row after the other, each with its outcome in the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from mailing_api.errors import MailingError, NotFound, ProviderFault, RateLimited, RequestRefused, UnreadableAnswer
from mailing_api.mailjet.client import MailjetClient
from mailing_api.mailjet.contacts import ContactCalls
from target_mailing.contacts.consent import Consent, may_remove
from target_mailing.contacts.contact import EncodedContact
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.one_by_one import finished, take_each
from target_mailing.interface.destination import Progress, Refusal, Step, Work
from target_mailing.mailjet.actions import ACTIONS
from target_mailing.mailjet.contact import Contact, decoded
from target_mailing.mailjet.lists_column import action_on
from target_mailing.mailjet.refusals import UnknownProperties, about_one, is_no_address

__all__ = ["MAX_ROWS", "ManageContacts"]

#: Rows of a batch at most: after a kill a whole batch is repeated, and several batches run at the same time.
MAX_ROWS: Final = 100

#: By the call that was refused, the reason of the row.
_REASONS: Final = {
    "memberships": "looking up the contact's lists was refused",
    "find": "looking up the contact was refused",
    "put": "the contact was refused",
    "properties": "a property was refused, and no list was changed",
    "lists": "a list was refused; assume that no list was changed (unverified)",
}

#: Effects if a row has the same action on all of its lists, which may not be the action of the row.
_ON_LISTS: Final = {
    frozenset({ACTIONS.unsubscribe}): Effect.UNSUBSCRIBED,
    frozenset({ACTIONS.remove}): Effect.REMOVED,
}


@dataclass(frozen=True)
class ManageContacts(Step):
    """Creates or updates each contact, and changes its lists. Repeating any of its calls has no further effect."""

    client: MailjetClient
    calls: ContactCalls
    consent: Consent
    unknown_properties: UnknownProperties
    name = "contacts"
    sends = True

    def run(self, work: Work) -> Progress:
        """Deliver row by row."""
        answered = 0

        def take(position: int) -> Refusal | Effect | bool:
            nonlocal answered
            row = work.rows[position]
            end = self._deliver(row, work.action, answered)
            if not (isinstance(end, Refusal) or end is True):
                answered = max(answered, len(row.content))
            return end

        return finished(*take_each(range(len(work.rows)), take, probe=partial(self.client.memberships, 1)))

    def foresee(self, work: Work) -> Progress:
        """The same, by the calls of a plan, which only read."""
        return self.run(work)

    def more_calls(self, work: Work) -> int:  # noqa: ARG002
        """They are counted one by one."""
        return 0

    def _deliver(self, row: EncodedContact, action: str, answered: int) -> Refusal | Effect | bool:
        """The row's refusal, or its effect if known, or whether it is withheld; `answered` as in `about_one`."""
        contact = decoded(row.content)
        lists = self._lists(row, contact, action)
        if lists is None:
            return Refusal("unknown_list", "a removal without `lists`, and the setting `list` is unset")
        call = "memberships"
        try:
            if action == ACTIONS.ask:
                opted_out = self._opt_outs(contact.Email)
                return any(opted_out.get(list_id, False) for list_id in lists)
            only_leaves = action == ACTIONS.remove or set(lists.values()) == {ACTIONS.remove}
            changes, kept = self._allowed(contact.Email, lists)
            calls = self.calls
            key: int | str = contact.Email
            effect: Effect | None = None
            if not only_leaves:
                call = "find"
                existing = calls.find(contact.Email)
                call = "put"
                key = calls.put(contact.Email, contact.Name, existing)
                effect = None if existing or row.resubmitted else Effect.ADDED
                call = "properties"
                if contact.Properties:
                    self._set_values(calls, key, contact.Properties)
            call = "lists"
            kept = self._change_lists(calls, key, contact.Email, lists, (changes, kept))
        except MailingError as error:
            is_unasked = call == "memberships"
            if is_unasked and (action == ACTIONS.ask or row.follower) and is_no_address(error):
                return False  # no contact to remove, and no opt-out
            refusal = about_one(
                error,
                probe=lambda: self.client.memberships(1) if is_unasked else self.client.one("contact", 1),
                writes=call not in {"memberships", "find"},
                what=_REASONS[call],
                size=len(row.content),
                answered=answered,
            )
            return msgspec.structs.replace(refusal, is_unasked=is_unasked)
        # A row that follows a removal is the same person with a new address: the opt-out holds for that, too.
        is_withheld = bool(kept) and (len(kept) == len(lists) or row.follower is not None)
        return is_withheld or _ON_LISTS.get(frozenset(lists.values()), effect) or False

    def _change_lists(
        self,
        calls: ContactCalls,
        contact: int | str,
        email: str,
        lists: Mapping[int, str],
        allowed: tuple[dict[int, str], Sequence[int]],
    ) -> Sequence[int]:
        """Make the changes that are allowed; returns the lists that the contact stays on because it opted out of them.

        A removal that failed, and may have been done, is repeated only as far as it is allowed by then: the contact may
        have opted out since, or joined again.
        """
        attempt = 0
        while True:
            changes, kept = allowed
            if not changes:
                return kept
            try:
                calls.act_on_lists(contact, changes)
            except (RateLimited, ProviderFault, UnreadableAnswer) as error:
                if ACTIONS.remove not in changes.values():
                    raise
                attempt += 1
                self.client.rest(error, attempt)
                allowed = self._allowed(email, lists)
            else:
                return kept

    def _set_values(self, calls: ContactCalls, contact: int | str, values: Mapping[str, Any]) -> None:
        """Set property values; try again for a while if Mailjet reports a property as unknown: all are defined."""
        while True:
            try:
                return calls.set_values(contact, values)
            except RequestRefused as error:
                if error.code != "invalid_key_name" or not self.unknown_properties.wait(error.said):
                    raise

    def _lists(self, row: EncodedContact, contact: Contact, action: str) -> Mapping[int, str] | None:
        """List ID -> action; None for a removal for which no list is known.

        An old address leaves the lists that the row names under its new address.
        """
        named = {} if row.follower is None else decoded(row.follower.content).Lists or {}
        if named:
            return dict.fromkeys(sorted(named), ACTIONS.remove)
        if contact.Lists is None:
            return None
        return {list_id: action_on(action, own, self.consent) for list_id, own in contact.Lists.items()}

    def _allowed(self, email: str, lists: Mapping[int, str]) -> tuple[dict[int, str], Sequence[int]]:
        """The changes to make, and the lists that the contact stays on because it opted out of them."""
        leaving = [list_id for list_id, action in lists.items() if action == ACTIONS.remove]
        if not leaving:
            return dict(lists), ()
        opted_out = self._opt_outs(email)
        kept = [list_id for list_id in leaving if not may_remove(ACTIONS, unsubscribed=opted_out.get(list_id, False))]
        unchanged = {list_id for list_id in leaving if list_id not in opted_out or list_id in kept}
        return {list_id: action for list_id, action in lists.items() if list_id not in unchanged}, kept

    def _opt_outs(self, email: str) -> dict[int, bool]:
        """The lists that a contact is on, and whether it opted out of each."""
        try:
            return self.calls.opt_outs(email)
        except NotFound:
            return {}
