"""The queues of all destinations of a run."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping

from target_mailing.delivery.job_times import JobTimes
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.removal_guard import RemovalGuard

__all__ = ["Queues"]


class Queues:
    """The queues by their destinations; they begin batches in turns.

    Attributes:
        guard: decides whether their removals may be made.
        has_all: no more rows will come, of the input or of those who are absent from it.
    """

    def __init__(self, guard: RemovalGuard) -> None:
        """Begin with none."""
        self.guard = guard
        self.has_all = False
        self._by_name: dict[str, DestinationQueue] = {}
        #: The one first whose turn it is.
        self._turns: deque[DestinationQueue] = deque()

    def get(self, destination: str) -> DestinationQueue | None:
        """The queue of a destination, if there is one."""
        return self._by_name.get(destination)

    def add(self, queue: DestinationQueue) -> None:
        """Add the queue of one more destination."""
        self._by_name[queue.destination.name] = queue
        self.guard.begins(queue)
        if self.guard.is_limited:
            queue.removals.limit()
        queue.removals.most_shown = max(queue.removals.most_shown, self.guard.most_shown)
        self._turns.append(queue)

    def is_crowded(self) -> bool:
        """Whether no more rows should be read for now."""
        return any(queue.is_crowded() for queue in self._turns)

    def is_empty(self) -> bool:
        """Whether no row is here, under way, or to come; rows of removals that may not be made do not matter."""
        return self.has_all and self.guard.is_judged and self.are_settled()

    def are_settled(self) -> bool:
        """Whether no row is here or under way, but for those that wait for the guard."""
        return all(queue.is_empty() for queue in self._turns)

    def turn(self, now: float, *, ending: bool, replaced: Callable[[], Mapping[DestinationQueue, float]]) -> None:
        """Leave what was decided on disk, and make batches due, as in `DestinationQueue.close_batches`.

        When no more rows will come, and only removals and the rows behind them are left, judge these, and the earlier
        contents that are `replaced`, as in `RemovalGuard.judge`.
        """
        if self.has_all and not self.guard.is_judged and self.are_settled():
            self.guard.judge(self._turns, replaced())
        self.guard.made()
        for queue in self._turns:
            queue.take_back()
            queue.batches.keep_on_disk()
            queue.close_batches(now, ending=ending)

    def begin_batches(self, begin_next: Callable[[DestinationQueue], bool]) -> None:
        """Let the queues begin batches in turns, until none begins one more.

        Args:
            begin_next: begins the next batch of a queue, if there is one and it may; whether it did.
        """
        idle = 0
        while idle < len(self._turns):
            queue = self._turns[0]
            self._turns.rotate(-1)
            idle = 0 if begin_next(queue) else idle + 1

    def due_at(self) -> float | None:
        """When the oldest open batch is old enough to be sent (monotonic seconds)."""
        times = (queue.batches.due_at() for queue in self._turns)
        return min((moment for moment in times if moment is not None), default=None)

    def remember(self) -> None:
        """All rows have ended and nothing failed: note what only such a run shows."""
        for queue in self._turns:
            queue.shared_keys.remember()

    def remember_allowance(self) -> None:
        """The run has ended and nothing failed: note that it had the setting `allow_removals_once`."""
        self.guard.remember(self._turns)

    def job_times(self) -> dict[str, JobTimes]:
        """How long jobs took, by destination, where any ended."""
        return {name: queue.job_times for name, queue in self._by_name.items() if queue.job_times.jobs}

    def repeated_keys(self) -> Counter[str]:
        """By stream, rows whose key stands for other addresses, too."""
        return sum((queue.shared_keys.rows for queue in self._turns), Counter())
