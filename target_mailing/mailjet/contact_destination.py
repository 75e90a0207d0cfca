"""Mailjet's route `contact` as a destination: calls for one contact after the other, and lists that each row names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec

from mailing_api.addresses import fold_address
from target_mailing.contacts.consent import Actions
from target_mailing.contacts.contact import EncodedContact, MappedContact
from target_mailing.contacts.fields import Field, RowRejected, attempt
from target_mailing.contacts.row_address import require_valid
from target_mailing.mailjet.actions import ACTIONS, ADDING, BY_ADDRESS
from target_mailing.mailjet.contact import encoded, form_of
from target_mailing.mailjet.destination import MailjetDestination
from target_mailing.mailjet.lists_column import ListsColumn, actions_of, laid_over

__all__ = ["ContactDestination"]


class ContactDestination(MailjetDestination):
    """One list, the lists that rows name, or one account, contact by contact."""

    @cached_property
    def _lists_column(self) -> ListsColumn:
        return ListsColumn(row for page in self._client.rows("contactslist") for row in page)

    @cached_property
    def _opted_out(self) -> set[tuple[str, str]]:
        """Opt-outs from rows of this run, by folded address and list."""
        return set()

    def _actions(self) -> Actions:
        return msgspec.structs.replace(ACTIONS, known=ACTIONS.known - ACTIONS.account_wide, decline=ACTIONS.unsubscribe)

    def _columns(self) -> dict[str, Field]:
        lists = self._lists_column
        column = Field(lists, for_removals=True, readable=lists.readable, opt_outs=lists.opt_outs)
        return {**super()._columns(), "lists": column}

    def actions_on_lists(self, contact: MappedContact, action: str) -> Mapping[str, str]:
        """By list ID, the action there: on the lists that the row names, else on those of the setting."""
        entries = contact.columns.get("lists")
        if entries is None:
            if not self._lists and not contact.deleted:
                raise RowRejected("unknown_list", "the row names no `lists`, and the setting `list` is unset")
            entries = [(list_id, None) for list_id in self._lists]
        actions = actions_of(entries, action, self._settings.consent)
        address = fold_address(contact.email or "")
        before = {list_id: ACTIONS.unsubscribe for list_id in actions if (address, list_id) in self._opted_out}
        merged = laid_over(before, actions)
        self._opted_out.update((address, list_id) for list_id in merged if merged[list_id] == ACTIONS.unsubscribe)
        return merged

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """The same with its actions on lists, unless the step decides on the lists."""
        form, lists = form_of(contact, by_address=action in BY_ADDRESS), self.actions_on_lists(contact, action)
        if self._lists or contact.columns.get("lists") is not None:
            form["Lists"] = lists
        else:
            lists = {}
        if not ADDING.isdisjoint(lists.values() if lists else (action,)):
            require_valid(contact.email or "")
        return encoded(form)

    def encode_all(self, contacts: Sequence[MappedContact], action: str) -> list[bytes | RowRejected]:
        """One after the other."""
        return [attempt(self.encode, contact, action) for contact in contacts]

    def parts(
        self,
        action: str,  # noqa: ARG002 - one route for all
        rows: Sequence[EncodedContact],
    ) -> Sequence[tuple[str, Sequence[int]]]:
        """One batch."""
        return [("contact", range(len(rows)))]
