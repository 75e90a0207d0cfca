"""Who may be written to: a contact, what the provider knows and the settings decide; pure (P5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

__all__ = ["Actions", "Consent", "Withheld", "decide", "is_obeyed", "may_remove"]

Consent = Literal["respect", "force"]


class Actions(msgspec.Struct, frozen=True, kw_only=True):
    """What a destination can do with a contact.

    Attributes:
        known: all actions.
        remove: takes a contact off the list.
        ask: only finds out whether a contact opted out; no row can wish for it.
        unsubscribe: records an opt-out.
        decline: records choices of somebody who is there not to get some of what is sent; no row can wish for it. ""
            where there are no such choices.
        respectful: for an action that would undo an opt-out, the one that does the same but leaves opt-outs alone.
        only_forced: actions that do nothing but undo, so that without `consent: force` nothing is left of them.
        account_wide: actions that concern the contact itself, and no list.
        records_opt_outs: the provider does; else who opted out is only absent, and may be put there by another row.
        removing_erases_opt_out: a removed contact's opt-out is forgotten by the provider.
        old_first: where a key's contact changes, the old one is handled before the new one, since it may tell of an
            opt-out. Otherwise the new one is added first, so that nobody is missing in between, and the old one, which
            tells nothing, is removed after that.
        removing_undoes_opt_out: whoever is added here is not written to any more, and whoever is removed is again.
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


class Withheld(msgspec.Struct, frozen=True):
    """The row is not sent, for the sake of consent; `reason` is a stable code."""

    reason: str


def decide(actions: Actions, *, status: str | None, action: str, deleted: bool, consent: Consent) -> str | Withheld:
    """The action to take for a row, or that it is withheld.

    A row's own status comes first, whatever the settings say: an opt-out is recorded, somebody excluded or not
    yet confirmed is not sent. Only `consent: force` lets an action undo an opt-out at the provider. Somebody who is
    gone is removed, unless an opt-out that the row tells of would be forgotten with it.

    Args:
        actions: what the destination can do.
        status: the row's `subscription_status`, one of the canonical values, or None.
        action: what the row or the settings ask for.
        deleted: the row says that the contact is gone from the source.
        consent: the setting.
    """
    if deleted and not (status == "unsubscribed" and actions.removing_erases_opt_out):
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
    """Whether an action is taken although the rest of its row cannot be read: somebody is to get less than before."""
    leaves = {actions.unsubscribe, *actions.account_wide}
    if not actions.removing_undoes_opt_out:
        leaves.add(actions.remove)
    return action in actions.known & leaves - actions.only_forced


def may_remove(actions: Actions, *, unsubscribed: bool) -> bool:
    """Whether a member may be removed, given whether the provider has an opt-out of theirs.

    No setting allows it: whoever erases an opt-out has anybody who adds the contact later undo it unknowingly.
    """
    return not (unsubscribed and actions.removing_erases_opt_out)
