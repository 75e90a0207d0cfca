"""Jobs that show up late, after the rows of their batches were sent again: at the end of a run, one look for them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mailing_api.counted import counted
from target_mailing.delivery.batch import Batch
from target_mailing.delivery.calls import Calls
from target_mailing.interface.destination import Step, Work
from target_mailing.journal.journal import Journal

__all__ = ["LateJobs"]

logger = logging.getLogger("target-mailing.delivery")

#: Batches that are remembered, the latest.
_MOST: Final = 100


@dataclass(frozen=True)
class _SentAgain:
    """A batch as it was when it was sent again.

    Attributes:
        work: the step's input, without its rows.
        contacts: of the rows, with the fingerprints of their content.
        seen: jobs that were judged before.
    """

    destination: str
    step: Step
    work: Work
    contacts: Sequence[tuple[int, int]]
    seen: Collection[str]


class LateJobs:
    """The batches of one run that were sent again; only the thread that owns the batches uses it."""

    def __init__(self, journal: Journal, calls: Calls) -> None:
        self._journal = journal
        self._calls = calls
        self._batches: deque[_SentAgain] = deque(maxlen=_MOST)
        self._is_busy = False

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        return not (self._batches or self._is_busy)

    def add(self, batch: Batch, seen: Collection[str]) -> None:
        """A batch is sent again; the jobs already seen are not its own, as far as they show."""
        work = self._calls.work(batch)
        contacts = [(batch.rows[at].id, batch.rows[at].fingerprint) for at in work.sent]
        bare = msgspec.structs.replace(work, rows=())
        self._batches.append(_SentAgain(batch.queue.destination.name, batch.step, bare, contacts, {*seen}))

    def look(self) -> None:
        """Everything has ended, or nothing more is begun: look for jobs that belong to no other batch."""
        if self._is_busy or not self._batches:
            return
        self._is_busy = True
        batches = [*self._batches]
        known = {one.destination: self._journal.evidence(one.destination) for one in batches}
        self._calls.ask(
            lambda: [_may_be_listed(one, known[one.destination]) for one in batches],
            lambda future: self._looked(batches, future),
        )

    def _looked(self, batches: Sequence[_SentAgain], future: Future[list[bool]]) -> None:
        self._is_busy = False
        if future.exception() is None:
            batches = [one for one, is_listed in zip(batches, future.result(), strict=True) if is_listed]
        self._suspect(batches)

    def _suspect(self, batches: Iterable[_SentAgain]) -> None:
        contacts = [contact for one in batches for contact in one.contacts]
        self._batches.clear()
        if contacts:
            logger.warning(
                "A job showed up late whose rows had been sent again, or it could not be looked for: %s may have older "
                "content again, and will be sent again when their rows come",
                counted(len(contacts), "contact"),
            )
            self._journal.note_unconfirmed(contacts)


def _may_be_listed(one: _SentAgain, known: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the provider lists a job that may have the rows of a batch."""
    found = one.step.recover(msgspec.structs.replace(one.work, known=known)) or ()
    return any(job.is_certain or (job.job not in one.seen and job.count in {None, len(one.contacts)}) for job in found)
