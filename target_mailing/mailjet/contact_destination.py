"""Mailjet's route `contact` as a destination: calls for one contact after the other, and lists that each row names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

from mailing_api.addresses import fold_address
from target_mailing.contacts.consent import Actions, Consent
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import Field, RowRejected
from target_mailing.mailjet.destination import MailjetDestination
from target_mailing.mailjet.json_route import ACTIONS
from target_mailing.mailjet.lists_column import ListsColumn, actions_of, laid_over
from target_mailing.row import Row

__all__ = ["ContactDestination"]


class ContactDestination(MailjetDestination):
    """One list, the lists that rows name, or one account, served contact by contact."""

    @property
    def _consent(self) -> Consent:
        return self._settings.consent

    @cached_property
    def _lists_column(self) -> ListsColumn:
        return ListsColumn(row for page in self._client.rows("contactslist") for row in page)

    @cached_property
    def _opted_out(self) -> set[tuple[str, str]]:
        """By folded address and list, opt-outs that rows told of."""
        return set()

    def _actions(self) -> Actions:
        return msgspec.structs.replace(ACTIONS, known=ACTIONS.known - ACTIONS.account_wide, decline=ACTIONS.unsubscribe)

    def _columns(self) -> dict[str, Field]:
        lists = self._lists_column
        column = Field(lists, for_removals=True, readable=lists.readable, opt_outs=lists.opt_outs)
        return {**super()._columns(), "lists": column}

    def actions_on_lists(self, contact: MappedContact, action: str) -> Mapping[str, str]:
        """By list, what is done there: on those that the row names, else on those of the settings."""
        named = contact.columns.get("lists")
        if named is None and not self._lists and not contact.deleted:
            raise RowRejected("unknown_list", "the row names no `lists`, and there is no setting `list`")
        asked = actions_of([(one, None) for one in self._lists] if named is None else named, action, self._consent)
        address = fold_address(contact.email or "")
        before = {one: ACTIONS.unsubscribe for one in asked if (address, one) in self._opted_out}
        found = laid_over(before, asked)
        self._opted_out.update((address, one) for one in found if found[one] == ACTIONS.unsubscribe)
        return found

    def _add_lists(self, found: dict[str, Any], contact: MappedContact, action: str) -> Collection[str]:
        on_lists = self.actions_on_lists(contact, action)
        if contact.columns.get("lists") is not None or self._lists:
            found["Lists"] = on_lists
        return on_lists.values() if on_lists else (action,)

    def _laid_over(self, below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
        found = super()._laid_over(below, above)
        if "Lists" in below and "Lists" in above:
            found["Lists"] = laid_over(below["Lists"], above["Lists"])
        return found

    def parts(self, action: str, rows: list[Row]) -> Sequence[tuple[str, list[Row]]]:  # noqa: ARG002 - all go alike
        """One batch."""
        return [("contact", rows)]
