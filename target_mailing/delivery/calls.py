"""Calls to providers, made in other threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from mailing_api.errors import MailingError
from mailing_api.http.threads import DaemonPool
from target_mailing.delivery.batch import Batch
from target_mailing.foresight.foresight import Foresight
from target_mailing.interface.destination import Again, Progress, Step, Work
from target_mailing.journal.journal import Journal

__all__ = ["MOST_WORKERS", "Calls", "Running"]

logger = logging.getLogger("target-mailing.delivery")

_T = TypeVar("_T")

#: Jobs that a listing shows: `Again` for one that still runs, None for one that has ended.
Running = Mapping[str, Again | None]

#: Batches whose steps are taken at the same time, and polls made at the same time.
MOST_WORKERS: Final = 8
_POLLERS: Final = 4


class Calls:
    """The threads that take the steps of batches. The thread that owns the batches takes their results."""

    def __init__(
        self,
        journal: Journal,
        *,
        workers: int,
        foresight: Foresight | None,
        notify: Callable[[Callable[[], None]], None],
    ) -> None:
        """Make the threads; they start when first needed.

        Args:
            journal: whose name steps are given.
            foresight: of a plan: steps are foreseen instead of taken, and nothing is undone.
            workers: steps taken at the same time, if the threads suffice; others poll jobs.
            notify: takes, from other threads, a call for the owning thread to make.
        """
        self._journal_name = journal.name
        self._foresight = foresight
        self.is_plan = foresight is not None
        #: Of the ends of batches, which a plan only foresees.
        self.log_level = logging.DEBUG if self.is_plan else logging.INFO
        self._workers = DaemonPool(min(workers, MOST_WORKERS), "steps")
        self._pollers = DaemonPool(_POLLERS, "polls")
        self._looking = 0
        self._notify = notify
        #: By number, the batches in a step that must not be taken twice.
        self.submitting: dict[int, Batch] = {}

    def close(self) -> None:
        """End the threads after the calls under way, without waiting for them."""
        self._workers.close()
        self._pollers.close()

    @property
    def can_look(self) -> bool:
        """Whether one more job can be polled now."""
        return self._looking < _POLLERS

    def look(self, call: Callable[[], _T], then: Callable[[Future[_T]], None]) -> None:
        """Make a call that polls jobs."""

        def looked(future: Future[_T]) -> None:
            self._looking -= 1
            then(future)

        self._looking += 1
        self._call(self._pollers, call, looked)

    def take(self, batch: Batch, then: Callable[[Batch, Future[Progress]], None]) -> None:
        """Take the current step of a batch."""
        step, work = batch.step, self.work(batch)
        if (foresight := self._foresight) is not None:
            self._call(self._workers, lambda: self._foresee(foresight, batch, work), lambda it: then(batch, it))
            return
        if not step.repeatable:
            self.submitting[batch.number] = batch
        if step.watches:
            self.look(lambda: step.run(work), lambda future: then(batch, future))
        else:
            self._call(self._workers, lambda: step.run(work), lambda future: then(batch, future))

    def _foresee(self, foresight: Foresight, batch: Batch, work: Work) -> Progress:
        progress = batch.step.foresee(work)
        seen = foresight.look(batch.queue.destination, batch.step, work, progress)
        self._notify(lambda: foresight.note(seen, batch.number, batch.route))
        return progress

    def follows(self, step: Step) -> bool:
        """Whether a step polls a job; a plan has none."""
        return step.watches and not self.is_plan

    def work(self, batch: Batch, *, known: Sequence[Mapping[str, Any]] = ()) -> Work:
        """The input of the current step of a batch; `known` as in `Work`."""
        return batch.work(journal=self._journal_name, known=known)

    def ask(self, call: Callable[[], _T], then: Callable[[Future[_T]], Any]) -> None:
        """Make a call that is no step."""
        self._call(self._workers, call, then)

    def undo(self, batch: Batch, then: Callable[[], None]) -> None:
        """Remove what the steps taken of a batch left at the provider, the latest first; a failure is only logged."""
        steps, work = () if self.is_plan else batch.taken, self.work(batch)

        def undo() -> None:
            for step in reversed(steps):
                try:
                    step.undo(work)
                except Exception as error:  # noqa: BLE001 - the rows' outcomes do not depend on it
                    cause = error if isinstance(error, MailingError) else type(error).__name__
                    logger.warning("Could not clean up after step %r: %s", step.name, cause)

        self._call(self._workers, undo, lambda _: then())

    def rewind(self, batch: Batch, then: Callable[[], None]) -> None:
        """The same, with the batch back at the step where it begins again."""

        def undone() -> None:
            batch.rewind()
            then()

        self.undo(batch, undone)

    def _call(self, pool: DaemonPool, call: Callable[[], _T], then: Callable[[Future[_T]], Any]) -> None:
        pool.submit(call).add_done_callback(lambda future: self._notify(lambda: then(future)))
