"""A provider's job: whether it may be the one that a lost reply started, and polling it until it has ended."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Hashable
from typing import Any, Final, Generic, Protocol, TypeVar

from mailing_api.errors import NotFound
from mailing_api.values import number, timestamp, to_epoch
from target_mailing.interface.destination import Again, Finished, Progress, Step, Work

__all__ = ["FollowJob", "is_near"]

#: Seconds for which a provider must not know a job before it is given up, and how often it must say so.
_APPEARS_WITHIN = 60.0
_LOOKS: Final = 3
#: Seconds by which the provider's clock and ours may differ.
_CLOCK_SKEW: Final = 120.0


def is_near(work: Work, *moments: Any) -> bool:
    """Whether the first of a job's moments that is set lies between the call of a step and the loss of its reply.

    If none is set, the job fits: it may be waiting. The provider's clock and ours may differ by two minutes.

    Args:
        work: of the step.
        moments: as the provider writes them; a moment that cannot be read is not set.
    """
    seconds = next(filter(None, map(_seconds, moments)), None)
    return seconds is None or work.begun_at - _CLOCK_SKEW <= seconds <= (work.lost_at or time.time()) + _CLOCK_SKEW


def _seconds(moment: Any) -> float | None:
    try:
        return number(moment)
    except (ValueError, OverflowError):
        pass
    try:
        date = timestamp(moment)
    except (ValueError, TypeError):
        return None
    return to_epoch(date) if date else None


class _Job(Protocol):
    @property
    def is_terminal(self) -> bool: ...

    @property
    def progress(self) -> Hashable: ...


J = TypeVar("J", bound=_Job)


class FollowJob(Step, Generic[J]):
    """Polls the job that an earlier step started."""

    name = "follow"
    watches = True
    started_by: str = "submit"

    def run(self, work: Work) -> Progress:
        """Poll once."""
        job_id = str(work.evidence[self.started_by]["job"])
        try:
            job = self.read(job_id)
        except NotFound:
            # One look may meet a part of the provider that has not heard of the job yet.
            is_given_up = work.missing + 1 >= _LOOKS and time.time() - work.missing_since >= _APPEARS_WITHIN
            return self.lost(job_id, work) if is_given_up else Again(is_missing=True)
        return self.ended(job_id, job, work) if job.is_terminal else Again(progress=job.progress)

    @abstractmethod
    def read(self, job_id: str) -> J:
        """The job now.

        Raises:
            NotFound: the provider shows no such job.
        """

    @abstractmethod
    def ended(self, job_id: str, job: J, work: Work) -> Progress:
        """What follows from the job, which has ended."""

    def lost(self, job_id: str, work: Work) -> Progress:
        """What follows if the provider does not show the job; unless overridden, its rows are unresolved."""
        reason = "the provider does not know the job"
        return Finished(job=job_id, unresolved=True, reason=reason, withheld=work.withheld)
