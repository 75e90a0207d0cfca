"""A PostGrid list's job: posted as soon as the list accepts one, then followed to its end.

A list accepts one job at a time, a job has no ID, and a failed job ends like any other: only the list's errors show it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from threading import Lock
from typing import Any, Final

from mailing_api.errors import MailingError, NotFound, RequestRefused
from mailing_api.postgrid.client import JobWork, MailingList, PostgridClient
from target_mailing.delivery.one_by_one import take_each_that_works
from target_mailing.interface.destination import Again, Done, Progress, Step, Work

__all__ = ["MAX_CONTACTS", "SHOWS_WITHIN", "Follow", "ReservedContacts", "Submit", "before_the_call", "is_there"]

#: Contacts that one job may name (docs/postgrid.md).
MAX_CONTACTS: Final = 500
#: Seconds after its post during which the job may not have begun if the list looks unchanged.
SHOWS_WITHIN = 10.0
#: Refusals of a job that mean a busy list, or a wrong job: which of the two is unverified.
_PERHAPS_BUSY: Final = frozenset({400, 409, 422})
#: Polls after which a refusal by a free list is final; before, an earlier job may not show yet.
_MOST_POLLS: Final = 5


class ReservedContacts:
    """Contacts that jobs of this run are about to add to lists: they must not be deleted.

    A job reports contacts that were deleted before it, and contacts show their lists after it; in between nothing would
    show.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_list: dict[str, frozenset[str]] = {}

    def begin(self, mailing_list: str, contacts: Sequence[str]) -> None:
        """The next job of a list names these contacts; those of the job before are on the list."""
        with self._lock:
            self._by_list[mailing_list] = frozenset(contacts)

    @contextmanager
    def spared(self, contact: str) -> Iterator[bool]:
        """Whether a contact is reserved; no job begins until the block ends."""
        with self._lock:
            yield any(contact in contacts for contacts in self._by_list.values())


@contextmanager
def before_the_call() -> Iterator[None]:
    """Errors in this block say that the step's own call was not made."""
    try:
        yield
    except MailingError as error:
        error.maybe_done = False
        raise


def is_there(read: Callable[[str], object], identifier: str) -> bool:
    """Whether there is a contact, or an import, with this ID, given the call that reads it."""
    try:
        with before_the_call():
            read(identifier)
    except NotFound:
        return False
    return True


