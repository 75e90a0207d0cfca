"""One call that shows which jobs of a destination still run, in place of a call for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.calls import Calls, Running
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.schedule import PollSchedule
from target_mailing.interface.destination import Again, ListsJobs

__all__ = ["WORTHWHILE", "JobListings"]

#: Jobs at one destination from which a listing takes fewer calls than polling each one.
WORTHWHILE: Final = 3
#: Listings without any of our jobs after which a destination's jobs are polled one by one.
_MOST_USELESS: Final = 2


class JobListings:
    """Which jobs are polled: those that the listing shows as ended, and those that are due and that it does not show.

    The listing only tells that a job still runs, which is a look at each such job, due or not. How one ended, its own
    poll shows.
    """

    def __init__(
        self,
        calls: Calls,
        schedule: PollSchedule,
        *,
        runs: Callable[[Batch, Again], None],
    ) -> None:
        """Make it with no listing under way.

        Args:
            calls: makes the calls.
            schedule: of the polls.
            runs: takes a batch whose job still runs.
        """
        self._calls = calls
        self._schedule = schedule
        self._runs = runs
        self._due: dict[DestinationQueue, list[Batch]] = {}
        #: Batches that are due for a poll of their own.
        self._alone: set[Batch] = set()
        self._useless: Counter[DestinationQueue] = Counter()

    def take(self, batch: Batch) -> bool:
        """Take a batch whose job is due for a poll, if a listing shows that job among others."""
        queue, destination = batch.queue, batch.queue.destination
        if batch in self._alone:
            self._alone.discard(batch)
            return False
        if batch.job is None or not isinstance(destination, ListsJobs) or self._useless[queue] >= _MOST_USELESS:
            return False
        if queue in self._due:
            self._due[queue].append(batch)
            return True
        others = self._schedule.watching(queue)
        if len(others) + 1 < WORTHWHILE:
            return False
        self._due[queue] = [batch]
        jobs = {str(one.job) for one in (batch, *others)}
        self._calls.look(lambda: destination.running_jobs(jobs), lambda future: self._listed(queue, future))
        return True

    def _listed(self, queue: DestinationQueue, future: Future[Running]) -> None:
        running: Running = {} if future.exception() is not None else future.result()
        self._useless[queue] = 0 if running else self._useless[queue] + 1
        due = self._due.pop(queue)
        others = [batch for batch in self._schedule.watching(queue) if str(batch.job) in running]
        for batch in (*due, *others):
            shown = running.get(str(batch.job))
            if shown is None:
                self._poll_alone(batch)
            else:
                batch.looks += 1
                self._schedule.drop(batch)  # one that is given up now must not be polled later
                self._runs(batch, shown)

    def _poll_alone(self, batch: Batch) -> None:
        """Poll a job now, as soon as one more poll may be under way."""
        self._alone.add(batch)
        self._schedule.add(batch, 0.0)
