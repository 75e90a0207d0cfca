"""What was done to a delivered contact, told beside its outcome."""

from __future__ import annotations

from enum import StrEnum

from target_mailing.consent import Actions

__all__ = ["Effect", "effect_of"]


class Effect(StrEnum):
    """What was done. Where one line makes several delivered rows, the first of these is the line's."""

    ADDED_OR_UPDATED = "added_or_updated"
    INCLUDED = "included"
    EXCLUDED = "excluded"
    UNSUBSCRIBED = "unsubscribed"
    REMOVED = "removed"
    LOOKED_UP = "looked_up"


def effect_of(actions: Actions, action: str) -> Effect:
    """What an action does to those whom it reaches.

    Args:
        actions: what the destination can do.
        action: one of them.
    """
    if action in actions.only_forced:
        return Effect.INCLUDED
    if action in actions.account_wide:
        return Effect.EXCLUDED
    by_action = {
        actions.ask: Effect.LOOKED_UP,
        actions.remove: Effect.REMOVED,
        actions.unsubscribe: Effect.UNSUBSCRIBED,
    }
    return by_action.get(action, Effect.ADDED_OR_UPDATED)
