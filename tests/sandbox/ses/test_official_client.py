"""boto3 against the sandbox: one success and one error of every operation."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from mailing_sandbox.ses.routes import ROUTES
from tests.sandbox.ses.conftest import code, start

SPAN = {"StartDate": 1735689600, "EndDate": 1735776000}
INSIGHTS = {"MessageInsightsDataSource": SPAN}
LIST = "Newsletter"


def into_list(name):
    return {
        "ImportDestination": {"ContactListDestination": {"ContactListName": name, "ContactListImportAction": "PUT"}},
        "ImportDataSource": {"S3Url": "s3://imports/rows", "DataFormat": "JSON"},
    }


@pytest.fixture
def world(sandbox, ses, newsletter):
    """A list with Ann on it, one suppressed address, jobs under way; the jobs' IDs."""
    sandbox.ses.add_contacts(
        [{"email": "ann@example.com", "topics": {"News": "OPT_IN"}, "attributes": {"city": "Oslo"}}]
    )
    sandbox.ses.add_suppressions([{"email": "gone@example.com"}])
    sandbox.switches.change({"ses_job_seconds": 60})
    export = ses.create_export_job(ExportDataSource=INSIGHTS, ExportDestination={"DataFormat": "CSV"})["JobId"]
    return {"import": start(ses, name=newsletter), "export": export}


