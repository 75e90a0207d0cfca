"""A PostGrid list's job: posted as soon as the list takes one, then followed to its end.

A list takes one job at a time, a job has no ID, and one that failed ends like any other: only the list's errors tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, ClassVar, Final

from mailing_api.errors import MailingError, NotFound, RequestRefused
from mailing_api.postgrid.client import JobWork, MailingList, PostgridClient
from target_mailing.delivery.one_by_one import take_each_that_works
from target_mailing.destination import Again, Done, Progress, Step, Work

__all__ = ["MAX_CONTACTS", "SHOWS_WITHIN", "Follow", "ReservedContacts", "Submit", "is_there"]

#: Contacts that one job may name (docs/postgrid.md).
MAX_CONTACTS: Final = 500
#: Seconds after its post during which a list that looks untouched is taken for one whose job has not begun yet.
SHOWS_WITHIN = 10.0
#: Refusals of a job that mean a busy list, or that something is wrong with it: which is which is unverified.
_PERHAPS_BUSY: Final = frozenset({400, 409, 422})
#: Looks after which a list that is free and refuses is not waited for: one whose job does not show yet may do so, too.
_LOOKS: Final = 5


class ReservedContacts:
    """Contacts that jobs of this run are about to put on lists: whoever deletes contacts spares them.

    One that was deleted before is missed by its job, and one that has joined says so; in between nobody would notice.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_list: dict[str, frozenset[str]] = {}

    def begin(self, mailing_list: str, contacts: Sequence[str]) -> None:
        """The next job of a list names these; those of the one before have joined."""
        with self._lock:
            self._by_list[mailing_list] = frozenset(contacts)

    @contextmanager
    def spared(self, contact: str) -> Iterator[bool]:
        """Whether a contact is to be spared; nobody begins as long as this lasts."""
        with self._lock:
            yield any(contact in each for each in self._by_list.values())


@dataclass(frozen=True)
class Submit(Step):
    """Starts the list's job as soon as the list takes one, for as many as one job may name.

    Whether a call whose reply was lost began a job cannot be told, since jobs have no ID and others may work on the
    list, too. So it is made again when the list is free: who is on it already stays, who is gone stays gone.

    Its evidence: `ids` of each row; `rest`, those that the next job is to name; `gone`, those that are not there any
    more; `before`, when the list had changed last; `at`, when the job was posted (Unix seconds); `none`, where there is
    no job, with `failed`, why it was refused, and `lost`, whether an earlier call may have begun one.

    Attributes:
        find: the IDs of each row.
        exists: whether there is such an ID; None where a job may not go without one of them.
        joining: is told who is about to join.
    """

    client: PostgridClient
    mailing_list: str
    work: JobWork
    find: Callable[[Work], list[list[str]]]
    exists: Callable[[str], bool] | None = None
    joining: ReservedContacts | None = None
    name = "submit"
    repeatable = False
    uses_names = True

    def run(self, work: Work) -> Progress:
        """Wait, or post the job."""
        before = work.evidence.get(self.name)  # of the job before, which could not name all
        ids = self.find(work) if before is None else before["ids"]
        left = list(dict.fromkeys(one for each in ids for one in each)) if before is None else before["rest"]
        noted = {"ids": ids, "rest": left[MAX_CONTACTS:], "gone": []}
        if not left:
            return Done({**noted, "none": True})
        try:
            return self._submit(left[:MAX_CONTACTS], noted, work)
        except MailingError as error:
            if not error.maybe_done:
                raise
            return Again(maybe_done=True)

    def _submit(self, ids: list[str], noted: dict[str, Any], work: Work) -> Progress:
        now = self._look()
        refused: RequestRefused | None = None
        for named in self._tries(ids, work.polls):
            if now.busy:
                return Again()
            noted["gone"] = [one for one in ids if one not in set(named)]
            if not named:
                return Done({**noted, "none": True})
            posted_at = time.time()
            refused = self._post(named)
            if refused is None:
                return Done({**noted, "job": self.mailing_list, "before": now.updated_at, "at": posted_at})
            now = self._look()
        if now.busy or refused is None or work.polls < _LOOKS:
            return Again()
        why = f"the job was refused ({refused.code or refused.status})"
        return Done({**noted, "rest": [], "none": True, "failed": why, "lost": work.maybe_done})

    def _tries(self, ids: list[str], looks: int) -> Iterator[list[str]]:
        """Whom to name, as long as the list is free and refuses all the same."""
        yield ids
        yield ids  # it may have become free just after it refused
        if self.exists is not None and looks >= _LOOKS:
            found, failing = take_each_that_works(range(len(ids)), partial(_exists, self.exists, ids), probe=self._look)
            there = [one for at, one in enumerate(ids) if at in failing or found[at]]
            if len(there) < len(ids):
                yield there

    def _post(self, ids: list[str]) -> RequestRefused | None:
        if self.joining is not None:
            self.joining.begin(self.mailing_list, ids)
        try:
            self.client.submit_job(self.mailing_list, self.work, ids)
        except RequestRefused as error:
            if error.status not in _PERHAPS_BUSY:
                raise
            return error
        return None

    def _look(self) -> MailingList:
        try:
            return self.client.mailing_list(self.mailing_list)
        except MailingError as error:
            error.maybe_done = False  # no job was begun by looking
            raise


def _exists(exists: Callable[[str], bool], ids: Sequence[str], at: int) -> bool:
    return exists(ids[at])


def is_there(read: Callable[[str], object], number: str) -> bool:
    """Whether there is a contact, or an import, of that ID, given the call that reads one."""
    try:
        read(number)
    except NotFound:
        return False
    except MailingError as error:
        error.maybe_done = False  # no job was begun by looking
        raise
    return True


@dataclass(frozen=True)
class Follow(Step):
    """Looks at the list until its job has ended.

    Its evidence: `trouble`, why the job cannot be taken to have gone well, "" where it can; `shown`, whether the list
    has changed since. Where PostGrid does not tell when it changed, a list that is free has done its job.
    """

    client: PostgridClient
    mailing_list: str
    name = "follow"
    watches = True
    after: ClassVar[str] = "submit"

    def run(self, work: Work) -> Progress:
        """Look once."""
        submitted = work.evidence[self.after]
        if submitted.get("none"):
            return Done({"trouble": submitted.get("failed", ""), "shown": True})
        now = self.client.mailing_list(self.mailing_list)
        shown = now.updated_at is None or now.updated_at != submitted["before"]
        if now.busy or (not shown and time.time() - submitted["at"] < SHOWS_WITHIN):
            return Again()
        trouble = "" if shown else "the list shows nothing of its job"
        if now.errors:
            trouble = f"the list's job ended with {', '.join(sorted(set(now.errors)))}"
        return Done({"trouble": trouble, "shown": shown})
