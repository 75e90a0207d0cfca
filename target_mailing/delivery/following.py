"""Following jobs: when each is polled, how far it is, and how long it is followed."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from singer_sdk.metrics import Metric, Tag

from mailing_api.counted import lasting
from mailing_api.errors import MailingError, ProviderFault
from mailing_api.process.run_metrics import log_time
from target_mailing.delivery.batch import Batch
from target_mailing.delivery.calls import Calls
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.job_listings import JobListings
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.schedule import PollSchedule
from target_mailing.delivery.slots import Slots
from target_mailing.interface.destination import Again, Refusal
from target_mailing.journal.journal import Journal
from target_mailing.journal.recent_times import MOST_TIMES

__all__ = ["Following", "kind_of", "overdue", "poll_of"]

logger = logging.getLogger("target-mailing.delivery")

#: Polls of a job that may fail in a row (each already retried by the client) before the run fails.
_MAX_FAILED_POLLS: Final = 10
_UNREACHABLE: Final = (
    "Jobs under way cannot be polled. {error} The run waits for the provider: it fails when a job could not be polled "
    "{most} times in a row, and the next run polls the job again."
)
#: Seconds between two notes in the journal that a job progressed.
_PROGRESS_NOTED_EVERY: Final = 60.0


class Following:
    """The batches whose step waits for its next turn."""

    def __init__(
        self,
        calls: Calls,
        slots: Slots,
        journal: Journal,
        *,
        take: Callable[[Batch], None],
        runs: Callable[[Batch, Again], None],
    ) -> None:
        """Follow no job yet.

        Args:
            calls: makes the calls.
            slots: the batches under way.
            journal: where progress is noted.
            take: takes the current step of a batch.
            runs: takes a batch whose job still runs.
        """
        self._calls = calls
        self._slots = slots
        self._journal = journal
        self._take = take
        self._schedule = PollSchedule()
        self._listings = JobListings(calls, self._schedule, runs=runs)
        self._run_began = time.time()
        self._times: dict[str, deque[float]] = {}
        #: When the first of the latest polls began that failed (monotonic seconds); None if the latest was answered.
        self._unreachable_since: float | None = None

    def turn(self, now: float) -> None:
        """Take the steps that are due by now (monotonic seconds), as many as can be under way."""
        while self._calls.can_look and (due := self._schedule.next_due(now)) is not None:
            if not self._listings.take(due):
                self._take(due)

    def next_at(self) -> float | None:
        """When the next step is due (monotonic seconds), if it can be taken then."""
        return self._schedule.next_at() if self._calls.can_look else None

    def begin(self, batch: Batch) -> None:
        """Follow the job that was submitted in the step before."""
        batch.begun_at = batch.begun_at or time.time()
        self._schedule.begin(batch)

    def again(self, batch: Batch, after: float | None) -> None:
        """Take a step again that had no result; `after` as in `PollSchedule.again`."""
        self._schedule.again(batch, after)

    def polled(self, batch: Batch) -> None:
        """A poll was answered, or failed."""
        batch.looks += 1
        seconds = time.monotonic() - batch.polled_at
        self._note_time(poll_of(batch.queue.destination.name), seconds)
        self._schedule.polled(batch, seconds)

    @property
    def is_unreachable(self) -> bool:
        """Whether the provider failed at the latest poll."""
        return self._unreachable_since is not None

    def is_given_up(self, batch: Batch, error: MailingError) -> bool:
        """A poll has failed, though its job may be well: whether that happened too often or for too long."""
        batch.failed_polls += 1
        if isinstance(error, ProviderFault) and self._unreachable_since is None:
            self._unreachable_since = batch.polled_at
            logger.warning("%s", _UNREACHABLE.format(error=error, most=_MAX_FAILED_POLLS))
        if batch.failed_polls >= _MAX_FAILED_POLLS or self.overdue(batch) is not None:
            return True
        self._schedule.again(batch, batch.queue.settings.poll_max_interval)
        return False

    def ended(self, batch: Batch) -> None:
        """A job has ended: that is progress for those behind it at the provider, too."""
        self._reached()
        seconds = self._schedule.ended(batch)
        batch.queue.job_times.ended(None if batch.recovered else seconds)
        if not batch.recovered:
            tags = {"destination": batch.queue.destination.name, str(Tag.JOB_TYPE.value): batch.action}
            log_time(Metric.JOB_DURATION, seconds, tags)
            now, kind = time.time(), kind_of(batch.queue.destination.name, batch.route, batch.step.name)
            ended_at = (max(batch.begun_at, batch.ran_at) + now) / 2  # since it was last seen running
            self._note_time(kind, max(0.0, ended_at - batch.begun_at))  # the clock may have been put back
        for later in self._slots.later(batch):
            self._note_progress(later)

    def runs(self, batch: Batch, again: Again) -> None:
        """A job still runs."""
        self._reached()
        batch.ran_at = time.time()
        if again.progress is None or again.progress == batch.progress:
            return
        # The first look at a job of an earlier run shows no progress: else it would have all its time in each run.
        is_progress = not batch.recovered or batch.progress is not None
        batch.progress = again.progress
        if is_progress:
            self._note_progress(batch)

    def remember(self) -> None:
        """Note in the journal how long polls took, and the jobs that have ended."""
        if self._times:
            self._journal.recent_times.note(self._times)

    def overdue(self, batch: Batch) -> Refusal | DeliveryFailed | None:
        """As `overdue`, in this run."""
        return overdue(batch, run_began=self._run_began)

    def waiting(self, queue: DestinationQueue) -> int:
        """How many batches of a destination are not sent until other batches have been answered."""
        return self._schedule.waiting(queue)

    def _reached(self) -> None:
        if self._unreachable_since is not None:
            lasted = lasting(time.monotonic() - self._unreachable_since)
            self._unreachable_since = None
            logger.warning("The provider answers again, after %s. Jobs are polled as before.", lasted)

    def _note_time(self, kind: str, seconds: float) -> None:
        self._times.setdefault(kind, deque(maxlen=MOST_TIMES)).append(round(seconds, 3))

    def _note_progress(self, batch: Batch) -> None:
        batch.since = time.time()
        if batch.job is not None and batch.since - batch.noted_at > _PROGRESS_NOTED_EVERY:
            batch.noted_at = self._journal.begin_step(batch.number, batch.step.name)


def kind_of(destination: str, route: str, step: str) -> str:
    """The kind of a job, which tells how long it takes: its provider, its route, and the step that follows it."""
    return f"{destination.partition(':')[0]} {route.partition('-')[0]} {step}"


def poll_of(destination: str) -> str:
    """The kind of a poll, among the kinds of jobs: its provider."""
    return kind_of(destination, "any", "poll")


def overdue(batch: Batch, *, run_began: float) -> Refusal | DeliveryFailed | None:
    """Why a batch without a result is given up, or fails the run; None while it may wait.

    Time counts from the latest progress: of its job, or the end of a job that was submitted before it.

    Args:
        batch: that waits.
        run_began: Unix seconds; a batch of an earlier run is followed for as long as a batch of this run.
    """
    settings, now = batch.queue.settings, time.time()
    if now - batch.since > settings.job_abandon:
        return Refusal("unconfirmed", f"the job did not end within {settings.job_abandon:.0f} s of its last progress")
    if now - max(batch.since, run_began) > settings.job_timeout:
        return DeliveryFailed(
            f"Batch {batch.number} ({batch.jobs}) did not end within `job_timeout` ({settings.job_timeout:.0f} s) of "
            "its last progress. The journal keeps it, and the next run resumes it."
        )
    return None
