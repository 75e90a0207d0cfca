"""Routes of bulk loading: managemanycontacts, csvimport, batchjob and the files beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mailing_sandbox.mailjet import body, resources
from mailing_sandbox.mailjet.contact_routes import NOTHING_CHANGED, targets_of
from mailing_sandbox.mailjet.csvload import CsvLoad, error_file, options_of
from mailing_sandbox.mailjet.jobs import Job
from mailing_sandbox.mailjet.load import JsonLoad
from mailing_sandbox.mailjet.received import Sent
from mailing_sandbox.mailjet.records import rfc3339
from mailing_sandbox.mailjet.refusal import Dropped, Refusal, no_source, not_found
from mailing_sandbox.mailjet.store import ACTIONS
from mailing_sandbox.provider import Reply

if TYPE_CHECKING:
    from mailing_sandbox.mailjet.account import Account
    from mailing_sandbox.mailjet.records import MailingList
    from mailing_sandbox.provider import Call

METHODS = (*ACTIONS, "excludemarketing", "includemarketing")
CSV_JOB = "Contact list import csv"
GLOBAL_STATUS = (
    "MJ08 Property ContactsList is invalid: Exclusion of contacts from marketing campaign is a global status "
    "and can not be applied to a list"
)


# JSON bulk loading


def load_list(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Queue a JSON job for one list."""
    mailing_list = account.store.find_list(params["list"])
    if mailing_list is None or mailing_list.deleted:
        raise not_found()
    given = body.read(account, call, ["Action", "Contacts"])
    action = given.get("Action")
    if not isinstance(action, str) or action.lower() not in ACTIONS:
        raise Refusal(400, "Object properties invalid", {"Action": f"Invalid action: {action or ''}"})
    targets = [(mailing_list, action.lower())]
    exclusion = account.switches.list_bulk_exclusion
    return _queue(account, call, given, targets, account_wide=False, exclusion=exclusion)


def load_account(account: Account, call: Call, _: dict[str, str]) -> Reply:
    """Queue a JSON job for the whole account, with any number of lists."""
    given = body.read(account, call, ["ContactsLists", "Contacts"])
    targets: list[tuple[MailingList, str]] = []
    if given.get("ContactsLists") is not None:
        targets, faulty = targets_of(account, given["ContactsLists"])
        if faulty:
            raise Refusal(400, {"ContactsLists": faulty})
    limit = account.switches.max_lists_per_call
    if limit and len(targets) > limit:
        raise Refusal(400, f"Too many entries in ContactsLists: {len(targets)}")
    return _queue(account, call, given, targets, account_wide=True, exclusion=True)


def _queue(
    account: Account,
    call: Call,
    given: dict[str, Any],
    targets: list[tuple[MailingList, str]],
    *,
    account_wide: bool,
    exclusion: bool,
) -> Reply:
    contacts = given.get("Contacts")
    if not isinstance(contacts, list):
        raise Refusal(400, "Object properties invalid", {"Contacts": "MJ03 A non-empty value is required"})
    limit = account.switches.max_contacts_per_call
    if limit and len(contacts) > limit:
        raise Dropped
    if account.switches.body_keys == "insensitive":
        names = ("Email", "Name", "IsExcludedFromCampaigns", "Properties")
        contacts = [body.spelled(account, each, names) if isinstance(each, dict) else each for each in contacts]
    numbered = [(mailing_list.id, action) for mailing_list, action in targets]
    alone = len(targets) == 1
    job = account.jobs.submit(
        Job(
            id=account.jobs.next_id(),
            route="json",
            job_type=account.switches.bulk_job_type,
            method=targets[0][1] if alone else "Unknown",
            targets=numbered,
            account_wide=account_wide,
            ref_id=targets[0][0].id if alone else 0,
            data_id=account.jobs.data_id(),
            load=JsonLoad(account.store, contacts, targets, exclusion=exclusion),
        )
    )
    account.counters.received(
        "contact/managemanycontacts" if account_wide else "contactslist/managemanycontacts", job.total
    )
    if account.switches.keep_received:
        account.received.keep(Sent(job.id, numbered, job.total, call.body, None))
    return account.envelope([{"JobID": job.id}], status=201)


