"""What a plan found, for people: tables in the log and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from target_mailing.rows.outcome import Outcome

__all__ = ["markdown", "sentences", "table"]

#: Outcomes in words, in the order of the table, after those of delivered rows, which are their effects.
_WORDS: Final[Mapping[Outcome, str]] = {
    Outcome.UNCHANGED: "unchanged",
    Outcome.SUPERSEDED: "superseded by a later row",
    Outcome.SKIPPED: "skipped",
    Outcome.WITHHELD: "withheld",
    Outcome.REJECTED: "rejected",
}
#: Contacts that a whole input no longer names, by what would become of them; they have no rows.
_ABSENT: Final = {
    "delivered": "absent contacts taken off, besides",
    "unsubscribed": "absent contacts unsubscribed, besides",
    "withheld": "absent contacts kept, who opted out",
}


def _counts(found: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The numbers of rows of one destination, or of all, each with what it counts, and what belongs to them."""
    for effect, count in found["effects"].items():
        yield effect.replace("_", " "), count
    yield from _without_rows(found)
    for outcome, words in _WORDS.items():
        codes = found.get(str(outcome), {})
        for code, count in codes.items():
            yield f"{words}: {code}", count
        if rest := found["outcomes"][str(outcome)] - sum(codes.values()):
            yield words, rest
    held = found.get("held")
    rows_held = found.get("rows_held", 0) if held is None else held["rows"]
    if rows_held or held is not None:
        yield "held back: more would leave than max_removals", rows_held
    yield "rows", found["rows"] + rows_held
    if held is not None:
        yield from _held(held)
    if jobs := found.get("jobs"):
        yield "jobs", jobs


def _without_rows(found: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Contacts that no row of their own takes off."""
    if former := found["former_addresses_removed"]:
        yield "former addresses removed, besides", former
    if replaced := found.get("replaced"):
        yield "earlier contents removed, besides", replaced
    absent = found["absent"]
    counts = absent | {"delivered": absent["delivered"] - absent["unsubscribed"]}
    yield from ((words, counts[name]) for name, words in _ABSENT.items() if counts[name])


def _held(held: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Why rows would be held back."""
    words = {
        "removed": "contacts that would be removed",
        "absent": "of these absent from the input",
        "moved": "contacts that would be moved",
        "lately": "left within the last 24 hours",
        "limit": "most that may leave (max_removals)",
        "allow_removals_once": "to allow it: allow_removals_once",
    }
    yield from ((text, held[name]) for name, text in words.items() if held[name] or name == "limit")


def _parts(found: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """The lists, each with its numbers; then rows that go nowhere, or all rows, where these are not the same."""
    at = found["destinations"]
    for name, numbers in at.items():
        lists = ", ".join(numbers["lists"])
        yield f"{lists} ({name})" if lists else name, [*_counts(numbers)]
    if len(at) != 1 or found["rows"] != next(iter(at.values()))["rows"]:
        yield "all streams", [*_counts(found)]


def sentences(found: Mapping[str, Any]) -> Iterator[str]:
    """What else is to be said of a plan."""
    if not found["whole"]:
        yield "The plan ended early: more rows may follow."
    elif not found["would_change"]:
        yield "Nothing would change at the provider."
    yield "Nothing was written."


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """Lines of at most 80 columns, but for names of destinations."""
    for name, numbers in _parts(found):
        yield f"Plan for {name}:"
        width = max(len(words) for words, _ in numbers)
        digits = max(len(f"{count:,}") for _, count in numbers)
        yield from (f"  {words:<{width}}  {count:>{digits},}" for words, count in numbers)


def markdown(found: Mapping[str, Any], said: Sequence[str]) -> Iterator[str]:
    """Lines of a page, with the rows that are shown."""
    yield from ("# Plan", "")
    for name, numbers in _parts(found):
        yield from _rows((name, "number"), [(words, f"{count:,}") for words, count in numbers])
    yield from (" ".join(said), "")
    for kind, samples in found["samples"].items():
        yield from (f"## {kind.replace('_', ' ')}", "")
        yield from _rows(("contact", "fields"), [(one.contact, _fields(one)) for one in samples])


def _fields(sample: Any) -> str:
    before, after = sample.before, sample.after
    if before is not None and after is not None:
        return "; ".join(f"{name}: {before.get(name)!r} → {after[name]!r}" for name in sample.fields)
    if after is not None:
        return "; ".join(f"{name}: {value!r}" for name, value in after.items())
    return ", ".join(sample.fields or ())


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table, if it has rows."""
    if rows:
        for row in (head, ["---"] * len(head), *rows):
            yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
        yield ""
