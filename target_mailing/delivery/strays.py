"""Batches that were sent again although their first jobs may exist: at the end of the run, one look for these."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mailing_api.counted import counted
from target_mailing.delivery.batch import Batch
from target_mailing.delivery.calls import Calls
from target_mailing.destination import Step, Work
from target_mailing.journal.journal import Journal

__all__ = ["Strays"]

logger = logging.getLogger("target-mailing.delivery")

#: Batches that are remembered, the latest.
_MOST: Final = 100


@dataclass(frozen=True)
class _Stray:
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


class Strays:
    """The batches of one run that were sent again; only the thread that owns the batches uses it."""

    def __init__(self, journal: Journal, calls: Calls) -> None:
        self._journal = journal
        self._calls = calls
        self._strays: deque[_Stray] = deque(maxlen=_MOST)
        self._is_busy = False

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        return not (self._strays or self._is_busy)

    def add(self, batch: Batch, seen: Collection[str]) -> None:
        """A batch is sent again; the jobs already seen are not its own, as far as they show."""
        work = self._calls.work(batch)
        contacts = [(batch.rows[at].id, batch.rows[at].fingerprint) for at in work.sent]
        bare = msgspec.structs.replace(work, rows=())
        self._strays.append(_Stray(batch.queue.destination.name, batch.step, bare, contacts, {*seen}))

    def forget(self) -> None:
        """The run has failed: nothing is looked for."""
        self._strays.clear()

    def look(self) -> None:
        """Everything has ended: look for jobs that have shown up since, and belong to no other batch."""
        if self._is_busy or not self._strays:
            return
        self._is_busy = True
        strays = [*self._strays]
        known = {one.destination: self._journal.evidence(one.destination) for one in strays}
        self._calls.ask(
            lambda: [_may_be_listed(one, known[one.destination]) for one in strays],
            lambda future: self._looked(strays, future),
        )

    def _looked(self, strays: Sequence[_Stray], future: Future[list[bool]]) -> None:
        self._is_busy = False
        self._strays.clear()
        error = future.exception()
        listed = [True] * len(strays) if error is not None else future.result()
        contacts = [one for stray, is_listed in zip(strays, listed, strict=True) if is_listed for one in stray.contacts]
        if contacts:
            logger.warning(
                "A job showed up late whose rows had been sent again, or it could not be looked for: %s may have older "
                "content again, and will be sent again when their rows come",
                counted(len(contacts), "contact"),
            )
            self._journal.note_unconfirmed(contacts)


def _may_be_listed(one: _Stray, known: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the provider lists a job that may have the rows of a batch."""
    found = one.step.recover(msgspec.structs.replace(one.work, known=known)) or ()
    return any(job.is_certain or (job.job not in one.seen and job.count in {None, len(one.contacts)}) for job in found)
