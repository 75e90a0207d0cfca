"""What was done to a delivered contact, told beside its outcome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from target_mailing.contacts.consent import Actions

__all__ = ["Effect", "Ranges", "as_positions", "as_ranges", "effect_of"]

#: Positions as the first and the last of each run of consecutive ones: short where nearly all or few are in it.
Ranges = list[list[int]]


class Effect(StrEnum):
    """What was done. Where one line makes several delivered rows, the first of these is the line's.

    Only where a provider tells whether somebody was there are added and updated told apart.
    """

    ADDED = "added"
    UPDATED = "updated"
    ADDED_OR_UPDATED = "added_or_updated"
    OPT_OUT_KEPT = "opt_out_kept"
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


def as_ranges(positions: Iterable[int]) -> Ranges:
    """Positions, in ascending order, as ranges."""
    found: Ranges = []
    for at in positions:
        if found and found[-1][1] == at - 1:
            found[-1][1] = at
        else:
            found.append([at, at])
    return found


def as_positions(ranges: Iterable[Iterable[int]]) -> Iterator[int]:
    """The positions in ranges."""
    for first, last in ranges:
        yield from range(first, last + 1)
