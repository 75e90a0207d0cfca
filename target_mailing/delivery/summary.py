"""The totals of a run: a sentence for people, and fields for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mailing_api.counted import counted
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.tally import Tally
from target_mailing.rows.outcome import Outcome

__all__ = ["absent_in_words", "effect_in_words", "totals", "totals_sentence"]

#: The order of the sentence: the outcomes that need attention come last.
_ORDER: Final = (
    Outcome.UNCHANGED,
    Outcome.DELIVERED,
    Outcome.SUPERSEDED,
    Outcome.SKIPPED,
    Outcome.WITHHELD,
    Outcome.REJECTED,
)

#: Effects that are not called by their names.
_EFFECTS: Final[Mapping[str, str]] = {Effect.OPT_OUT_KEPT: "opt-out kept"}

#: Rows that were read and have no outcome.
_OPEN: Final = {"rows_held": "held back", "rows_without_outcome": "without an outcome"}

#: Rare events of batches, and removals that were not made, in the singular and the plural.
_RARE: Final = {
    "resumed": ("batch of an earlier run resumed", "batches of an earlier run resumed"),
    "adopted": ("job found after its reply was lost", "jobs found after their replies were lost"),
    "resubmitted": ("row sent again", "rows sent again"),
    "removals_held": ("removal held back by `max_removals`", "removals held back by `max_removals`"),
}

_FORMER: Final = ("former address removed", "former addresses removed")
_OBEYED: Final = ("opt-out of a rejected row obeyed", "opt-outs of rejected rows obeyed")


#: How contacts end whom a whole input did not name.
_ABSENT: Final = (Outcome.DELIVERED, Outcome.WITHHELD, Outcome.REJECTED)


def totals(outcomes: Outcomes, batches: Mapping[str, int]) -> dict[str, Any]:
    """The fields for programs: every name is always present.

    Args:
        outcomes: of the run's rows.
        batches: how often each event of batches occurred, how many removals were not made, and rows without outcome.
    """
    return {
        "rows": outcomes.rows,
        **{str(outcome): outcomes.counts[outcome] for outcome in Outcome},
        "effects": outcomes.codes_of(Outcome.DELIVERED),
        "reasons": dict(outcomes.codes),
        "former_removed": outcomes.former_removed,
        "opt_outs_obeyed": outcomes.opt_outs_obeyed,
        **{f"absent_{outcome}": outcomes.absent[outcome] for outcome in _ABSENT},
        "absent_unsubscribed": outcomes.absent_unsubscribed,
        **{name: batches.get(name, 0) for name in ("batches", *_RARE, *_OPEN)},
    }


def totals_sentence(outcomes: Outcomes, batches: Mapping[str, int]) -> str:
    """The sentence for people, without the counts that are zero."""
    parts = [
        f"{count} {outcome}{_details(_names(outcomes, outcome), count)}"
        for outcome in _ORDER
        if (count := outcomes.counts[outcome])
    ]
    opened = {words: batches.get(name, 0) for name, words in _OPEN.items()}
    parts += [f"{count} {words}" for words, count in opened.items() if count]
    sentence = counted(outcomes.rows + sum(opened.values()), "row")
    if parts:
        sentence += f": {', '.join(parts)}"
    rare = [(outcomes.former_removed, _FORMER), (outcomes.opt_outs_obeyed, _OBEYED)]
    rare += [
        (count, (f"absent contact {what}", f"absent contacts {what}")) for what, count in absent_in_words(outcomes)
    ]
    rare += [(batches.get(name, 0), words) for name, words in _RARE.items()]
    return "; ".join([sentence, *(counted(count, *words) for count, words in rare if count)])


def absent_in_words(tally: Tally) -> Iterator[tuple[str, int]]:
    """How contacts ended whom a whole input did not name, in words, and how many did."""
    yield "taken off", tally.absent[Outcome.DELIVERED] - tally.absent_unsubscribed
    yield "unsubscribed", tally.absent_unsubscribed
    yield "kept, who opted out", tally.absent[Outcome.WITHHELD]
    yield "refused by the provider", tally.absent[Outcome.REJECTED]


def effect_in_words(effect: str) -> str:
    """An effect as people read it."""
    return _EFFECTS.get(effect, effect.replace("_", " "))


def _names(outcomes: Outcomes, outcome: Outcome) -> dict[str, int]:
    """How often each code of an outcome was given; effects in words."""
    counts = outcomes.codes_of(outcome)
    if outcome is Outcome.DELIVERED:
        return {effect_in_words(effect): count for effect, count in counts.items()}
    return counts


def _details(counts: Mapping[str, int], whole: int) -> str:
    """The parts of a count; a single part that is the whole is given without its number."""
    if not counts:
        return ""
    if set(counts.values()) == {whole}:
        return f" ({next(iter(counts))})"
    return f" ({', '.join(f'{count} {name}' for name, count in counts.items())})"
