"""An account of the fault table: what a case does in the sandbox, and sees there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mailing_sandbox.server import Sandbox
from tests.faults.model import Member, Model
from tests.faults.people import Record

__all__ = ["LIST", "Account", "Job"]

LIST = "Readers"


@dataclass(frozen=True)
class Job:
    """A job, as the provider knows it."""

    route: str
    is_over: bool
    is_good: bool
    refused: frozenset[str]


class Account(ABC):
    """An account of one provider.

    Attributes:
        switches: what the provider may do otherwise; nobody outside knows which.
        plans: how a job may end, as the sandbox calls it; what is not in here has no meaning there.
        model: what must come of the rows.
        columns: of the stream, that only this provider's rows have.
    """

    switches: ClassVar[Mapping[str, Mapping[str, Any]]]
    plans: ClassVar[Mapping[str, Mapping[str, Any]]]
    model: ClassVar[type[Model]] = Model
    columns: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    @abstractmethod
    def furnish(self) -> None:
        """Make the list and whatever it needs, in an empty account."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The target's settings for it."""

    def record(self, row: Record) -> Record:
        """A row of the stream, with this provider's own columns."""
        return row

    def keep(self) -> None:  # noqa: B027 - most have nothing to keep
        """Keep what a journal now knows by names of the provider's own; `put` brings it back."""

    @abstractmethod
    def put(self, members: Mapping[str, Member]) -> None:
        """Somebody else puts these people on the list."""

    @abstractmethod
    def opt_out(self, emails: Sequence[str]) -> None:
        """These people opt out."""

    @abstractmethod
    def held(self) -> dict[str, tuple[str, str, dict[str, str]]]:
        """What is held: status, name and properties by folded address."""

    @abstractmethod
    def contacts(self) -> Iterable[str]:
        """The addresses known, on the list or not."""

    @abstractmethod
    def received(self) -> list[dict[str, Any]]:
        """The rows of all jobs: `job`, `action`, `email`, `contact`."""

    def files(self) -> Sequence[str]:
        """The files with contact data that are in a bucket."""
        return []

    @abstractmethod
    def jobs(self) -> dict[Any, Job]:
        """All jobs, by name."""

    @abstractmethod
    def plan_jobs(self, plans: Iterable[Mapping[str, Any]]) -> None:
        """How the next jobs go."""

    @abstractmethod
    def forget_plans(self) -> None:
        """The next jobs go well."""

    @abstractmethod
    def finish_jobs(self) -> None:
        """Jobs that stood still come to their end."""
