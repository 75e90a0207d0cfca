"""Export jobs: metrics and message insights, never contacts (SES reference, export jobs)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailing_sandbox.ses.jobs import BEGINNING, TERMINAL, job_id
from mailing_sandbox.ses.refusal import bad_request, not_found

if TYPE_CHECKING:
    from mailing_sandbox.ses.account import Region

URL_SECONDS = 300
"""Life of a download URL."""

EXPORTED = {
    "CSV": b"Date,Metric,Volume\n2025-01-01,SEND,12\n2025-01-02,SEND,7\n",
    "JSON": b'{"Date":"2025-01-01","Metric":"SEND","Volume":12}\n{"Date":"2025-01-02","Metric":"SEND","Volume":7}\n',
}
"""What every export holds."""


@dataclass(slots=True, eq=False, kw_only=True)
class ExportJob:
    """One export job; `ended` 0: unset."""

    number: int
    id: str
    source: dict[str, Any]
    data_format: str
    created: float
    status: str = "CREATED"
    ended: float = 0.0

    @property
    def source_type(self) -> str:
        """What is exported, as listings name it."""
        return "METRICS_DATA" if "MetricsDataSource" in self.source else "MESSAGE_INSIGHTS"

    @property
    def file(self) -> str:
        """The key of its file."""
        return f"exports/{self.id}.{self.data_format.lower()}"


def tick(region: Region) -> None:
    """Bring every export job of a region to where it stands now; they take as long as import jobs by default."""
    seconds = region.switches.ses_job_seconds
    for job in region.exports:
        if job.status in TERMINAL:
            continue
        share = (region.now() - job.created) / seconds if seconds else 1.0
        if share >= BEGINNING:
            job.status = "PROCESSING"
        if share >= 1:
            job.status = "COMPLETED"
            job.ended = job.created + seconds
            region.account.objects.write(region.account.files_bucket, job.file, EXPORTED[job.data_format])


def create_export_job(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Take a new export job in."""
    source = given["ExportDataSource"]
    if len(source) != 1:
        raise bad_request("Exactly one of MetricsDataSource and MessageInsightsDataSource must be given")
    if not region.switches.ses_vdm:
        raise bad_request("Virtual Deliverability Manager is not enabled for the account")
    number = region.exports.next_number()
    job = ExportJob(
        number=number,
        id=job_id(region.name, "export", number),
        source=source,
        data_format=given["ExportDestination"]["DataFormat"],
        created=region.now(),
    )
    region.exports.add(job.id, job)
    return {"JobId": job.id}


def _job(region: Region, number: str) -> ExportJob:
    job = region.exports.get(number)
    if job is None:
        raise not_found(f"Export job {number} does not exist")
    return job


def get_export_job(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Return one export job; every call renews the download URL."""
    job = _job(region, given["JobId"])
    completed = job.status == "COMPLETED"
    destination = {"DataFormat": job.data_format}
    if completed:
        destination["S3Url"] = region.account.share(job.file, URL_SECONDS)
    rows = 2 if completed else 0
    return _summary(job) | {
        "ExportDestination": destination,
        "ExportDataSource": job.source,
        "Statistics": {"ProcessedRecordsCount": rows, "ExportedRecordsCount": rows},
    }


def list_export_jobs(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Return a page of export jobs, newest first."""
    pager, switches = region.account.pager, region.switches
    size = pager.size(given.get("PageSize"), switches.ses_max_jobs_page, switches.ses_max_jobs_page)
    place = pager.place(given.get("NextToken"), f"{region.name}:exports", switches)
    source, status = given.get("ExportSourceType"), given.get("JobStatus")
    jobs, token = pager.cut(
        region.exports.ordered(),
        place,
        size,
        switches,
        lambda job: source in (None, job.source_type) and status in (None, job.status),
        newest_first=True,
    )
    region.account.counters.served("ses export jobs", len(jobs))
    return {"ExportJobs": [_summary(job) for job in jobs], "NextToken": token}


def cancel_export_job(region: Region, given: dict[str, Any]) -> None:
    """Cancel an export job that is not over."""
    job = _job(region, given["JobId"])
    if job.status in TERMINAL:
        raise bad_request(f"Export job {job.id} is already {job.status}")
    job.status = "CANCELLED"
    job.ended = region.now()


def _summary(job: ExportJob) -> dict[str, Any]:
    return {
        "JobId": job.id,
        "ExportSourceType": job.source_type,
        "JobStatus": job.status,
        "CreatedTimestamp": job.created,
        "CompletedTimestamp": job.ended or None,
    }