# Each: the call that succeeds, what its answer holds, the call that fails, its error code.
OPERATIONS = {
    "GetAccount": (
        lambda c, w: c.get_account(), "ProductionAccessEnabled",
        None, None,
    ),
    "ListContactLists": (
        lambda c, w: c.list_contact_lists(PageSize=10), "ContactLists",
        lambda c, w: c.list_contact_lists(PageSize=0), "BadRequestException",
    ),
    "CreateContactList": (
        lambda c, w: c.delete_contact_list(ContactListName=LIST) and c.create_contact_list(ContactListName="B"), None,
        lambda c, w: c.create_contact_list(ContactListName=LIST), "BadRequestException",
    ),
    "GetContactList": (
        lambda c, w: c.get_contact_list(ContactListName=LIST), "Topics",
        lambda c, w: c.get_contact_list(ContactListName="None"), "NotFoundException",
    ),
    "UpdateContactList": (
        lambda c, w: c.update_contact_list(ContactListName=LIST, Description="new"), None,
        lambda c, w: c.update_contact_list(ContactListName="None"), "NotFoundException",
    ),
    "DeleteContactList": (
        lambda c, w: c.delete_contact_list(ContactListName=LIST), None,
        lambda c, w: c.delete_contact_list(ContactListName="None"), "NotFoundException",
    ),
    "ListContacts": (
        lambda c, w: c.list_contacts(ContactListName=LIST), "Contacts",
        lambda c, w: c.list_contacts(ContactListName=LIST, NextToken="garbage"), "BadRequestException",
    ),
    "CreateContact": (
        lambda c, w: c.create_contact(ContactListName=LIST, EmailAddress="bob@example.com"), None,
        lambda c, w: c.create_contact(ContactListName=LIST, EmailAddress="ann@example.com"), "AlreadyExistsException",
    ),
    "GetContact": (
        lambda c, w: c.get_contact(ContactListName=LIST, EmailAddress="ann@example.com"), "AttributesData",
        lambda c, w: c.get_contact(ContactListName=LIST, EmailAddress="bob@example.com"), "NotFoundException",
    ),
    "UpdateContact": (
        lambda c, w: c.update_contact(ContactListName=LIST, EmailAddress="ann@example.com", UnsubscribeAll=True), None,
        lambda c, w: c.update_contact(ContactListName=LIST, EmailAddress="bob@example.com"), "NotFoundException",
    ),
    "DeleteContact": (
        lambda c, w: c.delete_contact(ContactListName=LIST, EmailAddress="ann@example.com"), None,
        lambda c, w: c.delete_contact(ContactListName=LIST, EmailAddress="bob@example.com"), "NotFoundException",
    ),
    "ListSuppressedDestinations": (
        lambda c, w: c.list_suppressed_destinations(Reasons=["BOUNCE", "COMPLAINT"]), "SuppressedDestinationSummaries",
        lambda c, w: c.list_suppressed_destinations(NextToken="garbage"), "InvalidNextTokenException",
    ),
    "PutSuppressedDestination": (
        lambda c, w: c.put_suppressed_destination(EmailAddress="new@example.com", Reason="COMPLAINT"), None,
        lambda c, w: c.put_suppressed_destination(EmailAddress="nobody", Reason="BOUNCE"), "BadRequestException",
    ),
    "GetSuppressedDestination": (
        lambda c, w: c.get_suppressed_destination(EmailAddress="gone@example.com"), "SuppressedDestination",
        lambda c, w: c.get_suppressed_destination(EmailAddress="ann@example.com"), "NotFoundException",
    ),
    "DeleteSuppressedDestination": (
        lambda c, w: c.delete_suppressed_destination(EmailAddress="gone@example.com"), None,
        lambda c, w: c.delete_suppressed_destination(EmailAddress="ann@example.com"), "NotFoundException",
    ),
    "CreateImportJob": (
        lambda c, w: c.create_import_job(**into_list(LIST)), "JobId",
        lambda c, w: c.create_import_job(**into_list("None")), "NotFoundException",
    ),
    "ListImportJobs": (
        lambda c, w: c.list_import_jobs(ImportDestinationType="CONTACT_LIST"), "ImportJobs",
        lambda c, w: c.list_import_jobs(PageSize=101), "BadRequestException",
    ),
    "GetImportJob": (
        lambda c, w: c.get_import_job(JobId=w["import"]), "ImportDataSource",
        lambda c, w: c.get_import_job(JobId="none"), "NotFoundException",
    ),
    "CreateExportJob": (
        lambda c, w: c.create_export_job(ExportDataSource=INSIGHTS, ExportDestination={"DataFormat": "CSV"}), "JobId",
        lambda c, w: c.create_export_job(ExportDataSource={}, ExportDestination={"DataFormat": "CSV"}),
        "BadRequestException",
    ),
    "ListExportJobs": (
        lambda c, w: c.list_export_jobs(JobStatus="CREATED"), "ExportJobs",
        lambda c, w: c.list_export_jobs(NextToken="garbage"), "BadRequestException",
    ),
    "GetExportJob": (
        lambda c, w: c.get_export_job(JobId=w["export"]), "ExportDestination",
        lambda c, w: c.get_export_job(JobId="none"), "NotFoundException",
    ),
    "CancelExportJob": (
        lambda c, w: c.cancel_export_job(JobId=w["export"]), None,
        lambda c, w: c.cancel_export_job(JobId="none"), "NotFoundException",
    ),
}  # fmt: skip


def test_every_operation_is_tried():
    assert OPERATIONS.keys() == {route.operation for route in ROUTES}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_succeeds(ses, world, operation):
    call, member, _, _ = OPERATIONS[operation]
    answer = call(ses, world)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert member is None or answer[member]


@pytest.mark.parametrize("operation", [name for name, tried in OPERATIONS.items() if tried[2]])
def test_it_fails_as_planned(ses, world, operation):
    _, _, call, expected = OPERATIONS[operation]
    with pytest.raises(ClientError) as refused:
        call(ses, world)
    assert code(refused) == expected
    assert refused.value.response["Error"]["Message"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_names_the_action_that_is_not_allowed(sandbox, ses, world, operation):
    sandbox.ses.deny(f"ses:{operation}")
    with pytest.raises(ClientError, match=f"not authorized to perform: ses:{operation} ") as refused:
        OPERATIONS[operation][0](ses, world)
    assert code(refused) == "AccessDeniedException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
