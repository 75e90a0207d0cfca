"""How many calls a delivery would make: those that its plan counts, and further polls of jobs, by their times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from statistics import median
from typing import Final

import msgspec

from mailing_api.counted import counted, lasting
from target_mailing.delivery.following import kind_of, poll_of
from target_mailing.delivery.looks import JobsOfBatch, expected_polls
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.queues import Queues
from target_mailing.delivery.slots import Slots
from target_mailing.foresight.foresight import FollowedBatch, Foresight
from target_mailing.interface.destination import ListsJobs

__all__ = ["PlannedCalls", "planned_calls"]

#: Rows that a run reads, maps and submits in a second, about.
_ROWS_A_SECOND: Final = 40_000.0


class PlannedCalls(msgspec.Struct, frozen=True):
    """The calls of a delivery.

    Attributes:
        calls: all of them.
        looks: those that poll jobs.
        jobs: that are followed.
        timed: of these, jobs whose time is known; the others are polled once.
        job_seconds: the median time of these jobs; None if there are none.
    """

    calls: int
    looks: int
    jobs: int
    timed: int
    job_seconds: float | None

    def sentences(self, rate: float | None) -> Iterator[str]:
        """How many there are, what is assumed, and how long they take at so many calls a second."""
        is_least = self.jobs > self.timed
        about = "at least " if is_least else "about " if self.timed else ""
        text = f"A delivery makes {about}{counted(self.calls, 'call')}"
        if self.job_seconds is not None:
            text += f", if jobs take {_rounded(self.job_seconds)} s as lately"
        elif self.jobs:
            text += ", with one poll of each job"
        yield f"{text}."
        if is_least:
            known = "Some jobs' times are not known: one poll of each." if self.timed else "No job's time is known yet."
            yield f"{known} Each further poll is one more call."
        if rate is not None:
            least = "at least " if is_least else ""
            yield f"At {rate:.3g} calls a second they take {least}{lasting(self.calls / rate)}."


def planned_calls(
    foresight: Foresight,
    queues: Queues,
    *,
    jobs_in_flight: int,
    seconds_of: Callable[[str], float | None],
) -> PlannedCalls:
    """The calls of the delivery that a plan foresees.

    Args:
        foresight: of the plan.
        queues: of its destinations.
        jobs_in_flight: batches under way at the same time.
        seconds_of: how long a job of a kind took lately; None if no time is known.
    """
    slots = Slots(jobs_in_flight)
    looks, jobs, times = 0.0, 0, list[float]()
    batches = [batch for _, batch in sorted(foresight.followed.items())]
    for name, group in groupby(sorted(batches, key=_destination), _destination):
        queue, here = queues.get(name), [*group]
        known = {kind: seconds_of(kind) for kind in {kind for batch in here for kind in _kinds(batch)}}
        times += [seconds for batch in here for kind in _kinds(batch) if (seconds := known[kind]) is not None]
        jobs += sum(len(batch.steps) for batch in here)
        if queue is not None:
            timed = [
                JobsOfBatch([known[kind] or 0.0 for kind in _kinds(batch)], after=batch.rows / _ROWS_A_SECOND)
                for batch in here
            ]
            looks += _polls(queue, here, timed, slots, takes=seconds_of(poll_of(name)) or 0.0)
    more = round(looks) - jobs
    return PlannedCalls(foresight.calls + more, jobs + more, jobs, len(times), median(times) if times else None)


def _destination(batch: FollowedBatch) -> str:
    return batch.destination


def _kinds(batch: FollowedBatch) -> Iterator[str]:
    """The kind of each job of a batch."""
    return (kind_of(batch.destination, batch.route, step) for step in batch.steps)


def _polls(
    queue: DestinationQueue,
    batches: Sequence[FollowedBatch],
    timed: Sequence[JobsOfBatch],
    slots: Slots,
    *,
    takes: float,
) -> float:
    jobs = sum(len(batch.jobs) for batch in timed)
    if not any(seconds for batch in timed for seconds in batch.jobs):
        return jobs
    at_once = slots.most_at_once(queue, sum(batch.rows for batch in batches) / len(batches))
    lists_jobs = isinstance(queue.destination, ListsJobs)
    return expected_polls(timed, queue.settings, at_once=at_once, lists_jobs=lists_jobs, takes=takes)


def _rounded(seconds: float) -> str:
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:,.0f}"
