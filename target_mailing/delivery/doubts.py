"""Batches whose reply was lost: looked for among the provider's jobs until it is known whether a job has their rows.

A batch in doubt takes no slot, and its rows keep their tickets. The list pauses its submissions for each look, until
those under way have their replies: a job that then belongs to no batch may be that of one in doubt, or of another
program. What a look finds is followed to its end before anything is decided.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from mailing_api.errors import ProviderFault, RateLimited, UnreadableAnswer
from target_mailing.delivery.adoption import changed, owners, sample
from target_mailing.delivery.batch import Batch, Verdict
from target_mailing.delivery.calls import Calls
from target_mailing.delivery.following import Following
from target_mailing.delivery.freshness import is_outdated
from target_mailing.delivery.late_jobs import LateJobs
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.slots import Slots
from target_mailing.interface.destination import Candidate, Finished, Progress, Refusal, Step, Work
from target_mailing.journal.journal import Journal
from target_mailing.rows.row import Row

__all__ = ["REPLY_LOST", "Doubts"]

logger = logging.getLogger("target-mailing.delivery")

#: Said of a batch that comes into doubt: its number, the step, and the error.
REPLY_LOST: Final = (
    "Batch %d: the reply of step %r was lost. This run looks whether it arrived, and sends the batch again if not. %s"
)
#: Seconds within which a provider lists a job that it has taken.
LISTED_WITHIN = 60.0
#: Looks that may fail in a row, each already retried by the client, before the run fails.
_MAX_FAILED: Final = 10
#: Rows of a batch that are looked up for those whose content the journal keeps.
_MOST_ASKED: Final = 50
#: What a row of a sample ends with if it is not there.
_NOT_THERE: Final = Refusal("unconfirmed", "not there")

#: The candidates for each batch that was looked for; None where the provider lists no such jobs.
_Found = list[Sequence[Candidate] | None]


@dataclass(eq=False)
class _Doubt:
    """A batch in doubt.

    Attributes:
        first_at: when the jobs were first listed for it (monotonic seconds); None if they were not.
        last_at: when they were last listed for it.
        candidates: by job, as last seen.
    """

    batch: Batch
    first_at: float | None = None
    last_at: float = -math.inf
    candidates: dict[str, Candidate] = field(default_factory=dict)

    @property
    def listed_at(self) -> float:
        """When the jobs are to be listed next: at once, and once more when a late job must have been listed."""
        if self.first_at is None:
            return -math.inf
        again_at = self.first_at + (0.0 if self.batch.step.prepares else LISTED_WITHIN)
        return again_at if self.last_at < again_at else math.inf

    @property
    def is_running(self) -> bool:
        """Whether a candidate may still change something."""
        return not all(one.has_ended for one in self.candidates.values())


@dataclass(eq=False)
class _List:
    """The doubts of one destination.

    Attributes:
        held: batches whose next step is a submission, which waits for the look.
        is_paused: no submission begins.
        is_busy: a call is under way.
        due: when there is something to do (monotonic seconds).
        polls: looks at candidates that had not ended, in a row.
        failed: looks that failed in a row.
    """

    doubts: list[_Doubt] = field(default_factory=list)
    held: list[Batch] = field(default_factory=list)
    is_paused: bool = False
    is_busy: bool = False
    due: float = -math.inf
    polls: int = 0
    failed: int = 0


class Doubts:
    """The batches in doubt of one run; only the thread that owns the batches uses it."""

    def __init__(
        self,
        journal: Journal,
        calls: Calls,
        slots: Slots,
        following: Following,
        late_jobs: LateJobs,
        *,
        go_on: Callable[[Batch], None],
        over: Callable[[Batch, Verdict], None],
    ) -> None:
        """Make it with no doubt.

        Args:
            journal: the local memory.
            calls: makes the calls.
            slots: the batches under way; one in doubt takes none.
            following: knows how long jobs are followed.
            late_jobs: takes batches that are sent again.
            go_on: takes the next step of a batch that waited for a look.
            over: takes a batch whose doubt is over.
        """
        self._journal = journal
        self._calls = calls
        self._slots = slots
        self._go_on = go_on
        self._over = over
        self._following = following
        self._lists: dict[DestinationQueue, _List] = {}
        self._again: dict[DestinationQueue, deque[Batch]] = {}
        self._failure: Exception | None = None
        self._late_jobs = late_jobs

    def __len__(self) -> int:
        """Batches in doubt, or to be sent again."""
        return sum(len(one.doubts) for one in self._lists.values()) + sum(map(len, self._again.values()))

    def add(self, batch: Batch) -> None:
        """The reply to the current step of a batch was lost."""
        place = self._lists.setdefault(batch.queue, _List())
        place.doubts.append(_Doubt(batch))
        place.due = -math.inf

    def is_paused(self, queue: DestinationQueue) -> bool:
        """Whether no submission to a destination may begin now."""
        return queue in self._lists and self._lists[queue].is_paused

    def hold(self, batch: Batch) -> None:
        """Keep a batch, whose next step is a submission, until the look is over."""
        self._lists[batch.queue].held.append(batch)

    def next_again(self, queue: DestinationQueue) -> Batch | None:
        """A batch that is to be sent again as soon as there is a slot for it."""
        waiting = self._again.get(queue)
        return waiting.popleft() if waiting else None

    def next_at(self) -> float | None:
        """When `turn` next has something to do without news (monotonic seconds)."""
        waiting = [one.due for one in self._lists.values() if one.doubts and not (one.is_busy or one.is_paused)]
        return min(waiting, default=None)

    def sizes(self, queue: DestinationQueue, action: str) -> Sequence[int]:
        """The numbers of rows of the batches of an action that are in doubt, or wait for a look."""
        place = self._lists.get(queue, _List())
        batches = [*place.held, *(one.batch for one in place.doubts)]
        return [len(batch.rows) for batch in batches if batch.action == action]

    def kept(self, rows: Sequence[Row]) -> Sequence[int]:
        """Positions of rows whose content the journal keeps, to find their batch's job if the run is killed."""
        some = range(0, len(rows), -(-len(rows) // _MOST_ASKED))
        return sample(changed(rows, some, self._journal.contacts([rows[at].id for at in some])))

    def turn(self, now: float, *, failure: Exception | None) -> None:
        """Look where it is time to look.

        Args:
            now: monotonic seconds.
            failure: of the run: then only what was not looked for yet is.
        """
        self._failure = failure
        for queue, place in list(self._lists.items()):
            if place.is_busy:
                continue
            if failure is not None:
                self._leave_late(queue, place, failure)
            if not place.doubts:
                self._release(place)
            elif now >= place.due:
                self._look(queue, place, now)

    def _leave_late(self, queue: DestinationQueue, place: _List, failure: Exception) -> None:
        """The run has failed: leave batches whose jobs could only show up late."""
        late = [one.batch for one in place.doubts if one.first_at is not None and not one.is_running]
        for batch in [*self._again.pop(queue, ()), *late]:
            self._end(place, batch, failure)

    # Looking

    def _look(self, queue: DestinationQueue, place: _List, now: float) -> None:
        lists = any(one.listed_at <= now for one in place.doubts)
        if lists:
            place.is_paused = True
            if any(batch.queue is queue for batch in self._calls.submitting.values()):
                return
        known = self._journal.evidence(queue.destination.name)
        asked = [one for one in place.doubts if lists or one.candidates]
        works = [(one.batch.step, self._calls.work(one.batch, known=known)) for one in asked]
        place.is_busy = True
        self._calls.ask(
            lambda: [step.recover(work) for step, work in works],
            lambda future: self._looked(place, asked, future, lists_at=now if lists else None),
        )

    def _looked(self, place: _List, asked: list[_Doubt], future: Future[_Found], *, lists_at: float | None) -> None:
        place.is_busy = False
        if lists_at is not None:
            self._release(place)
        error = future.exception()
        if error is not None:
            self._failed(place, error)
            return
        for one, candidates in zip(asked, future.result(), strict=True):
            self._note(place, one, candidates, lists_at)
        running = [one for one in place.doubts if one.is_running]
        if running:
            self._follow(place, running)
        else:
            place.polls = 0
            self._judge(place)

    def _note(self, place: _List, one: _Doubt, candidates: Sequence[Candidate] | None, lists_at: float | None) -> None:
        """Note what was seen; a look that only follows says nothing about jobs that no listing showed in a pause."""
        if candidates is None:
            self._send_again(place, one.batch)
            return
        if lists_at is not None:
            one.first_at = lists_at if one.first_at is None else one.first_at
            one.last_at = lists_at
        if certain := next((job for job in candidates if job.is_certain), None):
            self._adopt(place, one.batch, certain)
            return
        one.candidates |= {job.job: job for job in candidates if lists_at is not None or job.job in one.candidates}

    def _follow(self, place: _List, running: list[_Doubt]) -> None:
        """Some candidates have not ended: look at them again later."""
        place.failed = 0
        settings = running[0].batch.queue.settings
        interval = min(settings.poll_max_interval, settings.poll_interval * 1.5 ** min(place.polls, 40))
        place.polls += 1
        place.due = time.monotonic() + interval * random.uniform(0.8, 1.2)  # noqa: S311
        place.due = min(place.due, *(one.listed_at for one in place.doubts))
        for one in running:
            reason = self._following.overdue(one.batch)
            if reason is not None:
                self._end(place, one.batch, reason)

    def _failed(self, place: _List, error: BaseException) -> None:
        """A look failed: the jobs themselves may be well."""
        place.failed += 1
        may_pass = isinstance(error, (RateLimited, ProviderFault, UnreadableAnswer))
        if may_pass and place.failed < _MAX_FAILED and self._failure is None:
            logger.warning("Could not look for jobs whose replies were lost; trying again: %s", error)
            place.due = time.monotonic() + place.doubts[0].batch.queue.settings.poll_max_interval
            return
        for one in list(place.doubts):
            self._end(place, one.batch, error)

    def _release(self, place: _List) -> None:
        """The look is over: submissions are made again."""
        place.is_paused = False
        held, place.held = place.held, []
        for batch in held:
            if is_outdated(batch.evidence, time.time()):
                self._calls.rewind(batch, partial(self._go_on, batch))
            else:
                self._go_on(batch)

    # Deciding

    def _judge(self, place: _List) -> None:
        """Every candidate has ended: whose jobs are they?"""
        by_action: dict[str, list[_Doubt]] = {}
        for one in place.doubts:
            if one.candidates:
                by_action.setdefault(one.batch.action, []).append(one)
        theirs: dict[_Doubt, Candidate] = {}
        for group in by_action.values():
            jobs = {job.job: job for one in group for job in one.candidates.values()}
            sizes = [len(self._calls.work(one.batch).sent) for one in group]
            theirs |= {group[at]: job for at, job in owners(sizes, jobs.values()).items()}
        samples = {one: step for one, job in theirs.items() if (step := self._sample(one, job)) is not None}
        if not samples:
            self._decide(place, {})
            return
        place.is_busy = True
        self._calls.ask(
            lambda: [_is_there(step.run(work)) for step, work in samples.values()],
            lambda future: self._sampled(place, {one: theirs[one] for one in samples}, future),
        )

    def _sample(self, one: _Doubt, job: Candidate) -> tuple[Step, Work] | None:
        """A step that reads a sample of a batch back; None if no row can show whether the job is its own."""
        batch = one.batch
        work = self._calls.work(batch)
        # Of rows of an earlier run, the journal has the content of a few.
        readable = [at for at in work.sent if not batch.recovered or batch.rows[at].size]
        known = self._journal.contacts([batch.rows[at].id for at in readable])
        positions = sample(changed(batch.rows, readable, known))
        step = batch.queue.destination.read_back(Finished(rejected=dict.fromkeys(positions, _NOT_THERE)), positions)
        return (step, work) if positions and step is not None and job.job in one.candidates else None

    def _sampled(self, place: _List, theirs: dict[_Doubt, Candidate], future: Future[list[bool]]) -> None:
        place.is_busy = False
        error = future.exception()
        if error is not None:
            self._failed(place, error)
        else:
            there = future.result()
            self._decide(
                place, {one: job for (one, job), is_there in zip(theirs.items(), there, strict=True) if is_there}
            )

    def _decide(self, place: _List, theirs: dict[_Doubt, Candidate]) -> None:
        """Jobs were found for these batches, and for none of the others so far."""
        place.failed = 0
        for one in list(place.doubts):
            if one in theirs:
                self._adopt(place, one.batch, theirs[one])
            elif one.first_at is not None and one.listed_at == math.inf:
                if not one.batch.step.prepares:
                    self._late_jobs.add(one.batch, one.candidates.keys())
                self._send_again(place, one.batch)
        place.due = min((one.listed_at for one in place.doubts), default=math.inf)

    def _adopt(self, place: _List, batch: Batch, job: Candidate) -> None:
        logger.info("Batch %d: step %r was already done; continuing from there", batch.number, batch.step.name)
        self._end(place, batch, job)

    def _end(self, place: _List, batch: Batch, verdict: Verdict) -> None:
        self._forget(place, batch)
        self._slots.retake(batch)
        self._over(batch, verdict)

    @staticmethod
    def _forget(place: _List, batch: Batch) -> None:
        place.doubts = [one for one in place.doubts if one.batch is not batch]

    def _send_again(self, place: _List, batch: Batch) -> None:
        """No job has the rows of a batch, as far as the provider shows."""
        if batch.recovered:
            self._end(place, batch, None)
        else:
            self._forget(place, batch)
            self._again.setdefault(batch.queue, deque()).append(batch)


def _is_there(progress: Progress) -> bool:
    return isinstance(progress, Finished) and not progress.rejected
