"""The jobs of a run, in bounded memory."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Final

from target_mailing.run_events import Job

__all__ = ["JobLog", "status_of"]

#: Jobs that are kept at most.
_MOST: Final = 1000


class JobLog:
    """Takes jobs; of many it keeps those that need attention, and of the others those that took longest.

    Attributes:
        counts: jobs that have ended by status, as of `status_of`, all of them.
        rows: that they had, all of them.
    """

    def __init__(self, most: int = _MOST) -> None:
        """Begin with none; keep so many at most."""
        self._most = most
        self._open: dict[tuple[int, str], Job] = {}
        #: A heap of those that have ended: the first one is the next to be forgotten.
        self._ended: list[tuple[tuple[bool, bool, float], int, Job]] = []
        self._number = 0
        self.counts: Counter[str] = Counter()
        self.rows = 0

    def take(self, job: Job) -> None:
        """A job was submitted, or has ended."""
        key = job.batch, job.job_id
        if key not in self._open:
            self.rows += job.rows
        else:
            del self._open[key]
        if job.status == "submitted":
            self._open[key] = job
            return
        self.counts[status_of(job)] += 1
        self._number += 1
        seconds = 0.0 if job.ended is None else job.ended - job.submitted
        entry = (job.status != "completed", job.refused > 0, seconds), self._number, job
        if len(self._ended) < self._most:
            heapq.heappush(self._ended, entry)
        else:
            heapq.heappushpop(self._ended, entry)

    @property
    def statuses(self) -> dict[str, int]:
        """How many have each status, the most frequent first."""
        counts = self.counts + Counter(job.status for job in self._open.values())
        return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))

    def kept(self) -> list[Job]:
        """The jobs that are shown, in the order in which they were submitted."""
        jobs = [*self._open.values(), *(job for _, _, job in sorted(self._ended, reverse=True))][: self._most]
        return sorted(jobs, key=lambda job: (job.submitted, job.batch))


def status_of(job: Job) -> str:
    """How a job ended, in one word: its status, or `refused` if it completed and the provider refused rows of it."""
    return "refused" if job.refused and job.status == "completed" else job.status
