"""What was done to a delivered contact, reported beside its outcome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from target_mailing.contacts.consent import Actions

__all__ = ["Effect", "Ranges", "as_positions", "as_ranges", "effect_of"]

#: The first and last of each run of consecutive positions: short where nearly all positions, or few, are in it.
Ranges = list[list[int]]


class Effect(StrEnum):
    """What was done. Where one line yields several delivered rows, the effect of the first is the line's.

    Added and updated are distinguished only where the provider says whether the contact existed.
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
    """The effect of an action on delivered contacts.

    Args:
        actions: the actions of the destination.
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
    ranges: Ranges = []
    for at in positions:
        if ranges and ranges[-1][1] == at - 1:
            ranges[-1][1] = at
        else:
            ranges.append([at, at])
    return ranges


def as_positions(ranges: Iterable[Iterable[int]]) -> Iterator[int]:
    """The positions in ranges."""
    for first, last in ranges:
        yield from range(first, last + 1)
