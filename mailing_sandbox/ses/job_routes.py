"""Import jobs over the API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mailing_sandbox.ses.jobs import poll, submit
from mailing_sandbox.ses.refusal import Refusal, bad_request, not_found

if TYPE_CHECKING:
    from mailing_sandbox.ses.account import Region
    from mailing_sandbox.ses.jobs import ImportJob

S3_URL = re.compile(r"s3://([^/]+)/(.+)")


def create_import_job(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Take a new import job in. The object is not looked at: that fails later, in the job."""
    region.require_production("CreateImportJob")
    destination = given["ImportDestination"]
    if len(destination) != 1:
        raise bad_request("Exactly one of SuppressionListDestination and ContactListDestination must be given")
    name: str | None = None
    if "ContactListDestination" in destination:
        name = destination["ContactListDestination"]["ContactListName"]
        action = destination["ContactListDestination"]["ContactListImportAction"]
        if region.contact_list is None or region.contact_list.name != name:
            raise not_found(f"ContactList {name} doesn't exist")
    else:
        action = destination["SuppressionListDestination"]["SuppressionListImportAction"]
    limit = region.switches.ses_jobs_at_once
    if limit and sum(not job.terminal for job in region.imports) >= limit:
        raise Refusal("LimitExceededException", f"Only {limit} import jobs may be under way at a time")
    source = given["ImportDataSource"]
    match = S3_URL.fullmatch(source["S3Url"])
    if match is None:
        raise bad_request("The S3Url does not name an object")
    bucket, key = match.groups()
    job = submit(region, name=name, action=action, bucket=bucket, key=key, data_format=source["DataFormat"])
    return {"JobId": job.id}


def get_import_job(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Return one import job, with the fields that the listing omits."""
    job = region.imports.get(given["JobId"])
    if job is None:
        raise not_found(f"Import job {given['JobId']} does not exist")
    poll(region, job)
    failure: dict[str, str] = {}
    if job.error:
        failure["ErrorMessage"] = job.error
    if job.failed_file:
        failure["FailedRecordsS3Url"] = region.account.share(job.failed_file, region.switches.ses_failed_url_seconds)
    return _summary(region, job) | {
        "ImportDataSource": {"S3Url": f"s3://{job.bucket}/{job.key}", "DataFormat": job.data_format},
        "FailureInfo": failure or None,
        "CompletedTimestamp": job.ended or None,
    }


def list_import_jobs(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Return a page of import jobs, newest first unless shuffled; this is a poll of each of them."""
    region.require_production("ListImportJobs")
    pager, switches = region.account.pager, region.switches
    size = pager.size(given.get("PageSize"), switches.ses_max_jobs_page, switches.ses_max_jobs_page)
    place = pager.place(given.get("NextToken"), f"{region.name}:imports", switches)
    wanted = given.get("ImportDestinationType")
    jobs, token = pager.cut(
        region.imports.ordered(),
        place,
        size,
        switches,
        lambda job: wanted in (None, "SUPPRESSION_LIST" if job.contact_list is None else "CONTACT_LIST"),
        newest_first=True,
    )
    for job in jobs:
        poll(region, job)
    region.account.counters.served("ses import jobs", len(jobs))
    return {"ImportJobs": [_summary(region, job) for job in jobs], "NextToken": token}


def _summary(region: Region, job: ImportJob) -> dict[str, Any]:
    if job.contact_list is None:
        destination = {"SuppressionListDestination": {"SuppressionListImportAction": job.action}}
    else:
        destination = {
            "ContactListDestination": {"ContactListName": job.contact_list, "ContactListImportAction": job.action}
        }
    processed, failed = _counts(region, job)
    return {
        "JobId": job.id,
        "ImportDestination": destination,
        "JobStatus": job.status,
        "CreatedTimestamp": job.created,
        "ProcessedRecordsCount": processed,
        "FailedRecordsCount": failed,
    }


def _counts(region: Region, job: ImportJob) -> tuple[int | None, int | None]:
    """Return the two counters of a job; None omits them."""
    if not job.terminal and region.switches.ses_running_counts == "absent":
        return None, None
    if not job.terminal and region.switches.ses_running_counts == "zero":
        return 0, 0
    if job.terminal and region.switches.ses_ended_counts != "given":
        job.looks_after_end += 1
        if region.switches.ses_ended_counts == "absent" or job.looks_after_end == 1:
            return None, None
    return job.done - (0 if region.switches.ses_processed_includes_failed else job.failed), job.failed
