"""Mailjet's route `contact` as a destination: calls for one contact after the other, and lists that each row names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import msgspec

from target_mailing.contacts.consent import Actions
from target_mailing.contacts.contact import EncodedContact, MappedContact
from target_mailing.contacts.fields import Field, RowRejected, attempt
from target_mailing.contacts.row_address import require_valid
from target_mailing.mailjet.actions import ACTIONS, ADDING, BY_ADDRESS
from target_mailing.mailjet.contact import decoded, encoded, form_of, overlaid
from target_mailing.mailjet.destination import MailjetDestination
from target_mailing.mailjet.lists_column import ListsColumn, actions_of

__all__ = ["ContactDestination"]


class ContactDestination(MailjetDestination):
    """One list, the lists that rows name, or one account, contact by contact."""

    @cached_property
    def _lists_column(self) -> ListsColumn:
        return ListsColumn(row for page in self._client.rows("contactslist") for row in page)

    def _actions(self) -> Actions:
        return msgspec.structs.replace(ACTIONS, known=ACTIONS.known - ACTIONS.account_wide, decline=ACTIONS.unsubscribe)

    def _columns(self) -> dict[str, Field]:
        lists = self._lists_column
        column = Field(lists, for_removals=True, readable=lists.readable, opt_outs=lists.opt_outs)
        return {**super()._columns(), "lists": column}

    @property
    def own_list(self) -> str | None:
        """The list of the setting, if it is one list."""
        return str(self._lists[0]) if len(self._lists) == 1 and self._settings.scope != "account" else None

    def actions_on_lists(self, contact: bytes) -> Mapping[str, str]:
        """By list ID, the action there."""
        return {str(list_id): action for list_id, action in (decoded(contact).Lists or {}).items()}

    def opted_out(self, contact: bytes, lists: Collection[str]) -> bytes:
        """The contact's own actions, laid over its opt-outs."""
        return overlaid(encoded({"Lists": dict.fromkeys(lists, ACTIONS.unsubscribe)}), contact)

    def only_opt_outs(self, contact: bytes) -> bytes:
        """The address, and the lists from which it opted out."""
        out = {name: action for name, action in self.actions_on_lists(contact).items() if action == ACTIONS.unsubscribe}
        return encoded({"Email": decoded(contact).Email, "Lists": out}) if out else b""

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """The same with its actions on lists: those that the row names, else those of the setting."""
        form, entries = form_of(contact, by_address=action in BY_ADDRESS), contact.columns.get("lists")
        if entries is None and self._lists:
            entries = [(list_id, None) for list_id in self._lists]
        actions: Mapping[str, str] = {}
        if entries is not None:
            form.Lists = actions = actions_of(entries, action, self._settings.consent)
        elif not contact.deleted:
            raise RowRejected("unknown_list", "the row names no `lists`, and the setting `list` is unset")
        if not ADDING.isdisjoint(actions.values() or (action,)):
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
