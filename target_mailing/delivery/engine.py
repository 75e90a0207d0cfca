"""Delivery: batches go through their steps, jobs are followed to their end, rows get their outcomes. No provider.

The caller's thread owns what is remembered: batches, journal, outcomes. Others only call providers (`Calls`).
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from mailing_api.errors import MailingError, ProviderFault, RateLimited, UnreadableAnswer
from target_mailing.delivery.batch import Batch, Verdict
from target_mailing.delivery.batch_sizes import BatchSizes
from target_mailing.delivery.brake import SPLITTING_STOPPED, Brake
from target_mailing.delivery.calls import Calls
from target_mailing.delivery.closing import CLOSING, Closing
from target_mailing.delivery.doubts import REPLY_LOST, Doubts
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.following import Following
from target_mailing.delivery.job_records import JobRecords
from target_mailing.delivery.late_jobs import LateJobs
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.queues import Queues
from target_mailing.delivery.recovery import arrivals, can_resume
from target_mailing.delivery.resubmission import Resubmission
from target_mailing.delivery.result import BatchResult
from target_mailing.delivery.slots import Slots
from target_mailing.foresight.foresight import Foresight
from target_mailing.interface.destination import Again, Candidate, Destination, Done, Finished, Progress, Refusal, Step
from target_mailing.journal.journal import Journal, StoredBatch
from target_mailing.rows.row import Row, size_of
from target_mailing.settings.settings import StreamSettings

__all__ = ["Delivery"]

logger = logging.getLogger("target-mailing.delivery")


class Delivery:
    """Every batch of one run."""

    def __init__(
        self,
        *,
        journal: Journal,
        outcomes: Outcomes,
        queues: Queues,
        jobs_in_flight: int,
        foresight: Foresight | None,
        notify: Callable[[Callable[[], None]], None],
    ) -> None:
        """Make a delivery with nothing under way.

        Args:
            journal: the local memory.
            outcomes: counts how rows end.
            queues: none yet.
            jobs_in_flight: batches under way at the same time.
            foresight: of a plan: steps are foreseen instead of taken.
            notify: takes, from other threads, a call for the owning thread to make.
        """
        self._journal = journal
        self._outcomes = outcomes
        self._calls = Calls(journal, workers=jobs_in_flight, foresight=foresight, notify=notify)
        self.queues = queues
        self.closing = Closing(journal, queues.guard)
        self._slots = Slots(jobs_in_flight)
        self.in_jobs = self._slots.in_jobs
        self.following = Following(self._calls, self._slots, journal, take=self._continue, runs=self._wait)
        self._brake = Brake()
        self._jobs = JobRecords(outcomes.history, log_level=self._calls.log_level)
        self.late_jobs = LateJobs(journal, self._calls)
        self.counts: Counter[str] = Counter()
        parts = (self._calls, self._slots, self.following)
        self._doubts = Doubts(journal, *parts, self.late_jobs, go_on=self._continue, over=self._over)
        self._sizes = BatchSizes(self._calls, self._doubts, jobs_in_flight)
        self._resubmission = Resubmission(*parts, self.counts, go_on=self._continue, over=self._over)
        #: The input has ended; no new batch begins for now.
        self._ending = self.is_held = False
        self.error: Exception | None = None

    # For the owning thread

    def queue(
        self, destination: Destination, settings: StreamSettings, *, batches_at_once: int | None
    ) -> DestinationQueue:
        """The queue of a destination; a new queue first resumes the batches that an earlier run left unfinished."""
        queue = self.queues.get(destination.name)
        if queue is None:
            journal, out, at_once = self._journal, self._outcomes, batches_at_once
            queue = DestinationQueue(destination, settings, journal=journal, outcomes=out, batches_at_once=at_once)
            self.queues.add(queue)
            self.closing.add(queue)
            for stored in journal.unfinished(destination.name):
                self._resume(queue, stored)
        return queue

    def may_take_more(self) -> bool:
        """Whether more input should be read now, so that memory stays bounded."""
        return self.is_held or not self.queues.is_crowded()

    def pump(self) -> None:
        """Poll the jobs that are due, and begin the batches that may be in flight."""
        now = time.monotonic()
        self.following.turn(now)
        self.queues.turn(now, ending=self._ending, replaced=self.closing.replaced)
        self._doubts.turn(now, failure=self.error)
        if self._has_ended() and (self._ending or self.error is not None):
            self.late_jobs.look()
        if self.error is not None:
            self._slots.abandon_waiting()
        while (waiting := self._slots.next()) is not None:
            self._continue(waiting)
        if self.error is None and not self.is_held:
            self.queues.begin_batches(self._begin_next)

    def next_event_at(self) -> float | None:
        """When `pump` next has something to do without news (monotonic seconds)."""
        times = (self.following.next_at(), self.queues.due_at(), self._doubts.next_at())
        return min(filter(None, times), default=None)

    def end(self, *, has_all: bool) -> None:
        """The input has ended: batches go whatever their size; `has_all`: nobody else will be found absent from it."""
        self._ending, self.queues.has_all = True, has_all and self.error is None

    def close(self) -> bool:
        """All rows have ended and nothing failed: begin the closing steps; whether there are any."""
        try:
            for queue, steps in self.closing.steps():
                self._begin(queue, "", CLOSING, [], steps)
        except DeliveryFailed as error:
            self.fail(error)
        return bool(self._slots)

    def stop(self) -> None:
        """Make no more calls: the threads end."""
        self._calls.close()

    def fail(self, error: Exception) -> None:
        """Submit nothing more; jobs under way are still followed to their end."""
        self.error = self.error or error

    def is_idle(self) -> bool:
        """Whether nothing is under way; after an error, waiting rows do not matter."""
        return self._has_ended() and self.late_jobs.is_idle

    def _has_ended(self) -> bool:
        return not (self._slots or self._doubts) and (self.error is not None or self.queues.is_empty())

    def is_submitting(self) -> bool:
        """Whether a call is under way that must not be made twice."""
        return bool(self._calls.submitting)

    def unfinished(self) -> int:
        """Batches under way."""
        return len(self._slots) + len(self._doubts)

    # Batches

    def _begin_next(self, queue: DestinationQueue) -> bool:
        """Begin the next batch of a destination, if it may have one more; whether it began."""
        if not self._slots.is_free(queue) or self._doubts.is_paused(queue):
            return False
        if (lost := self._doubts.next_again(queue)) is not None:
            self._slots.retake(lost)
            self._resubmission.submit(lost)
            return True
        if (ready := queue.next_batch(ending=self._ending)) is None:
            return False
        action, route, rows = ready
        steps = queue.destination.steps(action, route)
        if any(step.is_known_by_count for step in steps) and not (rows := self._sizes.cut(queue, ready)):
            return False
        self._begin(queue, action, route, rows, steps)
        return True

    def _begin(self, queue: DestinationQueue, action: str, route: str, rows: list[Row], steps: Sequence[Step]) -> None:
        # The removals that wait for these rows are noted with them, so that a kill does not lose them.
        removals = [removal for row in rows if row.extras is not None for removal in row.pending_removals]
        kept = self._doubts.kept(rows) if any(step.is_known_by_count for step in steps) else ()
        name, allowed = queue.destination.name, queue.removals.allowance_of(action, rows)
        parts = (name, action, route, rows)
        number = self._journal.begin_batch(*parts, pending_removals=removals, kept=kept, allowance=allowed)
        self._launch(Batch(number, queue, action, route, rows, steps))

    def _launch(self, batch: Batch) -> None:
        self.counts["batches"] += 1
        self.counts["resubmitted"] += sum(row.resubmitted for row in batch.rows)
        if self._slots.take(batch):
            self._begin_step(batch)

    def _resume(self, queue: DestinationQueue, stored: StoredBatch) -> None:
        steps = queue.destination.steps(stored.action, stored.route)
        is_followed = can_resume(queue.destination, stored, steps)  # which may fail: nothing is held yet
        batch = Batch.of_earlier_run(queue, stored, steps)
        queue.hold()
        self._slots.take(batch)
        is_lost = batch.step.name in stored.steps and not batch.step.repeatable
        if not is_followed or (is_lost and self._calls.is_plan):
            self._discard(batch, arrivals(batch, stored))
            return
        self.counts["resumed"] += 1
        logger.info("Resuming batch %d of an earlier run at step %r", batch.number, batch.step.name)
        if is_lost:
            self._doubt(batch)
        else:
            self._begin_step(batch)

    def _discard(self, batch: Batch, possible: Sequence[Row]) -> None:
        """Forget a batch of an earlier run: STATE has not moved past its rows, `possible` arrivals among them."""

        def discarded() -> None:
            self.closing.ends(batch, (), possible)
            self._journal.discard(batch.number, uncertain=possible, asks=batch.asks)
            self._jobs.ended(batch, "discarded")
            self._ended(batch)

        self._calls.undo(batch, discarded)

    def _leave(self, batch: Batch, error: BaseException) -> None:
        """The run fails at this batch, which stays in the journal."""
        self._jobs.left(batch)
        self.fail(error if isinstance(error, Exception) else DeliveryFailed(type(error).__name__))
        if all(step.repeatable for step in batch.taken):  # nothing was submitted: the next run begins it again
            self._calls.undo(batch, lambda: self._slots.free(batch))
        else:
            self._slots.free(batch)

    def _ended(self, batch: Batch) -> None:
        self._slots.free(batch)
        if batch.recovered:
            batch.queue.release()

    # Steps

    def _begin_step(self, batch: Batch) -> None:
        if self.error is not None and batch.is_to_submit:
            self._leave(batch, self.error)
        elif not batch.step.repeatable and self._doubts.is_paused(batch.queue):
            self._doubts.hold(batch)
        elif self._calls.follows(batch.step):
            batch.pack()
            self.following.begin(batch)
        else:
            self.closing.begins(batch)
            batch.begin(self._journal.begin_step(batch.number, batch.step.name))
            self._calls.take(batch, self._step_taken)

    def _continue(self, batch: Batch) -> None:
        """Take the current step of a batch that waited."""
        if batch.waits and self.error is None:
            self._resubmission.judge(batch)
        elif self._calls.follows(batch.step) and batch.begun_at:
            batch.polled_at = time.monotonic()
            self._calls.take(batch, self._step_taken)
        else:
            self._begin_step(batch)

    def _step_taken(self, batch: Batch, future: Future[Progress]) -> None:
        self._calls.submitting.pop(batch.number, None)
        if self._calls.follows(batch.step):
            self.following.polled(batch)
        error = future.exception()
        if error is None:
            batch.failed_polls = 0
            self._progress(batch, future.result())
        elif not isinstance(error, MailingError):
            self._leave(batch, error)
        elif self._calls.follows(batch.step) and isinstance(error, (RateLimited, ProviderFault, UnreadableAnswer)):
            if self.following.is_given_up(batch, error):
                self._leave(batch, error)
        elif error.maybe_done and not batch.step.repeatable:
            logger.warning(REPLY_LOST, batch.number, batch.step.name, error.without_advice)
            batch.lost_to = error.status
            self._doubt(batch)
        else:
            self._forget_step(batch)
            self._leave(batch, error)

    def _forget_step(self, batch: Batch) -> None:
        """The current step did not happen. One that is repeatable, or may have been done before, stays noted."""
        if not batch.step.repeatable and not batch.maybe_done:
            self._journal.forget_step(batch.number, batch.step.name)
            batch.begun_at = 0.0

    def _progress(self, batch: Batch, progress: Progress) -> None:
        if self._calls.follows(batch.step) and not isinstance(progress, Again):
            self.following.ended(batch)
        if isinstance(progress, Done):
            self._step_done(batch, progress)
        elif isinstance(progress, Finished):
            self._finish(batch, progress)
        else:
            self._wait(batch, progress)

    def _step_done(self, batch: Batch, done: Done) -> None:
        self._journal.end_step(
            batch.queue.destination.name,
            batch.number,
            batch.step.name,
            batch.end(done),
            ids=batch.with_contacts(done.names),
            dropped_ids=batch.dropped_ids(done),
        )
        if not batch.step.repeatable:
            batch.queue.answered.note(size_of(batch.rows))
        if "job" in done.evidence:
            self._slots.accepted()
            self._jobs.submitted(batch)
        batch.advance()
        self._begin_step(batch)

    def _wait(self, batch: Batch, again: Again) -> None:
        if again.maybe_done:
            batch.maybe_done = True
            self.counts["resubmitted"] += 0 if batch.step.repeatable else len(batch.rows)
        self._forget_step(batch)
        if again.is_crowded:
            self._slots.refused(batch.since, time.time())
        self.following.runs(batch, again)
        if (reason := self.following.overdue(batch)) is not None:
            self._over(batch, reason)
        else:
            batch.put_off(again)
            self.following.again(batch, again.after)

    def _doubt(self, batch: Batch) -> None:
        """It is unknown whether the current step was done; the batch takes no slot until that is known."""
        batch.lost_at = time.time()
        self._slots.free(batch)
        self._doubts.add(batch)

    def _over(self, batch: Batch, verdict: Verdict) -> None:
        if isinstance(verdict, Candidate):
            self.counts["adopted"] += 1
            self._step_done(batch, Done(verdict.evidence))
        elif isinstance(verdict, Finished):
            self._finish(batch, verdict)
        elif isinstance(verdict, Refusal):
            work = self._calls.work(batch)
            finished, refusals = Finished(withheld=work.withheld), dict.fromkeys(work.sent, verdict)
            self._calls.undo(batch, lambda: self._give_up(batch, finished, refusals))
        elif verdict is None:
            self._discard(batch, () if batch.step.prepares else batch.rows)
        else:
            self._leave(batch, verdict)

    def _finish(self, batch: Batch, finished: Finished) -> None:
        finished = batch.with_refused(finished)
        undecided = batch.undecided(finished)
        if undecided and not batch.recovered and self._stops_here(batch, finished):
            self._leave(batch, self.error or DeliveryFailed(SPLITTING_STOPPED))
            return
        following = [] if batch.recovered else batch.divide(undecided, finished)
        if undecided and not following and not batch.recovered:
            why, is_alone = finished.reason, finished.unresolved and len(undecided) == 1
            refusal = Refusal("not_imported", why) if finished.absent or is_alone else Refusal("unconfirmed", why)
            self._give_up(batch, finished, dict.fromkeys(undecided, refusal))
        else:
            self._settle(batch, finished, undecided, following)

    def _stops_here(self, batch: Batch, finished: Finished) -> bool:
        """Whether a batch is not split, and stays for the next run."""
        names_rows = not finished.unresolved or finished.rejected or len(batch.rows) == 1
        return self.error is not None or (not names_rows and self._brake.failed(is_part=batch.is_part))

    def _give_up(self, batch: Batch, finished: Finished, refusals: Mapping[int, Refusal]) -> None:
        """No job shows whether these rows arrived: they are refused, unless they can be read back from the provider."""
        doubtful, rejected = [*refusals][: finished.most_read], {**finished.rejected, **refusals}
        finished = Finished(job=finished.job, rejected=rejected, withheld=finished.withheld, effects=finished.effects)
        # Rows of an earlier run have no content to compare; they come again in the input.
        step = None if batch.recovered else batch.queue.destination.read_back(finished, doubtful)
        if step is None:
            self._finish(batch, finished)
            return
        logger.info("Batch %d (%s): reading %d of its rows back", batch.number, batch.jobs, len(doubtful))
        batch.steps, batch.position = (step,), 0
        self._begin_step(batch)

    def _settle(self, batch: Batch, finished: Finished, undecided: list[int], following: list[list[Row]]) -> None:
        ends = BatchResult.of(batch, finished, undecided)
        if ends.delivered:
            self._brake.succeeded()
        self.closing.ends(batch, ends.delivered, ends.uncertain)
        numbers = ends.note(self._journal, batch, following, pending_removals=batch.pending_removals(finished.rejected))
        if batch.recovered:
            self.counts["recovered"] += len(ends.delivered)
        else:
            ends.report(self._outcomes, batch)
            batch.queue.opt_outs.arrived(batch.action, ends.delivered, ends.effects)
            refused = {id(batch.rows[at]): refusal for at, refusal in finished.rejected.items()}
            batch.queue.free(ends.ended, ends.withheld, refused, time.monotonic())
        self._jobs.settled(batch, ends, is_divided=bool(undecided))
        self._ended(batch)
        for number, rows in zip(numbers, following, strict=True):
            self._launch(batch.part(number, rows))
