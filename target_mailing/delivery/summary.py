"""The totals of a run: a sentence for people, and fields for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailing_api.counted import counted
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.outcomes import Outcome, Outcomes

__all__ = ["totals", "totals_sentence"]

#: The order of the sentence: first the rows that need nobody's attention, last those that do.
_ORDER: Final = (
    Outcome.UNCHANGED,
    Outcome.DELIVERED,
    Outcome.SUPERSEDED,
    Outcome.SKIPPED,
    Outcome.WITHHELD,
    Outcome.REJECTED,
)

#: Effects whose words are not those of their names.
_EFFECTS: Final[Mapping[str, str]] = {Effect.OPT_OUT_KEPT: "opt-out kept"}

#: What seldom happens to batches, with its words for one and for several.
_SELDOM: Final = {
    "resumed": ("batch of an earlier run followed", "batches of an earlier run followed"),
    "adopted": ("job found again", "jobs found again"),
    "resubmitted": ("row sent again", "rows sent again"),
}

_FORMER: Final = ("former address was removed", "former addresses were removed")
_OBEYED: Final = ("the opt-out of {} rejected row was obeyed", "the opt-outs of {} rejected rows were obeyed")


def totals(outcomes: Outcomes, batches: Mapping[str, int]) -> dict[str, Any]:
    """The fields for machines: every name is always there.

    Args:
        outcomes: of the run's rows.
        batches: how often something happened to batches.
    """
    return {
        "rows": outcomes.rows,
        **{str(outcome): outcomes.counts[outcome] for outcome in Outcome},
        "effects": outcomes.codes_of(Outcome.DELIVERED),
        "reasons": dict(outcomes.codes),
        "former_removed": outcomes.former_removed,
        "opt_outs_obeyed": outcomes.opt_outs_obeyed,
        **{name: batches.get(name, 0) for name in ("batches", *_SELDOM)},
    }


def totals_sentence(outcomes: Outcomes, batches: Mapping[str, int]) -> str:
    """The sentence for people, which leaves out what did not happen."""
    parts = [
        f"{count} {outcome}{_details(_names(outcomes, outcome), count)}"
        for outcome in _ORDER
        if (count := outcomes.counts[outcome])
    ]
    sentence = counted(outcomes.rows, "row")
    if parts:
        sentence += f": {', '.join(parts)}"
    seldom: list[str] = []
    if former := outcomes.former_removed:
        seldom.append(counted(former, *_FORMER))
    if obeyed := outcomes.opt_outs_obeyed:
        seldom.append(f"{_OBEYED[obeyed > 1].format(obeyed)} all the same")
    seldom += [
        counted(count, one, several) for name, (one, several) in _SELDOM.items() if (count := batches.get(name, 0))
    ]
    return "; ".join([sentence, *seldom])


def _names(outcomes: Outcomes, outcome: Outcome) -> dict[str, int]:
    """The codes of an outcome as they are; effects are words."""
    counts = outcomes.codes_of(outcome)
    if outcome is Outcome.DELIVERED:
        return {_EFFECTS.get(effect, effect.replace("_", " ")): count for effect, count in counts.items()}
    return counts


def _details(counts: Mapping[str, int], whole: int) -> str:
    """The parts of a count; a part that is the whole goes without its number."""
    if not counts:
        return ""
    if set(counts.values()) == {whole}:
        return f" ({next(iter(counts))})"
    return f" ({', '.join(f'{count} {name}' for name, count in counts.items())})"
