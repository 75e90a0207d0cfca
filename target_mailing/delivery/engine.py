"""Delivering: batches go through their steps, jobs are followed to their end, rows get their outcomes.

One thread, the caller's, owns everything that is remembered: batches, journal, outcomes. Other threads only talk to
providers: `jobs_in_flight` of them take steps, one looks at jobs. What they find comes back through the inbox, so
that nothing here needs a lock. Knows no provider.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import msgspec

from mailing_api.counted import counted
from mailing_api.errors import MailingError, ProviderFault, RateLimited, UnreadableAnswer
from mailing_api.http.threads import DaemonPool
from target_mailing.delivery.batch import Batch, SplitBudget
from target_mailing.delivery.closing import CLOSING, to_be_closed
from target_mailing.delivery.contested import is_contested
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.lost_rows import MAX_LOST, judged_alone
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.queue import DestinationQueue, ReadyBatch, pending_removals
from target_mailing.delivery.recovery import can_resume, undo
from target_mailing.delivery.result import BatchResult
from target_mailing.delivery.schedule import PollSchedule, overdue
from target_mailing.destination import Again, Destination, Done, Finished, Progress, Refusal
from target_mailing.journal.journal import Journal, StoredBatch
from target_mailing.row import Row
from target_mailing.settings import StreamSettings

__all__ = ["Delivery"]

logger = logging.getLogger("target-mailing.delivery")

#: Looks at a job that may fail in a row (each already retried by the client) before the run gives up.
_MAX_FAILED_LOOKS = 10


class Delivery:
    """Everything under way in one run."""

    def __init__(
        self,
        *,
        journal: Journal,
        outcomes: Outcomes,
        jobs_in_flight: int,
        notify: Callable[[Callable[[], None]], None],
    ) -> None:
        """Make a delivery with nothing under way.

        Args:
            journal: the local memory.
            outcomes: is told how rows end.
            jobs_in_flight: batches under way at the same time.
            notify: called from other threads with what the owning thread is to call next.
        """
        self._journal = journal
        self._outcomes = outcomes
        self._jobs_in_flight = jobs_in_flight
        self._notify = notify
        self._workers = DaemonPool(jobs_in_flight, "steps")
        self._poller = DaemonPool(1, "poller")
        self._queues: dict[str, DestinationQueue] = {}
        self._under_way: set[int] = set()
        self._submitting: set[int] = set()
        self._queued: dict[str, deque[Batch]] = {}
        self._name = journal.name
        self._schedule = PollSchedule()
        self._started_at = time.time()
        self._ending = False
        #: No new batch is to begin for now, however many rows wait.
        self.is_held = False
        self.error: Exception | None = None
        self.counts: Counter[str] = Counter()

    # For the owning thread

    def queue(
        self, destination: Destination, settings: StreamSettings, *, batches_at_once: int | None
    ) -> DestinationQueue:
        """The queue of a destination; a new one first goes on with what an earlier run left unfinished."""
        queue = self._queues.get(destination.name)
        if queue is None:
            queue = self._queues[destination.name] = DestinationQueue(
                destination,
                settings,
                journal=self._journal,
                outcomes=self._outcomes,
                batches_at_once=batches_at_once,
            )
            for stored in self._journal.unfinished(destination.name):
                self._resume(queue, stored)
        return queue

    def offer(self, queue: DestinationQueue, rows: list[Row]) -> None:
        """Take in rows of one queue, in order."""
        if queue.recovering:
            queue.held.extend(rows)
        else:
            queue.offer(rows, time.monotonic())

    def may_take_more(self) -> bool:
        """Whether more input should be read now; what is in memory stays bounded."""
        return self.is_held or not any(queue.is_crowded() for queue in self._queues.values())

    def pump(self) -> None:
        """Send what is due, as far as jobs may be in flight."""
        now = time.monotonic()
        for batch in self._schedule.due(now):
            self._look(batch)
        for queue in self._queues.values():
            if self._ending:
                queue.batcher.close_all()
            else:
                queue.batcher.close_old(now)
        if self.error is not None or self.is_held:
            return
        for queue in self._queues.values():
            while not queue.recovering and queue.has_room() and len(self._under_way) < self._jobs_in_flight:
                ready = queue.next_batch(ending=self._ending)
                if ready is None:
                    break
                self._start(queue, ready)

    def next_event_at(self) -> float | None:
        """When `pump` next has something to do by itself (monotonic seconds)."""
        opened = [(queue.batcher.oldest(), queue.settings.batch_max_age) for queue in self._queues.values()]
        times = [self._schedule.next_at(), *(at + age for at, age in opened if at is not None)]
        return min((at for at in times if at is not None), default=None)

    def end(self) -> None:
        """No more rows will come: batches go whatever their size."""
        self._ending = True

    def remember(self) -> None:
        """All rows have ended, and well: note what only such a run tells."""
        for queue in self._queues.values():
            queue.shared_keys.remember()

    def close(self, *, is_whole: bool) -> bool:
        """All rows have ended, and well: begin what is left to do for destinations that start over, if anything is.

        Args:
            is_whole: nothing speaks against the input being all of it.
        """
        try:
            for queue, steps in to_be_closed(self._queues.values(), is_whole=is_whole):
                name = queue.destination.name
                number = self._journal.begin_batch(name, "", CLOSING, [])
                self._launch(Batch(number, queue, "", CLOSING, [], steps, time.time(), SplitBudget()))
        except DeliveryFailed as error:
            self.fail(error)
        return bool(self._under_way)

    def holds_state(self) -> bool:
        """Whether no STATE may leave, since what the run does counts only as a whole."""
        return any(queue.holds_state for queue in self._queues.values())

    def fail(self, error: Exception) -> None:
        """Submit nothing more; jobs under way are still followed to their end."""
        if self.error is None:
            self.error = error

    def is_idle(self) -> bool:
        """Whether nothing is under way; with an error, what was not begun is left."""
        if self._under_way:
            return False
        return self.error is not None or all(queue.is_empty() for queue in self._queues.values())

    def is_submitting(self) -> bool:
        """Whether a call is on its way that must not be made twice."""
        return bool(self._submitting)

    def repeated_keys(self) -> Counter[str]:
        """By stream, rows whose key stands for other addresses, too."""
        return sum((queue.shared_keys.rows for queue in self._queues.values()), Counter())

    def unfinished(self) -> int:
        """Batches under way."""
        return len(self._under_way)

    # Batches

    def _start(self, queue: DestinationQueue, ready: ReadyBatch) -> None:
        action, route, rows = ready.action, ready.route, ready.rows
        # What is to leave after these rows came is noted with them, so that no kill in between lets it stay.
        pending = pending_removals(rows)
        number = self._journal.begin_batch(queue.destination.name, action, route, rows, pending_removals=pending)
        steps = queue.destination.steps(action, route)
        self._launch(Batch(number, queue, action, route, rows, steps, time.time(), SplitBudget()))

    def _launch(self, batch: Batch) -> None:
        self._under_way.add(batch.number)
        self.counts["batches"] += 1
        self.counts["resubmitted"] += sum(row.resubmitted for row in batch.rows)
        if batch.queue.has_room():
            batch.queue.under_way += 1
            self._begin_step(batch)
        else:  # one that another was split into
            self._queued.setdefault(batch.queue.destination.name, deque()).append(batch)

    def _resume(self, queue: DestinationQueue, stored: StoredBatch) -> None:
        steps = queue.destination.steps(stored.action, stored.route)
        is_followed = can_resume(queue.destination, stored, steps)
        batch = Batch.of_earlier_run(queue, stored, steps)
        queue.recovering += 1
        queue.under_way += 1
        self._under_way.add(batch.number)
        if not is_followed:
            self._discard(batch, is_uncertain=any(step.sends and step.name in stored.steps for step in steps))
            return
        self.counts["resumed"] += 1
        logger.info("Resuming batch %d of an earlier run at step %r", batch.number, batch.step.name)
        if batch.step.name in stored.steps and not batch.step.repeatable:
            self._recover_step(batch)
        else:
            self._begin_step(batch)

    def _discard(self, batch: Batch, *, is_uncertain: bool) -> None:
        """Forget a batch of an earlier run. STATE has not moved past its rows, so they come again and go out again."""

        def discarded() -> None:
            self._journal.discard(batch.number, uncertain=batch.rows if is_uncertain else ())
            self._ended(batch)

        self._undo(batch, discarded)

    def _undo(self, batch: Batch, then: Callable[[], None]) -> None:
        """Clear away what the steps taken left of a batch that goes no further; then go on, whatever came of that."""
        steps, work = batch.taken, batch.work(journal=self._name)
        self._workers.submit(lambda: undo(steps, work)).add_done_callback(lambda _: self._notify(then))

    def _begin_step(self, batch: Batch) -> None:
        if self.error is not None and batch.is_to_submit:
            self._leave(batch, self.error)
            return
        if batch.step.watches:
            # A job needs a moment; one of an earlier run had it.
            batch.begun_at = batch.begun_at or time.time()
            self._schedule.add(batch, 0.0 if batch.recovered else batch.queue.settings.poll_interval)
            return
        batch.begin(self._journal.begin_step(batch.number, batch.step.name))
        self._take_step(batch)

    def _look(self, batch: Batch) -> None:
        """Take a step once more that had nothing to tell."""
        if batch.waits and self.error is None:
            self._judge_lost_row(batch)
        elif batch.step.watches and batch.begun_at:
            self._take_step(batch)
        else:
            self._begin_step(batch)

    def _take_step(self, batch: Batch) -> None:
        step, work = batch.step, batch.work(journal=self._name)
        if not step.repeatable:
            self._submitting.add(batch.number)
        pool = self._poller if step.watches else self._workers
        pool.submit(lambda: step.run(work)).add_done_callback(
            lambda future: self._notify(lambda: self._step_taken(batch, future))
        )

    def _recover_step(self, batch: Batch) -> None:
        known = self._journal.evidence(batch.queue.destination.name)
        step, work = batch.step, batch.work(journal=self._name, known=known)
        self._workers.submit(lambda: step.recover(work)).add_done_callback(
            lambda future: self._notify(lambda: self._step_recovered(batch, future))
        )

    def _step_taken(self, batch: Batch, future: Future[Progress]) -> None:
        self._submitting.discard(batch.number)
        error = future.exception()
        if error is None:
            batch.failed_looks = 0
            self._progress(batch, future.result())
        elif not isinstance(error, MailingError):
            self._leave(batch, error)
        elif batch.step.watches and isinstance(error, (RateLimited, ProviderFault, UnreadableAnswer)):
            batch.failed_looks += 1  # which says nothing about the job
            if batch.failed_looks < _MAX_FAILED_LOOKS and overdue(batch, run_began=self._started_at) is None:
                self._look_again(batch, batch.queue.settings.poll_max_interval)
            else:
                self._leave(batch, error)
        elif error.maybe_done and not batch.step.repeatable:
            logger.warning("Batch %d: the reply of step %r was lost: %s", batch.number, batch.step.name, error)
            batch.lost_to = error.status
            self._recover_step(batch)
        else:
            self._forget_step(batch)
            self._leave(batch, error)

    def _forget_step(self, batch: Batch) -> None:
        """The step that it is at did not happen; noted stays what may be done twice, or may have been done before."""
        if not batch.step.repeatable and not batch.maybe_done:
            self._journal.forget_step(batch.number, batch.step.name)
            batch.begun_at = 0.0

    def _progress(self, batch: Batch, progress: Progress) -> None:
        if isinstance(progress, Done):
            self._step_done(batch, progress)
        elif isinstance(progress, Finished):
            self._finish(batch, progress)
        else:
            self._wait(batch, progress)

    def _step_done(self, batch: Batch, done: Done) -> None:
        # How often it was submitted before, since those jobs, if there are any, stay unknown.
        evidence = done.evidence | {"lost": batch.lost} if batch.lost and not batch.step.repeatable else done.evidence
        if done.refused:
            batch.refused |= done.refused
            evidence = evidence | {"refused": sorted(done.refused)}
        names, left = batch.with_contacts(done.names), batch.with_contacts(done.left)
        there = batch.queue.destination.name
        self._journal.end_step(there, batch.number, batch.step.name, evidence, ids=names, dropped_ids=left)
        batch.evidence[batch.step.name] = evidence
        if not batch.step.repeatable:
            batch.queue.answered.note(sum(len(row.contact) for row in batch.rows))
        if "job" in done.evidence:
            logger.info(
                "Batch %d (%s, %s): %s", batch.number, counted(len(batch.rows), "row"), batch.action, batch.jobs
            )
        batch.advance()
        self._begin_step(batch)

    def _step_recovered(self, batch: Batch, future: Future[Done | None]) -> None:
        error = future.exception()
        if error is not None:
            self._leave(batch, error)
        elif (done := future.result()) is not None and not is_contested(self._journal, batch, done):
            logger.info("Batch %d: step %r had been done; going on from there", batch.number, batch.step.name)
            self.counts["adopted"] += 1
            self._step_done(batch, done)
        elif batch.recovered:
            self._discard(batch, is_uncertain=not batch.step.prepares)  # nobody knows
        elif self.error is not None:
            self._leave(batch, self.error)
        else:
            self._submit_again(batch)

    def _submit_again(self, batch: Batch) -> None:
        batch.lost += 1
        batch.losses = batch.losses.and_now(batch.queue.answered.at)
        if batch.lost < MAX_LOST:
            self.counts["resubmitted"] += 0 if batch.step.prepares else len(batch.rows)
            batch.rewind()
            self._begin_step(batch)
        elif len(batch.rows) > 1:
            # The connection may be cut because the batch is too large.
            why = "the reply was lost again and again"
            verdict = Finished(unresolved=True, absent=batch.step.prepares, reason=why)
            self._undo(batch, lambda: self._finish(batch, verdict))
        else:
            self._judge_lost_row(batch)

    def _judge_lost_row(self, batch: Batch) -> None:
        """A row by itself was never answered, perhaps while the provider answers what else it is asked."""
        queued = self._queued.get(batch.queue.destination.name, deque())
        is_next = any(not one.waits for one in queued)
        has_others = is_next or batch.queue.under_way - self._schedule.waiting(batch.queue) > 1
        has_waited, batch.waits = batch.waits, False
        verdict = judged_alone(batch, has_others=has_others)
        if verdict is None:
            self._leave(batch, DeliveryFailed("The reply to a batch of one row was lost again and again."))
        elif isinstance(verdict, Refusal):
            ended = Finished(absent=batch.step.prepares)
            self._undo(batch, lambda: self._give_up(batch, ended, {0: verdict}))
        elif verdict == "send" and has_waited:
            self._begin_step(batch)
        else:
            batch.rewind()
            batch.waits = True
            if is_next:
                queued.append(batch)
                self._look(queued.popleft())
            else:
                self._look_again(batch, batch.queue.settings.poll_max_interval)

    def _wait(self, batch: Batch, again: Again) -> None:
        if again.maybe_done:
            batch.maybe_done = True
            self.counts["resubmitted"] += 0 if batch.step.repeatable else len(batch.rows)
        self._forget_step(batch)
        reason = overdue(batch, run_began=self._started_at)
        if isinstance(reason, Refusal):
            sent = [at for at in range(len(batch.rows)) if at not in batch.withheld and at not in batch.refused]
            verdict, refusals = Finished(withheld=batch.withheld), dict.fromkeys(sent, reason)
            self._undo(batch, lambda: self._give_up(batch, verdict, refusals))
        elif reason is not None:
            self._leave(batch, reason)
        else:
            batch.put_off(rewind=again.rewind)
            self._look_again(batch, again.after)

    def _look_again(self, batch: Batch, after: float | None) -> None:
        self._schedule.add(batch, after)
        batch.polls += 1

    # Ends

    def _leave(self, batch: Batch, error: BaseException) -> None:
        """The run fails at this batch, which stays in the journal."""
        logger.debug("Batch %d is left at step %r", batch.number, batch.step.name)
        self.fail(error if isinstance(error, Exception) else DeliveryFailed(type(error).__name__))
        if all(step.repeatable for step in batch.taken):  # nothing was submitted: the next run begins it anew
            self._undo(batch, lambda: self._under_way.discard(batch.number))
        else:
            self._under_way.discard(batch.number)
        for queued in self._queued.pop(batch.queue.destination.name, ()):  # of which nothing was begun
            self._under_way.discard(queued.number)

    def _ended(self, batch: Batch) -> None:
        self._under_way.discard(batch.number)
        batch.queue.under_way -= 1
        if (queued := self._queued.get(batch.queue.destination.name)) and batch.queue.has_room():
            batch.queue.under_way += 1
            self._look(queued.popleft())
        if batch.recovered:
            batch.queue.recovering -= 1
            if not batch.queue.recovering:
                held, batch.queue.held = batch.queue.held, []
                batch.queue.offer(held, time.monotonic())

    def _finish(self, batch: Batch, finished: Finished) -> None:
        if batch.refused:
            finished = msgspec.structs.replace(finished, rejected={**batch.refused, **finished.rejected})
        undecided = [
            at
            for at in (range(len(batch.rows)) if finished.unresolved else finished.resend)
            if at not in finished.rejected and at not in finished.withheld
        ]
        following: list[list[Row]] = []
        if undecided and not batch.recovered:
            if self.error is None:
                parts = 2 if finished.unresolved else 1
                following = batch.divide(undecided, parts=parts, absent=finished.absent)
            if not following:
                is_told = finished.absent or (finished.unresolved and len(undecided) == 1)
                why = finished.reason
                refusal = Refusal("not_imported", why) if is_told else Refusal("unconfirmed", why)
                self._give_up(batch, finished, dict.fromkeys(undecided, refusal))
                return
        self._settle(batch, finished, undecided, following)

    def _give_up(self, batch: Batch, finished: Finished, refusals: Mapping[int, Refusal]) -> None:
        """No job can tell whether these rows arrived: they are refused, unless the provider can be asked for them."""
        rejected = {**finished.rejected, **refusals}
        verdict = Finished(job=finished.job, rejected=rejected, withheld=finished.withheld, effects=finished.effects)
        # Rows of an earlier run have no content to compare; they come again in the input.
        step = None if batch.recovered else batch.queue.destination.read_back(verdict, list(refusals))
        if step is None:
            self._finish(batch, verdict)
            return
        logger.info(
            "Batch %d (%s): looking for %s at the provider", batch.number, batch.jobs, counted(len(refusals), "row")
        )
        batch.steps, batch.at = (step,), 0
        self._begin_step(batch)

    def _settle(self, batch: Batch, finished: Finished, undecided: list[int], following: list[list[Row]]) -> None:
        queue = batch.queue
        ends = BatchResult.of(batch, finished, undecided)
        numbers = self._journal.settle(
            batch.number,
            destination=queue.destination.name,
            action=batch.action,
            route=batch.route,
            outcomes=ends.counts,
            confirmed=ends.delivered,
            uncertain=ends.uncertain,
            forgotten=ends.forgotten,
            pending_removals=batch.kept(finished.rejected),
            rejects=ends.rejects,
            following=following,
        )
        if batch.recovered:
            self.counts["recovered"] += len(ends.delivered)
        else:
            queue.delivered += len(ends.delivered) if batch.action != queue.destination.actions.ask else 0
            queue.holds_state &= batch.route != CLOSING
            ends.tell(self._outcomes, batch)
            queue.opt_outs.arrived(batch.action, ends.delivered, ends.effects)
            for row in ends.withheld:
                queue.opted_out(row)
            now = time.monotonic()
            for at, refusal in finished.rejected.items():
                queue.refused(batch.rows[at], refusal, now)
            queue.free(ends.ended, now)
        logger.info("Batch %d %s", batch.number, ends.said_of(batch))
        self._ended(batch)
        for number, rows in zip(numbers, following, strict=True):
            self._launch(batch.part(number, rows))
