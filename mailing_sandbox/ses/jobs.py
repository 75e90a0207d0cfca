"""Import jobs: their life from CREATED to the end, by emulated time or by number of polls."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import UUID

import msgspec

from mailing_sandbox.ses.imports import BadObject, Load
from mailing_sandbox.ses.objects import Unreadable
from mailing_sandbox.ses.received import Sent

if TYPE_CHECKING:
    from mailing_sandbox.ses.account import Region
    from mailing_sandbox.ses.imports import Failure

End = Literal["completed", "failed", "failed_halfway", "cancelled", "error", "stall"]
ENDS: tuple[End, ...] = ("completed", "failed", "failed_halfway", "cancelled", "error")
TERMINAL = ("COMPLETED", "FAILED", "CANCELLED", "ERROR")
CUT = {"failed_halfway": "FAILED", "cancelled": "CANCELLED", "error": "ERROR"}
"""Planned ends that come after half of the records, and their statuses."""

BEGINNING = 0.2
"""Share of a job's time at which it is PROCESSING: the object is read, records go in steadily from here."""

STALLED = 0.6
"""Share at which a stalled job stands still: with half of its records imported."""

ROUTE = "POST /v2/email/import-jobs"


class Plan(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How one job will go; `seconds` None follows the switches, `hold` keeps it CREATED until it is finished."""

    seconds: float | None = None
    end: End = "completed"
    hold: bool = False
    bad_rows: list[str | int] = []
    message: str = "Unable to process the import job"


@dataclass(slots=True, eq=False, kw_only=True)
class ImportJob:
    """One import job. `contact_list` is None for the suppression list; times are Unix seconds, `ended` 0: unset."""

    number: int
    id: str
    contact_list: str | None
    action: str
    bucket: str
    key: str
    data_format: str
    created: float
    plan: Plan = field(default_factory=Plan)
    status: str = "CREATED"
    ended: float = 0.0
    total: int = 0
    done: int = 0
    failures: list[Failure] = field(default_factory=list)
    failed: int = 0
    error: str = ""
    failed_file: str = ""
    polls: int = 0
    looks_after_end: int = 0
    load: Load | None = None

    @property
    def terminal(self) -> bool:
        """True when nothing can change."""
        return self.status in TERMINAL

    def as_dict(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return {
            "id": self.id,
            "status": self.status,
            "list": self.contact_list,
            "action": self.action,
            "s3_url": f"s3://{self.bucket}/{self.key}",
            "data_format": self.data_format,
            "total": self.total,
            "done": self.done,
            "failed": self.failed,
            "error": self.error,
            "polls": self.polls,
            "plan": msgspec.to_builtins(self.plan),
        }


def submit(region: Region, *, name: str | None, action: str, bucket: str, key: str, data_format: str) -> ImportJob:
    """Take a new job in, with the next plan if there is one."""
    plans = region.account.plans
    number = region.imports.next_number()
    job = ImportJob(
        number=number,
        # AWS gives no ID twice, also not after a reset.
        id=job_id(region.name, f"import{region.account.resets or ''}", number),
        contact_list=name,
        action=action,
        bucket=bucket,
        key=key,
        data_format=data_format,
        created=region.now(),
        plan=plans.popleft() if plans else Plan(),
    )
    region.imports.add(job.id, job)
    return job


def job_id(region: str, kind: str, number: int) -> str:
    """Return the ID of a job: as random as a UUID 4 looks, and the same in every run."""
    return str(UUID(int=random.Random(f"{region}:{kind}:{number}").getrandbits(128), version=4))


def tick(region: Region) -> None:
    """Bring every import job of a region to where it stands now, and forget those past their retention."""
    for job in region.imports:
        if not job.terminal:
            step(region, job)
    days = region.switches.ses_job_retention_days
    if days:
        oldest = region.now() - days * 86_400
        for job in [job for job in region.imports if job.terminal and job.ended < oldest]:
            region.imports.remove(job.id)


def poll(region: Region, job: ImportJob) -> None:
    """Count one look of a client at a job."""
    if not job.terminal:
        job.polls += 1
        step(region, job)


def step(region: Region, job: ImportJob) -> None:
    """Bring one job to where it stands now."""
    if job.terminal or job.plan.hold:
        return
    share = _share(region, job)
    _advance(region, job, min(share, STALLED) if job.plan.end == "stall" else share)


def finish(region: Region, job: ImportJob, end: End | None = None) -> None:
    """Bring a job to its end now, whatever its plan held back; a stalled one completes unless told otherwise."""
    if job.terminal:
        return
    if end is not None or job.plan.end == "stall":
        job.plan = msgspec.structs.replace(job.plan, end=end or "completed")
    job.plan = msgspec.structs.replace(job.plan, hold=False)
    _advance(region, job, 1.0)


def _seconds(region: Region, job: ImportJob) -> float | None:
    """Return how long a job takes, None when polls drive it."""
    if job.plan.seconds is not None:
        return job.plan.seconds
    return None if region.switches.ses_job_polls else region.switches.ses_job_seconds


def _share(region: Region, job: ImportJob) -> float:
    seconds = _seconds(region, job)
    if seconds is None:
        return min(1.0, job.polls / region.switches.ses_job_polls)
    return min(1.0, (region.now() - job.created) / seconds) if seconds else 1.0


def _advance(region: Region, job: ImportJob, share: float) -> None:
    if share < BEGINNING:
        return
    if job.status == "CREATED":
        job.status = "PROCESSING"
        if job.plan.end == "failed":
            _end(region, job, "FAILED", job.plan.message)
            return
        try:
            _open(region, job)
        except (Unreadable, BadObject) as error:
            _end(region, job, "FAILED", str(error))
            return
    load = cast("Load", job.load)
    whole = job.total // 2 if job.plan.end in CUT else job.total
    progress = (share - BEGINNING) / (1 - BEGINNING)
    target = whole if share >= 1 else min(whole, int(job.total * progress + 1e-6))
    if target > job.done:
        try:
            load.apply(job.done, target)
        except BadObject as error:
            _end(region, job, "FAILED", str(error))
            return
        job.done = target
        job.failed = len(load.failures)
        _touch_list(region)
    if share >= 1:
        status = CUT.get(job.plan.end, "COMPLETED")
        _end(region, job, status, job.plan.message if status in ("FAILED", "ERROR") else "")


def _open(region: Region, job: ImportJob) -> None:
    """Read the object and take it apart."""
    account, switches = region.account, region.switches
    objects = account.objects
    if switches.ses_bucket_region == "same":
        found = objects.region_of(job.bucket)
        if found is not None and found != region.name:
            raise Unreadable(f"The bucket {job.bucket} is in {found}, not in {region.name}")
    if switches.ses_bucket_policy == "required" and not objects.lets_ses_read(
        job.bucket, job.key, account.storage.keyring.account
    ):
        raise Unreadable(f"Unable to read s3://{job.bucket}/{job.key}: AccessDenied")
    content = objects.read(job.bucket, job.key)
    if 0 < switches.ses_max_file_bytes < len(content):
        raise BadObject(f"The file has {len(content)} bytes; the limit is {switches.ses_max_file_bytes}")
    load = Load(region, content, job.data_format, job.action, job.contact_list)
    limit = load.limit()
    if limit and load.total > limit:
        raise BadObject(f"The file has {load.total} records; the limit is {limit}")
    load.spoil(job.plan.bad_rows)
    job.load, job.total, job.failures = load, load.total, load.failures
    account.counters.received(ROUTE, load.total)
    if switches.ses_keep_received:
        account.received.keep(
            Sent(
                job.id,
                "CreateImportJob",
                region.name,
                job.contact_list,
                job.action,
                load.total,
                content,
                job.data_format,
            )
        )


def _touch_list(region: Region) -> None:
    if region.contact_list is not None and region.switches.ses_contacts_touch_list:
        region.contact_list.updated = region.now()


def _end(region: Region, job: ImportJob, status: str, error: str) -> None:
    seconds = _seconds(region, job)
    now = region.now()
    job.status = status
    job.ended = now if seconds is None else max(job.created, min(now, job.created + seconds))
    job.error = error
    job.load = None
    if job.failures and region.switches.ses_failed_records != "missing":
        job.failed_file = f"failed-records/{job.id}"
        written = failed_records(job.failures, region.switches.ses_failed_records)
        region.account.objects.write(region.account.files_bucket, job.failed_file, written)


def failed_records(failures: list[Failure], shape: Literal["json", "csv", "input", "missing"]) -> bytes:
    """Return the file of failed records in an invented shape: AWS publishes none."""
    failures = sorted(failures)
    if shape == "input":
        return "".join(f"{each.raw}\n" for each in failures).encode()
    if shape == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["record", "emailAddress", "failureReason"])
        writer.writerows([each.raw, each.email, each.reason] for each in failures)
        return text.getvalue().encode()
    rows = ({"emailAddress": each.email, "failureReason": each.reason, "record": each.raw} for each in failures)
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
