"""Reports of jobs: to the log, and to the history."""

from __future__ import annotations

import logging
import time

import msgspec

from mailing_api.counted import counted
from target_mailing.delivery.batch import Batch
from target_mailing.delivery.result import BatchResult
from target_mailing.run_events import History, Job

__all__ = ["JobRecords"]

logger = logging.getLogger("target-mailing.delivery")


class JobRecords:
    """The jobs of the batches under way."""

    def __init__(self, history: History, *, log_level: int) -> None:
        """Begin with none; the level is that of lines about batches that have ended."""
        self._history = history
        self._log_level = log_level
        self._jobs: dict[int, Job] = {}

    def submitted(self, batch: Batch) -> None:
        """The job of a batch was submitted, or found; a batch that is sent again has another one."""
        what = f"{counted(len(batch.rows), 'row')}, {batch.action}"
        logger.info("Batch %d (%s) submitted: %s", batch.number, what, batch.jobs)
        if (before := self._jobs.get(batch.number)) is not None and before.job_id != batch.first_job:
            self._ended(before, batch, "repeated", 0)
        if batch.number not in self._jobs:
            self._begin(batch)

    def left(self, batch: Batch) -> None:
        """A batch stays for the next run."""
        logger.debug("Batch %d stays at step %r for the next run", batch.number, batch.step.name)
        self.ended(batch, "unfinished")

    def settled(self, batch: Batch, ends: BatchResult, *, is_divided: bool) -> None:
        """The rows of a batch have ended so; some may continue in other batches."""
        logger.log(self._log_level, "Batch %d %s", batch.number, ends.sentence(batch))
        self.ended(batch, "divided" if is_divided else "completed", len(ends.refused))

    def ended(self, batch: Batch, status: str, refused: int = 0) -> None:
        """A batch has ended, or stays for the next run.

        Args:
            batch: of this run, or of an earlier one.
            status: `completed` if every row has its result, `divided` if some are sent again in other batches,
                `unfinished` if it stays for the next run, `discarded` if its rows come again in the input.
            refused: how many of its rows were rejected.
        """
        if self._history.takes_jobs and (job := self._jobs.get(batch.number) or self._begin(batch)) is not None:
            self._ended(job, batch, status, refused)

    def _begin(self, batch: Batch) -> Job | None:
        if (job_id := batch.first_job) is None or not self._history.takes_jobs:
            return None
        job = Job(
            batch=batch.number,
            job_id=job_id,
            destination=batch.queue.destination.name,
            route=batch.route,
            action=batch.action,
            rows=len(batch.rows),
            submitted=batch.since or time.time(),
            resumed=batch.recovered,
        )
        self._jobs[batch.number] = job
        self._history.job(job)
        return job

    def _ended(self, job: Job, batch: Batch, status: str, refused: int) -> None:
        del self._jobs[batch.number]
        ended = None if status == "unfinished" else time.time()
        looks = batch.looks
        self._history.job(msgspec.structs.replace(job, ended=ended, looks=looks, status=status, refused=refused))
