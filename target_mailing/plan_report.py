"""What a plan found: a table in the log, and JSON and Markdown in files."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from mailing_api.counted import counted
from mailing_api.errors import ConfigurationError
from target_mailing.contacts.effects import Effect
from target_mailing.declared_settings import value_of
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.summary import would_change
from target_mailing.outcome import Outcome
from target_mailing.places import place_of
from target_mailing.plan.foresight import Foresight
from target_mailing.router import Router

__all__ = ["PlanReport"]

logger = logging.getLogger("target-mailing")

#: Outcomes in words, in the order of the table; those of delivered rows are their effects.
_WORDS: Final[Mapping[Outcome, str]] = {
    Outcome.DELIVERED: "",
    Outcome.UNCHANGED: "unchanged",
    Outcome.SUPERSEDED: "superseded by a later row",
    Outcome.SKIPPED: "skipped",
    Outcome.WITHHELD: "withheld",
    Outcome.REJECTED: "rejected",
}
_WIDTH: Final = 46
#: Kinds that are shown before the others.
_FIRST: Final = (Effect.REMOVED, Effect.UNSUBSCRIBED, Effect.EXCLUDED, "withheld")


class PlanReport:
    """Reports a plan when it has ended."""

    def __init__(self, config: Mapping[str, Any], foresight: Foresight, outcomes: Outcomes, router: Router) -> None:
        """Take what it found, which may still grow.

        Raises:
            ConfigurationError: `plan_path` is not a valid path.
        """
        self._foresight = foresight
        self._outcomes = outcomes
        self._router = router
        path = value_of("plan_path", config)
        self._path = None if path is None else place_of("plan_path", path)

    def __call__(self, failure: type[BaseException] | None) -> None:
        """Report it.

        Args:
            failure: why the plan ended early; None if it is whole.

        Raises:
            ConfigurationError: its files cannot be written.
        """
        if failure is not None and not self._outcomes.rows:
            return
        found = self._found(is_whole=failure is None)
        for line in _table(found):
            logger.info("%s", line)
        if self._path is not None:
            _write(self._path.with_suffix(".json"), msgspec.json.format(msgspec.json.encode(found)) + b"\n")
            _write(self._path.with_suffix(".md"), "\n".join(_markdown(found)).encode())
            logger.info("Plan: %s, and %s for people", self._path.with_suffix(".json"), self._path.with_suffix(".md"))

    def _found(self, *, is_whole: bool) -> dict[str, Any]:
        outcomes, foresight = self._outcomes, self._foresight
        rate, calls = self._router.rate, foresight.calls
        return {
            "whole": is_whole,
            "would_change": would_change(outcomes),
            "rows": outcomes.rows,
            "outcomes": {str(outcome): outcomes.counts[outcome] for outcome in Outcome},
            "effects": outcomes.codes_of(Outcome.DELIVERED),
            **{str(outcome): outcomes.codes_of(outcome) for outcome in (Outcome.WITHHELD, Outcome.REJECTED)},
            "former_addresses_removed": outcomes.former_removed,
            "destinations": {
                name: {"jobs": foresight.jobs[name], "contacts": _in_order(contacts)}
                for name, contacts in foresight.contacts.items()
            },
            "calls": calls,
            "calls_per_second": rate,
            "seconds": None if rate is None else round(calls / rate, 1),
            "samples": _in_order(foresight.samples),
        }


def _in_order(by_kind: Mapping[str, Any]) -> dict[str, Any]:
    """What there is of each kind: first who would be taken off."""
    rank = {kind: at for at, kind in enumerate(_FIRST)}
    return {
        kind: by_kind[kind] for kind in sorted(by_kind, key=lambda kind: rank.get(kind, len(rank))) if by_kind[kind]
    }


def _counts(found: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The numbers of rows, each with what it counts."""
    for outcome, words in _WORDS.items():
        detailed = found["effects"] if outcome is Outcome.DELIVERED else found.get(str(outcome))
        if not isinstance(detailed, Mapping) or not detailed:
            if words and (count := found["outcomes"][str(outcome)]):
                yield words, count
            continue
        named = sum(detailed.values())
        for code, count in detailed.items():
            yield (f"{words}: {code}" if words else str(code).replace("_", " ")), count
        if words and (rest := found["outcomes"][str(outcome)] - named):
            yield f"{words}: opted out at the provider", rest
    if former := found["former_addresses_removed"]:
        yield "former addresses removed, besides", former


def _changes(found: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """By destination, the contacts that a delivery would change there, and its jobs."""
    for destination, needs in found["destinations"].items():
        contacts = [(f"contacts {effect.replace('_', ' ')}", count) for effect, count in needs["contacts"].items()]
        yield destination, [*contacts, *([("jobs", needs["jobs"])] if needs["jobs"] else [])]


def _calls(found: Mapping[str, Any]) -> str:
    """How many calls a delivery takes, and how long."""
    calls = f"{counted(found['calls'], 'call')}, with one look at each job"
    if found["seconds"] is None:
        return calls
    return f"{calls}; {found['seconds']:,.0f} s at {found['calls_per_second']:g} calls a second"


def _table(found: Mapping[str, Any]) -> Iterator[str]:
    """Lines of at most 80 columns, but for names of destinations."""
    yield "Plan: a delivery would have these outcomes" + ("" if found["whole"] else ", as far as it came")
    yield from _lines([*_counts(found), ("rows", found["rows"])])
    for destination, rows in _changes(found):
        if rows:
            yield f"Plan: at {destination}"
            yield from _lines(rows)
    yield f"Plan: {_calls(found)}"


def _lines(rows: Sequence[tuple[str, int]]) -> Iterator[str]:
    for words, count in rows:
        yield f"  {words:<{_WIDTH}} {count:>12,}"


def _markdown(found: Mapping[str, Any]) -> Iterator[str]:
    yield from ("# Plan", "")
    if not found["whole"]:
        yield from ("**The plan ended early: more rows may follow.**", "")
    yield from _rows(("rows", "number"), [(words, f"{count:,}") for words, count in _counts(found)])
    for destination, rows in _changes(found):
        yield from _rows((f"at {destination}", "number"), [(words, f"{count:,}") for words, count in rows])
    yield from (f"{_calls(found)}.", "")
    for kind, samples in found["samples"].items():
        yield from (f"## {kind.replace('_', ' ')}", "")
        yield from _rows(("contact", "fields"), [(one.contact, _fields(one)) for one in samples])


def _fields(sample: Any) -> str:
    if sample.before is not None and sample.after is not None:
        return "; ".join(f"{name}: {sample.before.get(name)!r} → {sample.after[name]!r}" for name in sample.fields)
    return ", ".join(sample.fields or ())


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table, if it has rows."""
    if rows:
        for row in (head, ["---"] * len(head), *rows):
            yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
        yield ""


def _write(path: Path, content: bytes) -> None:
    """Replace a file, which only its owner may read.

    Raises:
        ConfigurationError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            draft.unlink()
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError as exc:
        raise ConfigurationError(
            f"Setting `plan_path`: {path} cannot be written ({exc.strerror}). Choose another place."
        ) from None
