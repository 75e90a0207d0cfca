"""Batches under way: rows, step, evidence, and the calls that may still be spent on splitting."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, Self

import msgspec

from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.sent_rows import SentRows
from target_mailing.interface.destination import Again, Candidate, Done, Finished, Refusal, Step, Work
from target_mailing.journal.journal import StoredBatch
from target_mailing.rows.row import Row

__all__ = ["MAX_SPLIT_CALLS", "Batch", "Losses", "SplitBudget", "Verdict"]

#: The fate of a batch: its job was found; it has ended; its rows are refused, although they may still arrive; the
#: run fails at it; or None for a batch of an earlier run that has no job.
Verdict = Candidate | Finished | Refusal | BaseException | None


#: Calls that may be spent on finding the failing rows of one batch; this many times more if each job's count shows
#: whether all of its rows arrived.
MAX_SPLIT_CALLS = 32
_IF_COUNTED: Final = 4


class SplitBudget:
    """The calls that a batch and the batches split from it share."""

    def __init__(self) -> None:
        self.calls_left: float = MAX_SPLIT_CALLS


class Losses(msgspec.Struct, frozen=True):
    """Lost replies to submissions of a batch, or of the batches that it was split from.

    Attributes:
        last_at: when the last reply was lost (monotonic seconds); None for never.
        is_repeated: another submission to the destination was answered between two losses.
    """

    last_at: float | None = None
    is_repeated: bool = False

    def and_now(self, answered_at: float) -> Losses:
        """With a reply lost just now; `answered_at` is when another submission was last answered (monotonic)."""
        return Losses(time.monotonic(), self.is_repeated or self.is_answered(answered_at))

    def is_answered(self, answered_at: float) -> bool:
        """Whether another submission was answered after the last loss."""
        return self.last_at is not None and answered_at > self.last_at


class Batch(msgspec.Struct, eq=False):
    """A batch on its way through its steps.

    Attributes:
        number: in the journal.
        route: the name of its sequence of steps.
        budget: shared with the batch that it was split from, and with those split from it.
        position: of its current step.
        evidence: of the steps done, by step.
        begun_at: when the current step was begun (Unix seconds); 0 if it was not.
        since: when the call was begun whose effect is awaited, or its job last progressed (Unix seconds).
        progress: how far its job was when it was polled last.
        noted_at: when the journal last noted that its job progressed (Unix seconds).
        polled_at: when it was polled last (monotonic seconds).
        ran_at: when its job was last seen running (Unix seconds); 0 for never.
        put_off_at: the position of the latest step that was put off; -1 for none.
        polls: how often the current step had no result.
        looks: how often its job was polled.
        failed_polls: polls of its job that failed in a row.
        missing: polls in a row at which the provider did not know its job.
        missing_since: when it did not know it for the first of these times (Unix seconds).
        lost: how often the reply to the current step was lost.
        lost_at: when the last reply was lost (Unix seconds); 0 if none was.
        lost_to: the HTTP status in place of the last lost reply, if there was one.
        losses: when replies to its submissions were lost, and whether others were answered since.
        waits: it is not sent until other batches have been answered or have failed.
        maybe_done: the current step is taken again, and may have been done before.
        recovered: it is a batch of an earlier run.
        refused: by position, rows that a step refused while the others continued.
    """

    number: int
    queue: DestinationQueue
    action: str
    route: str
    rows: Sequence[Row]
    steps: Sequence[Step]
    budget: SplitBudget = msgspec.field(default_factory=SplitBudget)
    position: int = 0
    evidence: dict[str, dict[str, Any]] = {}
    begun_at: float = 0.0
    since: float = 0.0
    progress: Hashable = None
    noted_at: float = 0.0
    polled_at: float = 0.0
    ran_at: float = 0.0
    put_off_at: int = -1
    polls: int = 0
    looks: int = 0
    failed_polls: int = 0
    lost: int = 0
    lost_at: float = 0.0
    missing: int = 0
    missing_since: float = 0.0
    lost_to: int | None = None
    losses: Losses = Losses()
    waits: bool = False
    maybe_done: bool = False
    recovered: bool = False
    refused: dict[int, Refusal] = {}

    @classmethod
    def of_earlier_run(cls, queue: DestinationQueue, stored: StoredBatch, steps: Sequence[Step]) -> Self:
        """A batch that an earlier run left unfinished, at the step from which it is resumed."""
        done = {name: evidence for name, evidence in stored.steps.items() if evidence is not None}
        batch = cls(
            stored.number, queue, stored.action, stored.route, stored.rows, steps, evidence=done, recovered=True
        )
        # A step with an unknown result comes first: steps before it may have been begun again in order to repeat it.
        unknown = [
            step for step in steps if step.name in stored.steps and not step.repeatable and step.name not in done
        ]
        # Every step before one that was done and is not repeatable is over, noted or not.
        over = max((at for at, step in enumerate(steps) if step.name in done and not step.repeatable), default=-1)
        ahead = [step for at, step in enumerate(steps) if at > over and step.name not in done]
        batch.position = steps.index((unknown or ahead or steps[-1:])[0])
        batch.begun_at = stored.begun.get(batch.step.name, stored.created_at)
        # A repeatable step was noted as begun each time that it was put off, or that its job had progressed.
        begun = [step for step in batch.taken if step is not batch.step or not step.repeatable or step.watches]
        # If the clock was ahead then, deadlines count from now: else they would not pass before it is that late.
        batch.since = min(
            time.time(),
            max((stored.begun[step.name] for step in begun if step.name in stored.begun), default=stored.created_at),
        )
        batch.refused = dict.fromkeys(batch.noted("refused"), Refusal("refused_by_provider", ""))
        return batch

    @property
    def asks(self) -> bool:
        """Whether it asks about contacts, and changes none."""
        return self.action == self.queue.destination.actions.ask

    @property
    def step(self) -> Step:
        """The current step."""
        return self.steps[self.position]

    @property
    def taken(self) -> Sequence[Step]:
        """The steps that were begun, without one that certainly did not happen."""
        return self.steps[: self.position + (self.begun_at > 0.0)]

    @property
    def is_to_submit(self) -> bool:
        """Whether the current step is not repeatable; or a later one is, and is the first such step."""
        before, ahead = self.steps[: self.position], self.steps[self.position :]
        is_unsent = all(step.repeatable for step in before)
        return not self.step.repeatable or (is_unsent and not all(step.repeatable for step in ahead))

    def begin(self, now: float) -> None:
        """Begin the current step. On the way back to a step that was put off, the time waited so far still counts."""
        self.begun_at = now
        if self.position > self.put_off_at:
            self.since = now

    def pack(self) -> None:
        """Its job is followed, perhaps for hours: keep its rows in little memory."""
        if isinstance(self.rows, list):
            self.rows = self.queue.pack(self.rows)

    def end(self, done: Done) -> dict[str, Any]:
        """The current step is done; returns its evidence for the journal."""
        evidence = done.evidence
        if done.refused:
            self.refused |= done.refused
            evidence = evidence | {"refused": sorted(done.refused)}
        self.evidence[self.step.name] = evidence
        return evidence

    def advance(self) -> None:
        """Move to the next step."""
        if self.position == self.put_off_at:
            self.since = self.begun_at
            self.put_off_at = -1
        if not self.step.repeatable:
            self.losses = Losses()
        self.position += 1
        self.begun_at = 0.0
        self.polls = 0
        self.missing = 0
        self.maybe_done = False

    def put_off(self, again: Again) -> None:
        """Take the current step later, after the steps that are taken again before it if it is to rewind."""
        self.put_off_at = max(self.put_off_at, self.position)
        self.missing_since = self.missing_since if self.missing else time.time()
        self.missing = self.missing + 1 if again.is_missing else 0
        if again.rewind:
            self.rewind()

    def rewind(self) -> None:
        """Return to where the current step begins when it is taken again, and forget what was noted after that."""
        begin = self.step.again_from or self.step.name
        self.position = next(at for at, step in enumerate(self.steps) if step.name == begin)
        self.begun_at = 0.0
        for step in self.steps[self.position :]:
            for at in self.evidence.get(step.name, {}).get("refused", ()):
                self.refused.pop(at, None)
        for step in self.steps[self.position + 1 :]:
            self.evidence.pop(step.name, None)

    def noted(self, name: str) -> list[int]:
        """Positions of rows that the steps done noted as `withheld` or `refused`."""
        return [at for evidence in self.evidence.values() for at in evidence.get(name, ())]

    def with_contacts(self, ids: Mapping[int, Sequence[str]]) -> list[tuple[int, str]]:
        """Provider IDs by position, as pairs of contact and ID."""
        return [(self.rows[at].id, number) for at, numbers in ids.items() for number in numbers]

    def dropped_ids(self, done: Done) -> list[tuple[int, str]]:
        """Provider IDs that the rows' contacts no longer have once the current step is done, each with its contact.

        A contact that is taken off leaves those to another key's contact that this has, too.
        """
        dropped = self.with_contacts(done.left)
        if self.step.uses_names and self.action == self.queue.destination.actions.remove:
            dropped += self.queue.provider_ids.of_others(self.rows)
        return dropped

    def work(self, *, journal: str, known: Sequence[Mapping[str, Any]] = ()) -> Work:
        """The input of the current step; `journal` and `known` as in `Work`."""
        ids: Mapping[int, Sequence[str]] = {}
        if self.step.uses_names:
            removing = self.step.spares_shared or self.action == self.queue.destination.actions.remove
            ids = self.queue.provider_ids.of(self.rows, removing=removing)
        return Work(
            action=self.action,
            rows=SentRows(self.rows),
            evidence=dict(self.evidence),
            polls=self.polls,
            maybe_done=self.maybe_done,
            begun_at=self.begun_at,
            lost_at=self.lost_at,
            missing=self.missing,
            missing_since=self.missing_since,
            known=known,
            resumed=self.recovered,
            changed=self.queue.changed(self.rows) if self.step.uses_changed else (),
            names=ids,
            journal=journal,
            is_last=self.position == len(self.steps) - 1,
        )

    def with_refused(self, finished: Finished) -> Finished:
        """Its end, with the rows that earlier steps refused."""
        if not self.refused:
            return finished
        return msgspec.structs.replace(finished, rejected={**self.refused, **finished.rejected})

    def undecided(self, finished: Finished) -> list[int]:
        """Positions of rows without a result after it ended."""
        positions = range(len(self.rows)) if finished.unresolved else finished.resend
        return [at for at in positions if at not in finished.rejected and at not in finished.withheld]

    def divide(self, undecided: Sequence[int], finished: Finished) -> list[list[Row]]:
        """Rows of batches for the undecided rows; none if that would not help, or would cost too many calls."""
        parts = 2 if finished.unresolved else 1
        cost = parts / (1 if finished.most_read is None else _IF_COUNTED)
        if len(undecided) < parts or self.budget.calls_left < cost:
            return []
        self.budget.calls_left -= cost
        rows = [self.rows[at] for at in undecided]
        for row in rows:
            row.resubmitted = not finished.absent
        middle = (len(rows) + 1) // parts
        return [rows[:middle], rows[middle:]] if parts == 2 else [rows]

    @property
    def is_part(self) -> bool:
        """Whether it was split from another batch."""
        return self.budget.calls_left < MAX_SPLIT_CALLS

    def part(self, number: int, rows: list[Row]) -> Batch:
        """A batch of some of its rows, with this number in the journal."""
        return Batch(
            number, self.queue, self.action, self.route, rows, self.steps, budget=self.budget, losses=self.losses
        )

    def pending_removals(self, rejected: Iterable[int]) -> list[tuple[bytes, str, int]]:
        """Keys whose former addresses, at these positions, were not removed; each with address and contact."""
        rows = [self.rows[at] for at in rejected]
        return [(row.former_of, row.email, row.id) for row in rows if row.former_of is not None]

    @property
    def job(self) -> str | None:
        """The ID of the job that the current step polls, if it polls one."""
        step = self.step
        if not (step.watches and step.started_by and self.begun_at):
            return None
        job = self.evidence.get(step.started_by, {}).get("job")
        return None if job is None else str(job)

    @property
    def first_job(self) -> str | None:
        """The ID of the first of its jobs that was submitted."""
        return next((str(evidence["job"]) for evidence in self.evidence.values() if "job" in evidence), None)

    @property
    def jobs(self) -> str:
        """The provider's names of its jobs, for logs: numbers and codes, never addresses."""
        names = [f"job {evidence['job']}" for evidence in self.evidence.values() if "job" in evidence]
        return ", ".join(names) or "no job"
