"""Calls to providers, made in other threads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from mailing_api.errors import MailingError
from mailing_api.http.threads import DaemonPool
from target_mailing.delivery.batch import Batch
from target_mailing.destination import Done, Progress
from target_mailing.journal.journal import Journal

__all__ = ["Calls"]

logger = logging.getLogger("target-mailing.delivery")

_T = TypeVar("_T")


class Calls:
    """The threads that take the steps of batches. The thread that owns the batches takes their results."""

    def __init__(self, journal: Journal, *, workers: int, notify: Callable[[Callable[[], None]], None]) -> None:
        """Make the threads; they start when first needed.

        Args:
            journal: whose evidence steps are given.
            workers: steps taken at the same time; one more thread polls jobs.
            notify: takes, from other threads, a call for the owning thread to make.
        """
        self._journal = journal
        self._journal_name = journal.name
        self._workers = DaemonPool(workers, "steps")
        self._poller = DaemonPool(1, "poller")
        self._notify = notify
        #: Batches in a step that must not be taken twice.
        self.submitting: set[int] = set()

    def take(self, batch: Batch, then: Callable[[Batch, Future[Progress]], None]) -> None:
        """Take the current step of a batch."""
        step, work = batch.step, batch.work(journal=self._journal_name)
        if not step.repeatable:
            self.submitting.add(batch.number)
        pool = self._poller if step.watches else self._workers
        self._call(pool, lambda: step.run(work), lambda future: then(batch, future))

    def recover(self, batch: Batch, then: Callable[[Batch, Future[Done | None]], None]) -> None:
        """Find out whether the current step of a batch was done."""
        known = self._journal.evidence(batch.queue.destination.name)
        step, work = batch.step, batch.work(journal=self._journal_name, known=known)
        self._call(self._workers, lambda: step.recover(work), lambda future: then(batch, future))

    def undo(self, batch: Batch, then: Callable[[], None]) -> None:
        """Remove what the steps taken of a batch left at the provider, the latest first; a failure is only logged."""
        steps, work = batch.taken, batch.work(journal=self._journal_name)

        def undo() -> None:
            for step in reversed(steps):
                try:
                    step.undo(work)
                except Exception as error:  # noqa: BLE001 - the rows' outcomes do not depend on it
                    cause = error if isinstance(error, MailingError) else type(error).__name__
                    logger.warning("Could not clean up after step %r: %s", step.name, cause)

        self._call(self._workers, undo, lambda _: then())

    def _call(self, pool: DaemonPool, call: Callable[[], _T], then: Callable[[Future[_T]], Any]) -> None:
        pool.submit(call).add_done_callback(lambda future: self._notify(lambda: then(future)))
