"""What a reconciliation found, as a table for people; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailing_api.counted import counted
from mailing_api.process.table import Section, table
from target_mailing.delivery.tally import Tally
from target_mailing.reconcile.sides import (
    ALIKE,
    DIFFERENT,
    EXTRA,
    MISSING,
    OFF,
    OPTED_OUT,
    SUPPRESSED,
    UNCOMPARED,
    Sides,
)
from target_mailing.rows.outcome import Outcome

__all__ = ["compared", "differing", "left_out", "report", "summary"]

#: What is found of contacts of the input, in the order of the table, in words; a reason follows these.
_WORDS = {
    MISSING: "missing",
    DIFFERENT: "different",
    OPTED_OUT: "opted out",
    SUPPRESSED: "suppressed",
    EXTRA: "extra",
    ALIKE: "alike",
    OFF: "not on the list, as their rows say",
    UNCOMPARED: "not compared",
}
#: Reasons of `extra` that are those of rows.
_BY_ROW = {"removed": "their rows remove them", "moved": "their keys have another address"}
#: Outcomes of rows that are not compared.
_ENDED = {Outcome.WITHHELD: "withheld", Outcome.REJECTED: "rejected", Outcome.SKIPPED: "skipped"}


def report(sides: Sides, tally: Tally, lists: Sequence[str]) -> Iterator[str]:
    """Lines of at most 80 columns, but for names of destinations, once the sides are compared.

    Args:
        sides: of one list.
        tally: the rows that could not be compared.
        lists: the names of the list in the settings.
    """
    rows = [*_of_rows(sides, tally)]
    rows.append(("rows", sum(count for _, count in rows)))
    rows += [(f"different in {name}", count) for name, count in sorted(sides.by_field.items())]
    rows += [
        (words, sides.counts[EXTRA, reason])
        for reason, words in (("unnamed", "extra: named by no line"), ("opted_out", "opted out, and named by no line"))
        if sides.counts[EXTRA, reason]
    ]
    rows.append(("contacts on the list", sides.held))
    names = ", ".join(lists)
    title = f"Compared with {names} ({sides.name})" if names else f"Compared with {sides.name}"
    yield from table([Section(title, [(words, f"{count:,}") for words, count in rows])])


def _of_rows(sides: Sides, tally: Tally) -> Iterator[tuple[str, int]]:
    for found, words in _WORDS.items():
        for (kind, reason), count in sorted(sides.counts.items()):
            if kind == found and not (found == EXTRA and reason not in _BY_ROW):
                yield f"{words}: {_BY_ROW.get(reason, reason)}" if reason else words, count
    if repeated := sides.offered - sides.contacts:
        yield "superseded by a later row", repeated
    for outcome, words in _ENDED.items():
        codes = tally.codes_of(outcome)
        yield from ((f"{words}: {code}", count) for code, count in codes.items())
        if rest := tally.counts[outcome] - sum(codes.values()):
            yield words, rest


def differing(sides: Sides) -> int:
    """Contacts that count for `reconcile_tolerance`: those that a delivery, or a mirror, would change."""
    counts = sides.counts
    missing, different = counts[MISSING, ""], counts[DIFFERENT, ""]
    return missing + different + sum(counts[EXTRA, reason] for reason in ("unnamed", *_BY_ROW))


def summary(all_sides: Sequence[Sides]) -> str:
    """The differences that count for `reconcile_tolerance`, in words."""
    by_kind = {
        kind: sum(
            count
            for sides in all_sides
            for (found, reason), count in sides.counts.items()
            if found == kind and reason != "opted_out"
        )
        for kind in (MISSING, EXTRA, DIFFERENT)
    }
    parts = ", ".join(f"{count} {kind}" for kind, count in by_kind.items())
    differences = counted(sum(map(differing, all_sides)), "difference")
    return f"{differences} among {counted(sum(map(compared, all_sides)), 'contact')}: {parts}"


def left_out(all_sides: Sequence[Sides], tally: Tally) -> str:
    """How many rows were not compared, as a sentence with a space before it; empty for none.

    Args:
        all_sides: of each list.
        tally: all rows of the input. Those that are skipped without a code are of other streams, or omitted by a map.
    """
    counts = {words: sum(tally.codes_of(outcome).values()) for outcome, words in _ENDED.items()}
    counts["not about the list"] = sum(
        count for sides in all_sides for (found, _), count in sides.counts.items() if found == UNCOMPARED
    )
    if not (rows := sum(counts.values())):
        return ""
    parts = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    return f" {counted(rows, 'row was', 'rows were')} not compared: {parts}."


def compared(sides: Sides) -> int:
    """Contacts on either side."""
    return sum(sides.counts.values())
