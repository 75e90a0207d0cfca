"""What a plan found: its numbers, shown in tables, and in files of JSON and Markdown."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.process.table import show
from mailing_api.storage.result_files import begin_draft, beginning
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.errors import TooManyRemovalsError
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.queues import Queues
from target_mailing.delivery.router import Router
from target_mailing.delivery.tally import Tally
from target_mailing.foresight.foresight import Foresight
from target_mailing.places import place_of
from target_mailing.plan.calls import PlannedCalls, planned_calls
from target_mailing.plan.tables import markdown, sentences, table
from target_mailing.rows.outcome import Outcome
from target_mailing.settings.declared_settings import value_of

__all__ = ["PlanReport"]

logger = logging.getLogger("target-mailing")

#: Outcomes whose codes are shown.
_BY_CODE: Final = (Outcome.WITHHELD, Outcome.REJECTED)
#: What is shown of removals that would be held back.
_OF_HELD: Final = ("rows", "removed", "absent", "moved", "lately", "limit", "allow_removals_once")
#: How the files of a plan begin.
_PLAN_JSON: Final = b'{\n  "whole":'
_PLAN_MD: Final = b"# Plan\n\n"
#: Kinds that are shown before the others.
_FIRST: Final = ("held", Effect.REMOVED, Effect.UNSUBSCRIBED, Effect.EXCLUDED, "withheld")


class PlanReport:
    """Reports a plan when it has ended."""

    def __init__(
        self,
        config: Mapping[str, Any],
        foresight: Foresight,
        outcomes: Outcomes,
        router: Router,
        queues: Queues,
        *,
        rows_read: Callable[[], int],
        seconds_of: Callable[[str], float | None],
    ) -> None:
        """Take what it found, which may still grow: `rows_read`, how many rows the input has; the rest see elsewhere.

        `seconds_of` is as for `planned_calls`.

        Raises:
            ConfigurationError: `plan_path` is no valid path, or cannot be written.
        """
        self._foresight = foresight
        self._outcomes = outcomes
        self._router = router
        self._queues = queues
        self._guard = queues.guard
        self._rows_read = rows_read
        self._seconds_of = seconds_of
        path = value_of("plan_path", config)
        self._paths = None if path is None else _paths(place_of("plan_path", path))
        for one in self._paths or ():  # whether they can be written shows before anything is read
            _check_replaceable(one)
            _drafted(one, b"").unlink()

    def __call__(self, failure: type[BaseException] | None) -> None:
        """Report it.

        Args:
            failure: why the plan ended early; None if it is whole.

        Raises:
            ConfigurationError: its files cannot be written; only logged if the plan ended early.
        """
        is_held = failure is not None and issubclass(failure, TooManyRemovalsError)
        if failure is not None and not (is_held or self._outcomes.rows):
            return
        self._foresight.look_at_samples(asks=failure is None or is_held)
        for destination, held in self._guard.held.items():
            for row, record in held.sample:
                self._foresight.note_held(destination, row, record)
        calls = planned_calls(
            self._foresight, self._queues, jobs_in_flight=self._router.jobs_in_flight, seconds_of=self._seconds_of
        )
        found = self._found(calls, is_whole=failure is None or is_held)
        said = [*calls.sentences(self._router.rate), *sentences(found)]
        show([*table(found), *said], logger)
        if self._paths is None:
            return
        machines, people = self._paths
        try:
            _write(machines, msgspec.json.format(msgspec.json.encode(found)) + b"\n")
            _write(people, "\n".join(markdown(found, said)).encode())
        except ConfigurationError as error:
            if failure is None:
                raise
            logger.error("%s", error)  # noqa: TRY400 - its message is complete
        else:
            logger.info("Plan: %s, and %s for people", machines, people)

    def _found(self, calls: PlannedCalls, *, is_whole: bool) -> dict[str, Any]:
        outcomes, rate = self._outcomes, self._router.rate
        return {
            "whole": is_whole,
            "would_change": self._foresight.would_change,
            **_numbers(outcomes),
            "rows_held": min(self._rows_read() - outcomes.rows, sum(one.rows for one in self._guard.held.values())),
            "destinations": {name: self._at(name, tally) for name, tally in outcomes.places.items() if name},
            "calls": calls.calls,
            "polls": calls.looks,
            "job_seconds": calls.job_seconds,
            "calls_per_second": rate,
            "seconds": None if rate is None else round(calls.calls / rate, 1),
            "samples": _in_order(self._foresight.samples),
        }

    def _at(self, destination: str, tally: Tally) -> dict[str, Any]:
        """What a delivery would do at one destination."""
        contacts = _in_order(self._foresight.contacts.get(destination, {}))
        numbers: dict[str, Any] = {"contacts": contacts, "jobs": self._foresight.jobs[destination]}
        numbers["replaced"] = self._guard.replaced_contacts.get(destination, 0)
        if (held := self._guard.held.get(destination)) is not None:
            numbers["held"] = {name: getattr(held, name) for name in _OF_HELD}
        return {"lists": self._router.lists_of(destination), **_numbers(tally), **numbers}


def _numbers(tally: Tally) -> dict[str, Any]:
    """Rows by outcome, and by code."""
    return {
        "rows": tally.rows,
        "outcomes": {str(outcome): tally.counts[outcome] for outcome in Outcome},
        "effects": _in_order(tally.codes_of(Outcome.DELIVERED)),
        **{str(outcome): tally.codes_of(outcome) for outcome in _BY_CODE},
        "former_addresses_removed": tally.former_removed,
        "absent": {
            "delivered": tally.absent[Outcome.DELIVERED],
            "unsubscribed": tally.absent_unsubscribed,
            "withheld": tally.absent[Outcome.WITHHELD],
        },
    }


def _in_order(by_kind: Mapping[str, Any]) -> dict[str, Any]:
    """What there is of each kind: first who would be taken off."""
    rank = {kind: at for at, kind in enumerate(_FIRST)}
    return {
        kind: by_kind[kind] for kind in sorted(by_kind, key=lambda kind: rank.get(kind, len(rank))) if by_kind[kind]
    }


def _paths(place: Path) -> tuple[Path, Path]:
    """The files for machines and for people."""
    stem = place.with_suffix("") if place.suffix in {".json", ".md"} else place
    return stem.with_name(f"{stem.name}.json"), stem.with_name(f"{stem.name}.md")


def _check_replaceable(path: Path) -> None:
    """Check that a file is not there yet, or holds a plan.

    Raises:
        ConfigurationError: it may be anything.
    """
    try:
        begins = _PLAN_JSON if path.suffix == ".json" else _PLAN_MD
        is_plan = beginning(path, len(begins)) in {None, begins}
    except OSError:
        is_plan = False
    if not is_plan:
        raise ConfigurationError(f"Setting `plan_path`: {path} is there and holds no plan. Choose another place.")


def _write(path: Path, content: bytes) -> None:
    """Replace a file, which only its owner may read; errors are those of `_drafted`."""
    draft = _drafted(path, content)
    try:
        draft.replace(path)
    except OSError as exc:
        with suppress(OSError):
            draft.unlink()
        raise _unwritable(path, exc) from None


def _drafted(path: Path, content: bytes) -> Path:
    """Write a file that is to replace another one.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        draft, file = begin_draft(path)
    except OSError as exc:
        raise _unwritable(path, exc) from None
    try:
        with file:
            file.write(content)
    except OSError as exc:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise _unwritable(path, exc) from None
    return draft


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"Setting `plan_path`: {path} cannot be written ({error.strerror}). Choose another place."
    )
