"""Every operation of SES that the sandbox serves, and how a path finds its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from mailing_sandbox.ses import contact_routes as contacts
from mailing_sandbox.ses import exports
from mailing_sandbox.ses import job_routes as jobs
from mailing_sandbox.ses import list_routes as lists
from mailing_sandbox.ses import suppression_routes as suppressions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailing_sandbox.ses.account import Region

Work = Callable[["Region", dict[str, Any]], "dict[str, Any] | None"]


class Route(NamedTuple):
    """One operation; parts of the path in braces stand for any segment."""

    operation: str
    method: str
    path: str
    work: Work


LIST = "/v2/email/contact-lists/{ContactListName}"
CONTACT = f"{LIST}/contacts/{{EmailAddress}}"
ADDRESSES = "/v2/email/suppression/addresses"

ROUTES = (
    Route("GetAccount", "GET", "/v2/email/account", lists.get_account),
    Route("ListContactLists", "GET", "/v2/email/contact-lists", lists.list_contact_lists),
    Route("CreateContactList", "POST", "/v2/email/contact-lists", lists.create_contact_list),
    Route("GetContactList", "GET", LIST, lists.get_contact_list),
    Route("UpdateContactList", "PUT", LIST, lists.update_contact_list),
    Route("DeleteContactList", "DELETE", LIST, lists.delete_contact_list),
    Route("ListContacts", "POST", f"{LIST}/contacts/list", contacts.list_contacts),
    Route("CreateContact", "POST", f"{LIST}/contacts", contacts.create_contact),
    Route("GetContact", "GET", CONTACT, contacts.get_contact),
    Route("UpdateContact", "PUT", CONTACT, contacts.update_contact),
    Route("DeleteContact", "DELETE", CONTACT, contacts.delete_contact),
    Route("ListSuppressedDestinations", "GET", ADDRESSES, suppressions.list_suppressed_destinations),
    Route("PutSuppressedDestination", "PUT", ADDRESSES, suppressions.put_suppressed_destination),
    Route("GetSuppressedDestination", "GET", f"{ADDRESSES}/{{EmailAddress}}", suppressions.get_suppressed_destination),
    Route(
        "DeleteSuppressedDestination",
        "DELETE",
        f"{ADDRESSES}/{{EmailAddress}}",
        suppressions.delete_suppressed_destination,
    ),
    Route("CreateImportJob", "POST", "/v2/email/import-jobs", jobs.create_import_job),
    Route("ListImportJobs", "POST", "/v2/email/import-jobs/list", jobs.list_import_jobs),
    Route("GetImportJob", "GET", "/v2/email/import-jobs/{JobId}", jobs.get_import_job),
    Route("CreateExportJob", "POST", "/v2/email/export-jobs", exports.create_export_job),
    Route("ListExportJobs", "POST", "/v2/email/list-export-jobs", exports.list_export_jobs),
    Route("GetExportJob", "GET", "/v2/email/export-jobs/{JobId}", exports.get_export_job),
    Route("CancelExportJob", "PUT", "/v2/email/export-jobs/{JobId}/cancel", exports.cancel_export_job),
)


class Match(NamedTuple):
    """An operation and the parameters of its path."""

    route: Route
    params: dict[str, str]


def match(method: str, segments: Sequence[str]) -> Match | None:
    """Return the operation that a method and a path mean, or None. Literal parts win over parameters."""
    best: tuple[int, Match] | None = None
    for route in ROUTES:
        parts = route.path[1:].split("/")
        if route.method != method or len(parts) != len(segments):
            continue
        params: dict[str, str] = {}
        for part, segment in zip(parts, segments, strict=True):
            if part[0] == "{":
                params[part[1:-1]] = segment
            elif part != segment:
                break
        else:
            if best is None or len(params) < best[0]:
                best = (len(params), Match(route, params))
    return best[1] if best else None
