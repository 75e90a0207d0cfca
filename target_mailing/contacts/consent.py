"""Who may be contacted: decided by the row, the provider's opt-outs and the settings; pure (P5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

__all__ = ["Actions", "Consent", "Withheld", "decide", "is_obeyed", "may_remove"]

Consent = Literal["respect", "force"]


class Actions(msgspec.Struct, frozen=True, kw_only=True):
    """The actions of a destination.

    Attributes:
        known: all actions.
        remove: takes a contact off the list.
        ask: only looks up whether a contact opted out; no row can request it.
        unsubscribe: records an opt-out.
        decline: records which topics an existing contact opted out of; no row can request it. "" where there are no
            topics.
        respectful: for an action that would undo an opt-out, the action that does the same but keeps opt-outs.
        only_forced: actions that only undo opt-outs, so that they do nothing without `consent: force`.
        account_wide: actions on the contact itself, not on a list.
        records_opt_outs: the provider does; else a contact who opted out is only absent, and another row may add it.
        removing_erases_opt_out: the provider forgets the opt-out of a removed contact.
        old_first: where a key's contact changes, the old contact is handled before the new one, since it may have opted
            out. Otherwise the new contact is added first, so that neither is missing in between, and the old one is
            removed after that.
        removing_undoes_opt_out: contacts added here are no longer contacted, and removed ones are contacted again.
    """

    known: frozenset[str]
    remove: str
    ask: str
    unsubscribe: str
    decline: str = ""
    respectful: Mapping[str, str]
    only_forced: frozenset[str] = frozenset()
    account_wide: frozenset[str] = frozenset()
    records_opt_outs: bool = True
    removing_erases_opt_out: bool
    old_first: bool = True
    removing_undoes_opt_out: bool = False

    def places(self, action: str) -> bool | None:
        """Whether an action puts a contact there, or takes it off; None where it does neither."""
        if action in {self.remove, self.unsubscribe}:
            return False
        return None if action in {self.ask, self.decline, *self.account_wide} else True


class Withheld(msgspec.Struct, frozen=True):
    """The row is not sent because of an opt-out or a missing consent; `reason` is a stable code."""

    reason: str


def decide(actions: Actions, *, status: str | None, action: str, deleted: bool, consent: Consent) -> str | Withheld:
    """The action for a row, or why it is withheld.

    A row's own status comes first, whatever the settings say: an opt-out is recorded; an excluded or unconfirmed
    contact is not sent. Only with `consent: force` may an action undo an opt-out at the provider. A deleted contact
    is removed, unless that would erase the opt-out in its row, or an opt-out is nothing but a removal.

    Args:
        actions: the actions of the destination.
        status: the row's `subscription_status`, one of the canonical values, or None.
        action: the action of the row or of the settings.
        deleted: the contact was deleted at the source.
        consent: the setting.
    """
    is_opt_out_kept = actions.records_opt_outs and not actions.removing_erases_opt_out
    if deleted and (status != "unsubscribed" or is_opt_out_kept):
        return actions.remove
    if status == "unsubscribed":
        return actions.unsubscribe
    if status in {"excluded", "pending"}:
        return Withheld(status)
    if consent == "respect":
        if action in actions.only_forced:
            return Withheld("exclusion_kept")
        return actions.respectful.get(action, action)
    return action


def is_obeyed(actions: Actions, action: str) -> bool:
    """Whether an action is taken although the rest of its row cannot be read: it only reduces what a contact gets."""
    leaves = {actions.unsubscribe, *actions.account_wide}
    if not actions.removing_undoes_opt_out:
        leaves.add(actions.remove)
    return action in actions.known & leaves - actions.only_forced


def may_remove(actions: Actions, *, unsubscribed: bool) -> bool:
    """Whether a member may be removed, given whether the provider holds their opt-out.

    No setting overrides it: erasing an opt-out would let a later add re-subscribe the contact.
    """
    return not (unsubscribed and actions.removing_erases_opt_out)