@dataclass(frozen=True)
class Submit(Step):
    """Starts the list's job as soon as the list accepts one, for as many contacts or imports as one job may name.

    If the reply was lost, it is unknown whether the job began, since jobs have no ID and others may use the list, too.
    So the job is posted again when the list is free: that adds no member twice and removes no other one.

    Its evidence: `ids` of each row; `rest`, the IDs for the next job; `gone`, the IDs that no longer exist; `before`,
    when the list last changed; `at`, when the job was posted (Unix seconds); `none`, if there is no job, with `failed`,
    why it was refused, and `lost`, whether an earlier call may have begun one.

    Attributes:
        find: the IDs of each row.
        exists: whether there is such an ID; None if a job needs all of its IDs.
        reserved: takes the contacts that the job is about to add.
    """

    client: PostgridClient
    mailing_list: str
    work: JobWork
    find: Callable[[Work], list[list[str]]]
    exists: Callable[[str], bool] | None = None
    reserved: ReservedContacts | None = None
    name: str = "submit"
    spares_shared: bool = False
    repeatable = False
    uses_names = True

    def run(self, work: Work) -> Progress:
        """Wait, or post the job."""
        before = work.evidence.get(self.name)  # of the job before, which could not name all
        ids = self.find(work) if before is None else before["ids"]
        rest = list(dict.fromkeys(chain(*ids))) if before is None else before["rest"]
        noted = {"ids": ids, "rest": rest[MAX_CONTACTS:], "gone": []}
        if not rest:
            return Done({**noted, "none": True})
        try:
            return self._submit(rest[:MAX_CONTACTS], noted, work)
        except MailingError as error:
            if error.maybe_done:
                return Again(maybe_done=True)
            seconds = None if error.is_read else self.client.delay(error, work.polls + 1)
            if seconds is None:
                raise
            return Again(seconds)

    def foresee(self, work: Work) -> Progress:
        """Jobs for all IDs."""
        ids = self.find(work)
        return Done({"ids": ids, "rest": [], "gone": [], **({} if any(ids) else {"none": True})})

    def more_calls(self, work: Work) -> int:
        """For each job the list is read, and the job is posted."""
        return 2 * -(-len({*chain(*self.find(work))}) // MAX_CONTACTS)

    def _submit(self, ids: list[str], noted: dict[str, Any], work: Work) -> Progress:
        now = self._read_list()
        refusal: RequestRefused | None = None
        for named in self._tries(ids, work.polls):
            if now.busy:
                return Again()
            noted["gone"] = [member for member in ids if member not in set(named)]
            if not named:
                return Done({**noted, "none": True})
            posted_at = time.time()
            refusal = self._post(named)
            if refusal is None:
                return Done({**noted, "job": self.mailing_list, "before": now.updated_at, "at": posted_at})
            now = self._read_list()
        if now.busy or refusal is None or work.polls < _MOST_POLLS:
            return Again()
        reason = f"the job was refused ({refusal.code_or_status})"
        return Done({**noted, "rest": [], "none": True, "failed": reason, "lost": work.maybe_done})

    def _tries(self, ids: list[str], polls: int) -> Iterator[list[str]]:
        """The IDs to name, as long as the list is free and refuses the job."""
        yield ids
        yield ids  # the list may have become free just after it refused
        exists = self.exists
        if exists is not None and polls >= _MOST_POLLS:
            answers, failing = take_each_that_works(
                range(len(ids)), lambda position: exists(ids[position]), probe=self._read_list
            )
            existing = [member for position, member in enumerate(ids) if position in failing or answers[position]]
            if len(existing) < len(ids):
                yield existing

    def _post(self, ids: list[str]) -> RequestRefused | None:
        if self.reserved is not None:
            self.reserved.begin(self.mailing_list, ids)
        try:
            self.client.submit_job(self.mailing_list, self.work, ids)
        except RequestRefused as error:
            if error.status not in _PERHAPS_BUSY:
                raise
            return error
        return None

    def _read_list(self) -> MailingList:
        with before_the_call():
            return self.client.mailing_list(self.mailing_list)


@dataclass(frozen=True)
class Follow(Step):
    """Polls the list until its job has ended.

    Its evidence: `trouble`, why the job may have failed, "" if it succeeded; `shown`, whether the list has changed
    since. If PostGrid does not show when the list changed, a free list has done its job.

    Attributes:
        after: the step that posted the job.
        forgets: what has left the list is then no longer known as the rows' contacts.
    """

    client: PostgridClient
    mailing_list: str
    name: str = "follow"
    after: str = "submit"
    forgets: bool = False
    watches = True

    def foresee(self, work: Work) -> Progress:  # noqa: ARG002
        """The job succeeds."""
        return Done({"trouble": "", "shown": True})

    def more_calls(self, work: Work) -> int:
        """One look at each job."""
        ids = {*chain(*work.evidence[self.after]["ids"])}
        return -(-len(ids) // MAX_CONTACTS)

    def run(self, work: Work) -> Progress:
        """Poll once."""
        submitted = work.evidence[self.after]
        trouble = submitted.get("failed", "")
        shown = True
        if not submitted.get("none"):
            now = self.client.mailing_list(self.mailing_list)
            shown = now.updated_at is None or now.updated_at != submitted["before"]
            if now.busy or (not shown and time.time() - submitted["at"] < SHOWS_WITHIN):
                return Again()
            trouble = "" if shown else "the list shows no change by its job"
            if now.errors:
                trouble = f"the list's job ended with {', '.join(sorted(set(now.errors)))}"
        evidence = {"trouble": trouble, "shown": shown}
        if trouble or not self.forgets:
            return Done(evidence)
        rest = set(submitted["rest"])
        left = {
            position: [member for member in members if member not in rest]
            for position, members in enumerate(submitted["ids"])
        }
        return Done(evidence, left=left)