def poll_list(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Show a job of one list; under any other list it is unknown."""
    job = _job(account, params["job"])
    mailing_list = account.store.find_list(params["list"])
    if mailing_list is None or job.route != "json" or job.account_wide or job.targets[0][0] != mailing_list.id:
        raise not_found()
    return _poll(account, call, job)


def poll_account(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Show an account-wide job."""
    job = _job(account, params["job"])
    if job.route != "json" or not job.account_wide:
        raise not_found()
    return _poll(account, call, job)


def _job(account: Account, key: str) -> Job:
    job = account.jobs.table.find(key)
    if job is None:
        raise not_found()
    return job


def _looked_at(account: Account, key: str) -> Job:
    """Return a job and count the look at it; 404 while it must seem unknown."""
    job = _job(account, key)
    if not account.jobs.poll(job):
        raise not_found()
    return job


def _poll(account: Account, call: Call, job: Job) -> Reply:
    if not account.jobs.poll(job):
        raise not_found()
    row: dict[str, Any] = {
        "Count": job.current,
        "Error": job.error,
        "ErrorFile": _error_file_path(account, call, job),
        "JobEnd": rfc3339(job.ended),
        "JobStart": rfc3339(job.started),
        "Status": resources.status(account, job),
    }
    if job.account_wide and account.switches.job_names_lists:
        row["ContactsLists"] = [{"ListID": number, "Action": action} for number, action in job.targets]
    return account.envelope([row])


def _error_file_path(account: Account, call: Call, job: Job) -> str:
    rule = account.switches.error_file_path
    if not job.terminal or not job.errors or rule == "empty":
        return ""
    base = f"http://{call.headers.get('host', 'localhost')}/v3/" if rule == "absolute" else ""
    return f"{base}DATA/Batchjob/{job.id}/JSONError/application:json/LAST"


# imports of CSV files


def create_import(account: Account, call: Call, _: dict[str, str]) -> Reply:
    """Queue the import of an uploaded file."""
    names = ("ContactsListID", "DataID", "Method", "ImportOptions", "ErrTreshold", "Status")
    fixed = ("ID", "AliveAt", "Count", "Current", "Errcount", "JobEnd", "JobStart", "RequestAt")
    given = body.fields(account, call, "CSVImport", names, fixed)
    if given.get("Status", "Upload") != "Upload":
        raise _bad_status(given["Status"])
    job = _import(account, given, given.get("ContactsListID"))
    return account.envelope([resources.csvimport(account, job, {})], status=201)


def _bad_status(status: Any) -> Refusal:
    return Refusal(400, f'Invalid value for Status: "{status}". Status can only be set to Upload - ')


def _import(account: Account, given: dict[str, Any], list_id: Any) -> Job:
    data_id = body.integer(given.get("DataID"), "DataID")
    content = account.jobs.uploads.get(data_id)
    if content is None:
        raise Refusal(400, f'Invalid value for property "DataID": {data_id} does not exist')
    method = str(given.get("Method", "Unknown")).lower()
    if method not in METHODS:
        raise Refusal(400, f'Invalid value for property "Method": "{given.get("Method", "")}"')
    mailing_list: MailingList | None = None
    if method in ("excludemarketing", "includemarketing"):
        if list_id not in (None, "", 0):
            raise Refusal(400, GLOBAL_STATUS)
    else:
        mailing_list = account.store.lists.get(body.integer(list_id, "ContactsListID"))
        if mailing_list is None or mailing_list.deleted:
            raise Refusal(400, f'Invalid value for property "ContactsListID": {list_id} does not exist')
    text = given.get("ImportOptions", "")
    try:
        options = options_of(text)
    except ValueError as error:
        raise Refusal(400, f'Invalid value for property "ImportOptions": {error}') from error
    if not account.switches.data_id_reuse:
        del account.jobs.uploads[data_id]
    ref_id = mailing_list.id if mailing_list else 0
    job = account.jobs.submit(
        Job(
            id=account.jobs.next_id(),
            route="csv",
            job_type=CSV_JOB,
            method=method,
            status="Upload",
            targets=[(ref_id, method)] if mailing_list else [],
            ref_id=ref_id,
            data_id=data_id,
            threshold=body.integer(given.get("ErrTreshold", 0), "ErrTreshold"),
            options=text or "",
            load=CsvLoad(account.store, content, method, mailing_list, options),
        )
    )
    rows = max(content.count(b"\n") + (not content.endswith(b"\n")) - (not options.FieldNames), 0)
    account.counters.received("csvimport", rows)
    if account.switches.keep_received:
        account.received.keep(Sent(job.id, job.targets, rows, content, job.options))
    return job


def read_import(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Show one import."""
    if _job(account, params["job"]).route != "csv":
        raise not_found()
    return account.envelope([resources.csvimport(account, _looked_at(account, params["job"]), {})])


def update_import(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Abort an import: the only change allowed."""
    job = _job(account, params["job"])
    if job.route != "csv":
        raise not_found()
    changed = _aborted(account, job, body.read(account, call, ["Status"]))
    return account.envelope([resources.csvimport(account, job, {})]) if changed else NOTHING_CHANGED


def _aborted(account: Account, job: Job, given: dict[str, Any]) -> bool:
    """Abort a job as its PUT asks; False when nothing was asked or the job has ended."""
    status = given.get("Status")
    if status is None:
        return False
    if status != "Abort":
        raise _bad_status(status)
    if job.terminal:
        return False
    account.jobs.abort(job)
    return True


# jobs of any kind


def create_batchjob(account: Account, call: Call, _: dict[str, str]) -> Reply:
    """Queue a CSV import the old way, where the switch `batchjob_post` lets it."""
    if account.switches.batchjob_post == "refused":
        raise Refusal(400, "You are not allowed to post jobs for this AKID")
    given = body.read(account, call, ["JobType", "DataID", "RefId", "Method", "Status", "APIKeyALT"])
    if given.get("JobType") != CSV_JOB:
        raise Refusal(400, f'Invalid value for property "JobType": "{given.get("JobType", "")}"')
    job = _import(account, given, given.get("RefId"))
    return account.envelope([resources.batchjob(account, job, {})], status=201)


def read_batchjob(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Show one job of any kind."""
    return account.envelope([resources.batchjob(account, _looked_at(account, params["job"]), {})])


def update_batchjob(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Abort a job of any kind."""
    job = _job(account, params["job"])
    changed = _aborted(account, job, body.read(account, call, ["Status"]))
    return account.envelope([resources.batchjob(account, job, {})]) if changed else NOTHING_CHANGED


# files


def upload(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Keep a CSV file as it came; the answer is bare, without envelope."""
    mailing_list = account.store.find_list(params["list"])
    if mailing_list is None:
        raise no_source(mime(params["mime"]))
    limit = account.switches.max_csv_bytes
    if limit and len(call.body) > limit:
        raise Dropped
    return Reply(200, msgspec.json.encode({"ID": account.jobs.upload(call.body)}))


def upload_nowhere(_: Account, __: Call, ___: dict[str, str]) -> Reply:
    """Refuse a file whose path names no list."""
    raise Refusal(400, "Invalid resource ID: a contacts list is required")


def mime(segment: str) -> str:
    """Return the media type that a DATA path writes with a colon."""
    return segment.replace(":", "/", 1)


def csv_errors(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Return the rows of a CSV import that failed; a job without any has no file."""
    kind = mime(params["mime"])
    job = account.jobs.table.find(params["job"])
    if job is None or job.route != "csv" or not job.errors:
        raise no_source(kind)
    headerless = not account.switches.headerless_error_header and bool(options_of(job.options).FieldNames)
    return Reply(200, error_file(None if headerless else job.header, job.errors).encode(), kind)


def json_errors(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Return the error file of a JSON job; its shape is invented, see the switch `error_file`."""
    kind = mime(params["mime"])
    job = account.jobs.table.find(params["job"])
    shape = account.switches.error_file
    if job is None or job.route != "json" or not job.errors or shape == "missing":
        raise no_source(kind)
    messages = [(error.email, f"{error.column}: {error.message}".removeprefix(": ")) for error in job.errors]
    if shape == "empty":
        return Reply(200, b"", kind)
    if shape == "text":
        return Reply(200, "".join(f"{email}: {message}\n" for email, message in messages).encode(), kind)
    if shape == "nested":
        entries = [{"Contact": {"Email": email}, "Errors": [message]} for email, message in messages]
        return Reply(200, msgspec.json.encode({"Contacts": entries}), kind)
    return Reply(200, msgspec.json.encode([{"Email": email, "Error": message} for email, message in messages]), kind)
