"""Bulk jobs: their life from Allocated to the end, by emulated time or by number of polls."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mailing_sandbox.mailjet.csvload import CsvLoad
from mailing_sandbox.mailjet.records import Table

if TYPE_CHECKING:
    from mailing_sandbox.mailjet.load import Load, RowError
    from mailing_sandbox.mailjet.store import Store

End = Literal["completed", "error", "abort", "stall", "completed_with_errors", "short"]
STAGES = ("Allocated", "Upload", "Prepare", "Importing")
BEGINNINGS = (0.0, 0.1, 0.2, 0.4)
"""Share of a job's time at which each stage begins."""

STALLED = 0.7
"""Share at which a stalled job stands still: in the middle of Importing."""

TERMINAL = ("Completed", "Error", "Abort")


class Plan(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How one job will go; `seconds` None follows the switches, `hold` keeps it Allocated until it is finished."""

    seconds: float | None = None
    end: End = "completed"
    hold: bool = False
    bad_rows: list[str | int] = []


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """One job of any kind; `route` tells which resource besides batchjob shows it. Times are Unix seconds, 0: unset."""

    id: int
    route: Literal["json", "csv", "other"]
    job_type: str
    method: str = "Unknown"
    status: str = "Allocated"
    targets: list[tuple[int, str]] = field(default_factory=list)
    account_wide: bool = False
    ref_id: int = 0
    data_id: int = 0
    total: int = 0
    current: int = 0
    error: str = ""
    errors: list[RowError] = field(default_factory=list)
    error_count: int = 0
    header: list[str] | None = None
    limit: int = 0
    threshold: int = 0
    options: str = ""
    requested: int = 0
    started: int = 0
    alive: int = 0
    ended: int = 0
    plan: Plan = field(default_factory=Plan)
    load: Load | None = None
    begun: float | None = None
    polls: int = 0
    hidden_polls: int = 0
    listed_at: float = 0.0

    @property
    def terminal(self) -> bool:
        """True when nothing can change."""
        return self.status in TERMINAL

    def as_dict(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return {
            "id": self.id,
            "route": self.route,
            "status": self.status,
            "targets": self.targets,
            "total": self.total,
            "current": self.current,
            "errors": len(self.errors) or self.error_count,
            "refused": [error.email for error in self.errors],
            "error": self.error,
            "polls": self.polls,
            "plan": msgspec.to_builtins(self.plan),
        }


class Jobs:
    """Every job of the account. Rows are written when somebody looks: call `tick` before any read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last_job = 356_331_799
        self._last_data = 77_120_033
        self.clear()

    def clear(self) -> None:
        """Forget all jobs and uploads. Their IDs are never used again, so that an old ID stays unknown."""
        self.table: Table[Job] = Table()
        self.plans: deque[Plan] = deque()
        self.uploads: dict[int, bytes] = {}
        self._active: list[Job] = []

    def next_id(self) -> int:
        """Draw a job ID."""
        self._last_job += 1
        return self._last_job

    def upload(self, content: bytes) -> int:
        """Keep an uploaded file and return its data ID; beyond 2^53 with the switch `large_data_ids`."""
        self._last_data += 1
        number = self._last_data
        if self._store.switches.large_data_ids:
            number += 98_765_432_000_000_000
        self.uploads[number] = content
        return number

    def data_id(self) -> int:
        """Draw the data ID of a body that is not kept."""
        self._last_data += 1
        return self._last_data

    def submit(self, job: Job) -> Job:
        """Take a new job in, with the next plan if there is one."""
        store = self._store
        store.version += 1
        if self.plans:
            job.plan = self.plans.popleft()
        job.requested = 0 if store.switches.request_at_zero else store.now()
        job.hidden_polls = store.switches.job_404_polls
        job.listed_at = store.clock.now() + store.switches.job_listed_after_seconds
        if job.load is not None:
            job.total = job.load.total
            job.load.spoil([*job.plan.bad_rows, *store.refused])
        self.table.append(job)
        self._active.append(job)
        self._begin_waiting()
        return job

    def tick(self) -> None:
        """Bring every job to where it stands now, and forget those past their retention."""
        if self._store.switches.job_listed_after_seconds:
            self._store.version += 1  # listings change by themselves
        if self._active:
            for job in self._active:
                self._step(job)
            self._active = [job for job in self._active if not job.terminal]
            self._begin_waiting()
        days = self._store.switches.job_retention_days
        if days:
            oldest = self._store.clock.now() - days * 86400
            for job in [job for job in self.table.rows if job.terminal and 0 < job.ended < oldest]:
                self.table.remove(job.id)
                self._store.version += 1

    def listed(self) -> list[Job]:
        """Return the jobs that `batchjob` lists by now; where polls drive jobs, this is one of each."""
        now = self._store.clock.now()
        listed = [job for job in self.table.rows if job.listed_at <= now]
        if self._store.switches.job_polls:
            for job in listed:
                job.polls += 1
                self._step(job)
        return listed

    def poll(self, job: Job) -> bool:
        """Count one poll of a job; False while it must still look unknown."""
        if job.hidden_polls:
            job.hidden_polls -= 1
            return False
        job.polls += 1
        self._step(job)
        return True

    def finish(self, job: Job, end: End | None = None) -> None:
        """Bring a job to its end now, whatever its plan held back; a stalled one completes unless told otherwise."""
        if job.terminal:
            return
        self._begin(job)
        if end is not None or job.plan.end == "stall":
            job.plan = msgspec.structs.replace(job.plan, end=end or "completed")
        job.plan = msgspec.structs.replace(job.plan, hold=False)
        self._advance(job, 1.0)

    def abort(self, job: Job) -> None:
        """Cancel a job where it stands; a finished one stays as it is."""
        if not job.terminal:
            self._begin(job)
            self._end(job, "Abort")

    def _begin_waiting(self) -> None:
        at_once = self._store.switches.jobs_at_once
        for job in self._active[: at_once or None]:
            self._begin(job)

    def _begin(self, job: Job) -> None:
        if job.begun is None:
            job.begun = self._store.clock.now()

    def _step(self, job: Job) -> None:
        if job.terminal or job.begun is None or job.plan.hold or job.load is None:
            return
        share = self._share(job)
        self._advance(job, min(share, STALLED) if job.plan.end == "stall" else share)

    def _seconds(self, job: Job) -> float | None:
        """Return how long a job takes, None when polls drive it."""
        if job.plan.seconds is not None:
            return job.plan.seconds
        return None if self._store.switches.job_polls else self._store.switches.job_seconds

    def _share(self, job: Job) -> float:
        seconds = self._seconds(job)
        if seconds is None:
            return min(1.0, job.polls / self._store.switches.job_polls)
        elapsed = self._store.clock.now() - (job.begun or 0.0)
        return min(1.0, elapsed / seconds) if seconds else 1.0

    def _moment(self, job: Job, share: float) -> int:
        """Return when a job passed a share of its way, which may lie before this look at it."""
        now = self._store.clock.now()
        seconds = self._seconds(job)
        return int(now if seconds is None or job.begun is None else min(now, job.begun + share * seconds))

    def _advance(self, job: Job, share: float) -> None:
        stage = max(place for place, beginning in enumerate(BEGINNINGS) if share >= beginning)
        before = STAGES.index(job.status)
        for place in range(before + 1, stage + 1):
            job.status = STAGES[place]
            job.alive = self._moment(job, BEGINNINGS[place])
            self._store.version += 1
            if not job.started and place >= (2 if job.route == "csv" else 1):
                job.started = job.alive
            if job.status == "Prepare" and not self._prepare(job):
                return
        if job.status == "Importing":
            done = (share - BEGINNINGS[3]) / (1 - BEGINNINGS[3])
            target = job.total if share >= 1 else int(job.total * done + 1e-6)
            self._import(job, target)
            if share >= 1 and not job.terminal:
                self._end_as_planned(job)

    def _prepare(self, job: Job) -> bool:
        """Read the rows; False when the job ended over it."""
        load = job.load
        if load is None:
            return True
        failure = load.prepare()
        job.total = load.total
        if isinstance(load, CsvLoad):
            job.header = load.header
        if failure is not None:
            job.error = failure
            self._end(job, "Error")
            return False
        if job.plan.end == "completed_with_errors" and not job.plan.bad_rows and job.total:
            load.spoil([job.total - 1])
        job.errors = load.errors
        job.limit = self._limit(job, load)
        return True

    def _limit(self, job: Job, load: Load) -> int:
        """Return how many rows will be written at most: a job that fails may stop half way, or write none."""
        end = job.plan.end
        if job.route == "json" and not self._store.switches.good_rows_loaded and end in ("completed", "stall", "error"):
            has_bad_rows = load.check()
            return 0 if has_bad_rows or end == "error" else job.total
        return job.total // 2 if end in ("error", "abort", "short") and not job.plan.bad_rows else job.total

    def _import(self, job: Job, target: int) -> None:
        load = job.load
        if load is None or target <= job.current:
            return
        target = min(target, job.limit)
        if target > job.current:
            load.apply(job.current, target)
            job.current = target
            job.alive = self._store.now()
            self._store.version += 1
        if self._over_threshold(job):
            self._end(job, "Abort")

    def _over_threshold(self, job: Job) -> bool:
        rule = self._store.switches.error_threshold
        if not job.threshold or rule == "ignored":
            return False
        count = len(job.errors)
        return count > job.threshold if rule == "count" else count * 100 > job.threshold * max(job.total, 1)

    def _end_as_planned(self, job: Job) -> None:
        end = job.plan.end
        if end == "abort":
            self._end(job, "Abort")
        elif end == "error":
            job.error = "Some contacts could not be imported" if job.errors else "An unexpected error occurred"
            self._end(job, "Error")
        elif job.errors and job.route == "json":
            job.error = "Some contacts could not be imported"
            self._end(job, "Completed" if end == "completed_with_errors" else "Error")
        else:
            self._end(job, "Completed")

    def _end(self, job: Job, status: str) -> None:
        job.status = status
        job.ended = job.alive = self._moment(job, 1.0)
        job.started = job.started or job.ended
        job.load = None
        self._store.version += 1
