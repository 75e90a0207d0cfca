"""List jobs: one at a time for each list, from its first status over counting to ``completed``, whatever came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mailing_sandbox.postgrid.course import Course, Plan, trouble
from mailing_sandbox.postgrid.refusal import Refusal

if TYPE_CHECKING:
    from collections import deque

    from mailing_sandbox.postgrid.records import MailingList
    from mailing_sandbox.postgrid.store import Store

Action = Literal["addContacts", "removeContacts", "addMailingListImports", "removeMailingListImports"]
MOST = {"addContacts": 500, "removeContacts": 500, "addMailingListImports": 10, "removeMailingListImports": 10}
"""IDs that one job may name (PostGrid reference, jobs)."""


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """One job. PostGrid gives it no ID; `number` is the sandbox's own."""

    number: int
    mailing_list: MailingList
    action: Action
    ids: list[str]
    course: Course
    begun: bool = False
    applied: bool = False
    ended: bool = False
    before: list[dict[str, str]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)

    @property
    def first_status(self) -> str:
        """The status in which its IDs are worked."""
        return "creating_contacts" if self.action.startswith("add") else "removing_contacts"

    def as_dict(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return {
            "number": self.number,
            "list": self.mailing_list.id,
            "live": self.mailing_list.live,
            "action": self.action,
            "ids": len(self.ids),
            "begun": self.begun,
            "applied": self.applied,
            "ended": self.ended,
            "polls": self.course.polls,
            "errors": self.errors,
            "plan": msgspec.to_builtins(self.course.plan),
        }


class Jobs:
    """The jobs of one mode. They proceed when they are read: call `tick` before any read."""

    def __init__(self, store: Store, plans: deque[Plan], numbers: count[int]) -> None:
        self._store = store
        self._plans = plans
        self._numbers = numbers
        self.clear()

    def clear(self) -> None:
        """Forget all jobs."""
        self.all: list[Job] = []
        self._active: dict[str, Job] = {}

    def submit(self, mailing_list: MailingList, action: Action, ids: list[str]) -> Job:
        """Start a job, with the next plan if there is one; refused while another runs or where switches say so."""
        store = self._store
        if mailing_list.id in self._active:
            status = store.switches.postgrid_busy_status
            raise Refusal(status, "mailing_list_busy_error", "A job is running on this mailing list")
        self._reject(action, ids)
        now = store.clock.now()
        plan = self._plans.popleft() if self._plans else Plan()
        job = Job(
            number=next(self._numbers),
            mailing_list=mailing_list,
            action=action,
            ids=ids,
            course=Course(plan, now + store.switches.postgrid_job_delay_seconds),
        )
        self.all.append(job)
        self._active[mailing_list.id] = job
        self._begin(job, now)
        return job

    def _begin(self, job: Job, now: float) -> None:
        """Let the list show a job when it begins: at once, unless a switch says otherwise."""
        if job.begun or (now < job.course.begun and not job.course.due):
            return
        job.begun = True
        job.before = job.mailing_list.errors
        if self._store.switches.postgrid_errors_cleared:
            job.before = job.mailing_list.errors = []
        job.mailing_list.status = job.course.plan.shown(job.first_status)
        self._touch(job.mailing_list, min(now, job.course.begun))

    def _reject(self, action: Action, ids: list[str]) -> None:
        """Refuse at once what otherwise ends a job with errors, where the switches say so."""
        store = self._store
        if action.endswith("Contacts"):
            if store.switches.postgrid_unknown_contact == "reject":
                for number in ids:
                    if number not in store.contacts:
                        raise Refusal(400, "validation_error", f"Contact with ID {number} was not found.")
        elif store.switches.postgrid_unready_import == "reject":
            for number in ids:
                imported = store.imports.get(number)
                if imported is not None and imported.status != "completed":
                    raise Refusal(400, "validation_error", f"Mailing list import {number} is not completed.")

    def tick(self) -> None:
        """Bring every job to where it stands now."""
        for job in list(self._active.values()):
            self._step(job)

    def poll(self, mailing_list: MailingList) -> None:
        """Count one look of a client at a list."""
        job = self._active.get(mailing_list.id)
        if job is not None:
            job.course.polls += job.begun
            self._step(job)

    def finish(self, mailing_list: MailingList, errors: list[str] | None = None) -> None:
        """Bring the job of a list to its end now; ValueError when none runs."""
        job = self._active.get(mailing_list.id)
        if job is None:
            raise ValueError(f"no job runs on list {mailing_list.id}")
        job.course.finish(errors)
        self._step(job)

    def drop(self, mailing_list: MailingList) -> None:
        """End the job of a list that is being deleted, without further effect."""
        job = self._active.pop(mailing_list.id, None)
        if job is not None:
            job.ended = True

    def _step(self, job: Job) -> None:
        store = self._store
        switches = store.switches
        self._begin(job, store.clock.now())
        if not job.begun:
            return
        now, seconds, needed = store.clock.now(), switches.postgrid_job_seconds, switches.postgrid_job_polls
        share = job.course.share(now, seconds, needed)
        counting = 1.0 - switches.postgrid_counting_share
        mailing_list = job.mailing_list
        if share >= counting and not job.applied:
            at = job.course.moment(counting, now, seconds, needed)
            self._apply(job, at)
            mailing_list.status = job.course.plan.shown("counting_recipient_country_codes")
            self._touch(mailing_list, at)
        if share >= 1.0:
            job.ended = True
            job.errors += [trouble(kind) for kind in job.course.plan.errors]
            mailing_list.errors = job.before + job.errors
            mailing_list.status = "completed"
            store.lists.touch(mailing_list, job.course.moment(1.0, now, seconds, needed))
            del self._active[mailing_list.id]

    def _touch(self, mailing_list: MailingList, at: float) -> None:
        if self._store.switches.postgrid_status_moves_updated_at:
            self._store.lists.touch(mailing_list, at)

    def _apply(self, job: Job, at: float) -> None:
        """Let the job take effect, as far as its plan and the switches let it."""
        job.applied = True
        ids = job.course.plan.of(job.ids)
        contacts = job.action.endswith("Contacts")
        good = self._known_contacts(job, ids) if contacts else self._ready_imports(job, ids)
        if job.errors and self._store.switches.postgrid_partial_jobs == "nothing":
            return
        if contacts:
            move = self._store.join if job.action == "addContacts" else self._store.leave
            move(job.mailing_list, good, at)
        elif job.action == "addMailingListImports":
            job.mailing_list.imports.update(dict.fromkeys(good))
        else:
            for number in good:
                job.mailing_list.imports.pop(number, None)

    def _known_contacts(self, job: Job, ids: list[str]) -> list[str]:
        known = [number for number in ids if number in self._store.contacts]
        if len(known) < len(ids):
            job.errors.append(trouble("operational_error", f"{len(ids) - len(known)} contacts were not found"))
        return known

    def _ready_imports(self, job: Job, ids: list[str]) -> list[str]:
        """Return the imports that can be used; removing one asks only that it exists."""
        ready = []
        for number in ids:
            imported = self._store.imports.get(number)
            if imported is None:
                job.errors.append(trouble("mailing_list_imports_not_found_error"))
            elif job.action == "removeMailingListImports":
                ready.append(number)
            elif imported.status != "completed":
                job.errors.append(trouble("operational_error", "A mailing list import is not completed"))
            elif imported.lost:
                job.errors.append(trouble("download_file_error"))
            else:
                ready.append(number)
        return ready
