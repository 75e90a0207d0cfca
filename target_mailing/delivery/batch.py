"""Batches on their way: their rows, how far they are, what they may still cost, when they are looked at."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import msgspec

from target_mailing.delivery.queue import DestinationQueue
from target_mailing.destination import Refusal, Step, Work
from target_mailing.journal.journal import StoredBatch
from target_mailing.row import Row

__all__ = ["MAX_SPLIT_CALLS", "Batch", "Losses", "SplitBudget"]

#: Calls that finding out the failing rows of one batch may take.
MAX_SPLIT_CALLS = 32


class SplitBudget:
    """A batch and what it was split into share one budget of calls."""

    def __init__(self) -> None:
        self.calls_left = MAX_SPLIT_CALLS


class Losses(msgspec.Struct, frozen=True):
    """How submissions of a batch, or of those that it was split from, were lost.

    Attributes:
        last_at: when the last one was (monotonic seconds); None for never.
        is_repeated: another submission to the destination was answered between two of them.
    """

    last_at: float | None = None
    is_repeated: bool = False

    def and_now(self, answered_at: float) -> Losses:
        """With one that was lost just now; `answered_at` is when another one was answered last (monotonic seconds)."""
        return Losses(time.monotonic(), self.is_repeated or self.is_answered(answered_at))

    def is_answered(self, answered_at: float) -> bool:
        """Whether another one was answered after the last of them."""
        return self.last_at is not None and answered_at > self.last_at


class Batch(msgspec.Struct, eq=False):
    """A batch on its way through its steps.

    Attributes:
        number: in the journal.
        route: the way that it goes.
        created_at: when it was made (Unix seconds).
        at: the position of the step that it is at.
        evidence: of the steps done, by step.
        begun_at: when its step was begun (Unix seconds); 0 for not yet.
        since: when the call was begun whose effect is waited for (Unix seconds).
        put_off_at: the position of the latest step that was put off; -1 for none.
        polls: how often its step found nothing to tell.
        failed_looks: looks at its job that failed in a row.
        lost: times that the reply to its step was lost.
        lost_to: the HTTP status in place of the reply that was lost last, if there was one.
        losses: when its submissions were lost, and what was answered meanwhile.
        waits: it is not sent for now, so that others are answered, or fail, before it is judged.
        maybe_done: its step, which is taken again, may have been done before.
        recovered: it is of an earlier run.
        refused: by position, rows that a step refused while the others went on.
    """

    number: int
    queue: DestinationQueue
    action: str
    route: str
    rows: list[Row]
    steps: Sequence[Step]
    created_at: float
    budget: SplitBudget
    at: int = 0
    evidence: dict[str, dict[str, Any]] = {}
    begun_at: float = 0.0
    since: float = 0.0
    put_off_at: int = -1
    polls: int = 0
    failed_looks: int = 0
    lost: int = 0
    lost_to: int | None = None
    losses: Losses = Losses()
    waits: bool = False
    maybe_done: bool = False
    recovered: bool = False
    refused: dict[int, Refusal] = {}

    @classmethod
    def of_earlier_run(cls, queue: DestinationQueue, stored: StoredBatch, steps: Sequence[Step]) -> Self:
        """A batch that an earlier run left unfinished, at the step where it goes on."""
        done = {name: evidence for name, evidence in stored.steps.items() if evidence is not None}
        batch = cls(
            stored.number, queue, stored.action, stored.route, stored.rows, steps, stored.created_at, SplitBudget(),
            evidence=done, recovered=True,
        )  # fmt: skip
        for row in batch.rows:
            row.lines = ()
        # A step of unknown effect comes first: those before it may have been begun again to repeat it.
        unknown = [
            step for step in steps if step.name in stored.steps and not step.repeatable and step.name not in done
        ]
        # Whatever stands before one that was done and is not to be repeated is over, noted or not.
        over = max((at for at, step in enumerate(steps) if step.name in done and not step.repeatable), default=-1)
        ahead = [step for at, step in enumerate(steps) if at > over and step.name not in done]
        batch.at = steps.index((unknown or ahead or steps[-1:])[0])
        batch.begun_at = stored.begun.get(batch.step.name, stored.created_at)
        # A step that may be repeated was begun anew each time that it was put off.
        begun = [step for step in batch.taken if step is not batch.step or not step.repeatable]
        # Where the clock was ahead then, time counts from now: it would not run out before the clock has come there.
        batch.since = min(
            time.time(),
            max((stored.begun[step.name] for step in begun if step.name in stored.begun), default=stored.created_at),
        )
        batch.refused = dict.fromkeys(batch.left_out, Refusal("refused_by_provider", ""))
        return batch

    @property
    def step(self) -> Step:
        """The step that it is at."""
        return self.steps[self.at]

    @property
    def taken(self) -> Sequence[Step]:
        """The steps that were begun, but for one that certainly did not happen."""
        return self.steps[: self.at + (self.begun_at > 0.0)]

    @property
    def is_to_submit(self) -> bool:
        """Whether a step comes next that is not to be repeated; or comes later, and is the first."""
        before, ahead = self.steps[: self.at], self.steps[self.at :]
        is_unsent = all(step.repeatable for step in before)
        return not self.step.repeatable or (is_unsent and not all(step.repeatable for step in ahead))

    def begin(self, now: float) -> None:
        """Begin the step that it is at; on the way back to one that was put off, that has been waited for already."""
        self.begun_at = now
        if self.at > self.put_off_at:
            self.since = now

    def put_off(self, *, rewind: bool) -> None:
        """Take the step that it is at later, with those before it that are to be taken again then."""
        self.put_off_at = max(self.put_off_at, self.at)
        if rewind:
            self.rewind()

    def advance(self) -> None:
        """Go to the next step."""
        if self.at == self.put_off_at:
            self.since = self.begun_at
            self.put_off_at = -1
        if not self.step.repeatable:
            self.losses = Losses()
        self.at += 1
        self.begun_at = 0.0
        self.polls = 0
        self.maybe_done = False

    def rewind(self) -> None:
        """Go back to where its step begins when it is taken again; what was noted after it counts no more."""
        begin = self.step.again_from or self.step.name
        self.at = next(at for at, step in enumerate(self.steps) if step.name == begin)
        self.begun_at = 0.0
        for step in self.steps[self.at :]:
            for at in self.evidence.get(step.name, {}).get("refused", ()):
                self.refused.pop(at, None)
        for step in self.steps[self.at + 1 :]:
            self.evidence.pop(step.name, None)

    @property
    def withheld(self) -> list[int]:
        """Positions of rows that a step done did not let pass, for the sake of consent."""
        return [at for noted in self.evidence.values() for at in noted.get("withheld", ())]

    @property
    def left_out(self) -> list[int]:
        """Positions of rows that a step done did not let pass, because the provider refused them."""
        return [at for noted in self.evidence.values() for at in noted.get("refused", ())]

    @property
    def names(self) -> Mapping[int, Sequence[str]]:
        """By position, what the provider calls the rows' contacts, where the step that it is at asks for it."""
        if not self.step.uses_names:
            return {}
        removing = self.step.spares_shared or self.action == self.queue.destination.actions.remove
        return self.queue.names(self.rows, removing=removing)

    def with_contacts(self, names: Mapping[int, Sequence[str]]) -> list[tuple[int, str]]:
        """Names by position, each with the row's contact."""
        return [(self.rows[at].id, name) for at, each in names.items() for name in each]

    def work(self, *, journal: str, known: Sequence[Mapping[str, Any]] = ()) -> Work:
        """What the step that it is at is given; `journal` and `known` as in `Work`."""
        return Work(
            action=self.action,
            rows=self.rows,
            evidence=dict(self.evidence),
            polls=self.polls,
            maybe_done=self.maybe_done,
            begun_at=self.begun_at,
            known=known,
            resumed=self.recovered,
            names=self.names,
            journal=journal,
        )

    def divide(self, undecided: Sequence[int], parts: int, *, absent: bool) -> list[list[Row]]:
        """Batches for the rows of which nobody can tell; none where that leads nowhere, or costs too many calls."""
        if len(undecided) < parts or self.budget.calls_left < parts:
            return []
        self.budget.calls_left -= parts
        rows = [self.rows[at] for at in undecided]
        for row in rows:
            row.resubmitted = not absent
        middle = (len(rows) + 1) // parts
        return [rows[:middle], rows[middle:]] if parts == 2 else [rows]

    def part(self, number: int, rows: list[Row]) -> Batch:
        """A batch of some of its rows, with that number in the journal."""
        return Batch(
            number, self.queue, self.action, self.route, rows, self.steps, time.time(), self.budget, losses=self.losses
        )

    def kept(self, rejected: Iterable[int]) -> list[tuple[bytes, str, int]]:
        """Keys of the rows that waited for one of these, which were to remove a former contact, with that contact."""
        return [
            (follower.key, self.rows[at].email, self.rows[at].id)
            for at in rejected
            for follower in self.rows[at].followers
            if follower.key is not None
        ]

    @property
    def jobs(self) -> str:
        """The provider's names of what was done, for logs: steps note numbers and codes there, never addresses."""
        found = [f"{name} {one}" for noted in self.evidence.values() for name, one in noted.items() if name == "job"]
        return ", ".join(found) or "no job"
