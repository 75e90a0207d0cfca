"""How far asynchronous work has come: by the emulated time, by the number of polls, or as a test plans it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

STALLED = 0.999_999
"""Share at which stalled work stands still: everything done but the end."""

MESSAGES = {
    "mailing_list_imports_not_found_error": "A mailing list import was not found",
    "download_file_error": "The file of a mailing list import could not be fetched",
    "operational_error": "Something that the job refers to was not found",
    "internal_service_error": "An internal error occurred",
    "no_valid_contacts_error": "The file has no valid contact",
    "multiple_countries_error": "The file has contacts of more than one country",
    "invalid_contact_count_error": "The file has too few or too many contacts",
}


def trouble(kind: str, message: str = "") -> dict[str, str]:
    """Return an entry of `errors` or `notes`."""
    return {"type": kind, "message": message or MESSAGES.get(kind, kind)}


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one list job or import will go.

    `seconds` None follows the switches. `hold` keeps it at its beginning, `stall` just before its end, both until it
    is finished. `errors` are the types of errors that it ends with. `applied` says how much of a list job's IDs take
    effect, ``None``: none with errors, else all. `invalid` are lines of an import's file that it omits, though
    nothing is wrong with them; `uncounted` is how many of its rows it forgets to count. `status` is shown in place of
    the statuses of work under way.
    """

    seconds: Annotated[float, Meta(ge=0)] | None = None
    hold: bool = False
    stall: bool = False
    errors: list[str] = []
    applied: Literal["all", "half", "none"] | None = None
    invalid: list[int] = []
    uncounted: Annotated[int, Meta(ge=0)] = 0
    status: str | None = None

    def of(self, ids: list[str]) -> list[str]:
        """Return the IDs that take effect."""
        applied = self.applied or ("none" if self.errors else "all")
        return ids[: {"all": len(ids), "half": len(ids) // 2, "none": 0}[applied]]

    def shown(self, status: str) -> str:
        """Return the status to show for one of work under way."""
        return self.status or status


@dataclass(slots=True, eq=False)
class Course:
    """One work under way. `seconds` is how long it takes, `needed` how many polls instead, 0: time counts."""

    plan: Plan
    begun: float
    polls: int = 0
    due: bool = False

    def share(self, now: float, seconds: float, needed: int) -> float:
        """Return how much of the way is done, from 0 to 1."""
        if self.due:
            return 1.0
        if self.plan.hold:
            return 0.0
        if self.plan.seconds is None and needed:
            share = self.polls / needed
        else:
            seconds = seconds if self.plan.seconds is None else self.plan.seconds
            share = (now - self.begun) / seconds if seconds else 1.0
        return min(share, STALLED if self.plan.stall else 1.0)

    def moment(self, share: float, now: float, seconds: float, needed: int) -> float:
        """Return when a share of the way was done, which may lie before this look at it."""
        if self.due or (self.plan.seconds is None and needed):
            return now
        seconds = seconds if self.plan.seconds is None else self.plan.seconds
        return min(now, self.begun + share * seconds)

    def finish(self, errors: list[str] | None) -> None:
        """Make it due at once, ending with `errors` if told."""
        self.due = True
        if errors is not None:
            applied = self.plan.applied or ("none" if errors else "all")
            self.plan = msgspec.structs.replace(self.plan, errors=errors, applied=applied)
