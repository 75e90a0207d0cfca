"""Every route of Mailjet that the sandbox serves, and how a path finds its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from mailing_sandbox.mailjet import bulk_routes as bulk
from mailing_sandbox.mailjet import contact_routes as contacts
from mailing_sandbox.mailjet import list_routes as lists
from mailing_sandbox.mailjet import resources, statistics
from mailing_sandbox.mailjet.refusal import not_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailing_sandbox.mailjet.account import Account
    from mailing_sandbox.mailjet.listing import Resource
    from mailing_sandbox.provider import Call, Reply

Work = Callable[["Account", "Call", dict[str, str]], "Reply"]

RESOURCES: tuple[Resource, ...] = (
    resources.BATCHJOB,
    resources.CONTACT,
    resources.CONTACTDATA,
    resources.CONTACTFILTER,
    resources.CONTACTMETADATA,
    resources.CONTACTSLIST,
    resources.CONTACTSLISTSIGNUP,
    resources.CSVIMPORT,
    resources.LISTRECIPIENT,
    statistics.CONTACTSTATISTICS,
    statistics.LISTRECIPIENTSTATISTICS,
    statistics.LISTSTATISTICS,
)


class Route(NamedTuple):
    """One method of one path; parts in braces stand for any segment."""

    method: str
    path: str
    work: Work


class Match(NamedTuple):
    """A path that a route knows: its template, its parameters, and the work by method."""

    template: str
    params: dict[str, str]
    works: dict[str, Work]


def read_signup(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Return one sign-up."""
    signup = account.store.signups.find(params["signup"])
    if signup is None:
        raise not_found()
    return account.envelope([resources.contactslistsignup(account, signup, {})])


def read_contact_statistics(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Return one contact's statistics."""
    contact = contacts.found(account, params["contact"])
    return account.envelope([statistics.contactstatistics(account, contact, {})])


def read_list_statistics(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Return one list's statistics."""
    mailing_list = lists.list_of(account, params["list"])
    return account.envelope([statistics.liststatistics(account, mailing_list, call.query)])


def misplaced_job(_: Account, __: Call, ___: dict[str, str]) -> Reply:
    """Refuse the poll URL that the provider's own page once printed (Mailjet reference, JSON bulk)."""
    raise not_found()


def describe(account: Account, _: Call, __: dict[str, str]) -> Reply:
    """Describe the resources: names, filters and sort keys (a minimal metadata)."""
    rows = [
        {
            "Name": resource.name,
            "Filters": [{"Name": name} for name in (*resource.filters, *resource.narrows)],
            "SortInfo": [{"PropertyName": name, "AllowDescending": sort.both} for name, sort in resource.sorts.items()],
        }
        for resource in RESOURCES
    ]
    return account.envelope(rows)


def listing_of(resource: Resource) -> Work:
    """Return the work of listing a resource."""
    return lambda account, call, _: resource.list(account, call.query)


ROUTES: tuple[Route, ...] = (
    *(Route("GET", f"/v3/REST/{resource.name}", listing_of(resource)) for resource in RESOURCES),
    Route("GET", "/v3/REST/metadata", describe),
    Route("POST", "/v3/REST/contact", contacts.create),
    Route("POST", "/v3/REST/contact/managemanycontacts", bulk.load_account),
    Route("GET", "/v3/REST/contact/managemanycontacts/{job}", bulk.poll_account),
    Route("GET", "/v3/REST/contact/{contact}", contacts.read),
    Route("PUT", "/v3/REST/contact/{contact}", contacts.update),
    Route("DELETE", "/v3/REST/contact/{contact}", contacts.refuse_delete),
    Route("POST", "/v3/REST/contact/{contact}/managecontactslists", contacts.manage_lists),
    Route("GET", "/v3/REST/contact/{contact}/managemanycontacts", misplaced_job),
    Route("GET", "/v3/REST/contact/{contact}/getcontactslists", contacts.lists_of_contact),
    Route("GET", "/v3/REST/contactdata/{contact}", contacts.read_values),
    Route("PUT", "/v3/REST/contactdata/{contact}", contacts.write_values),
    Route("POST", "/v3/REST/contactdata/{contact}", contacts.write_values),
    Route("DELETE", "/v3/REST/contactdata/{contact}", contacts.clear_values),
    Route("GET", "/v3/REST/contactstatistics/{contact}", read_contact_statistics),
    Route("POST", "/v3/REST/contactslist", lists.create_list),
    Route("GET", "/v3/REST/contactslist/{list}", lists.read_list),
    Route("PUT", "/v3/REST/contactslist/{list}", lists.update_list),
    Route("DELETE", "/v3/REST/contactslist/{list}", lists.delete_list),
    Route("POST", "/v3/REST/contactslist/{list}/managecontact", contacts.manage_contact),
    Route("POST", "/v3/REST/contactslist/{list}/managemanycontacts", bulk.load_list),
    Route("GET", "/v3/REST/contactslist/{list}/managemanycontacts/{job}", bulk.poll_list),
    Route("GET", "/v3/REST/liststatistics/{list}", read_list_statistics),
    Route("POST", "/v3/REST/listrecipient", lists.create_membership),
    Route("GET", "/v3/REST/listrecipient/{recipient}", lists.read_membership),
    Route("PUT", "/v3/REST/listrecipient/{recipient}", lists.update_membership),
    Route("DELETE", "/v3/REST/listrecipient/{recipient}", lists.delete_membership),
    Route("POST", "/v3/REST/contactmetadata", lists.create_property),
    Route("GET", "/v3/REST/contactmetadata/{property}", lists.read_property),
    Route("PUT", "/v3/REST/contactmetadata/{property}", lists.update_property),
    Route("DELETE", "/v3/REST/contactmetadata/{property}", lists.delete_property),
    Route("POST", "/v3/REST/contactfilter", lists.create_segment),
    Route("GET", "/v3/REST/contactfilter/{segment}", lists.read_segment),
    Route("PUT", "/v3/REST/contactfilter/{segment}", lists.update_segment),
    Route("DELETE", "/v3/REST/contactfilter/{segment}", lists.delete_segment),
    Route("GET", "/v3/REST/contactslistsignup/{signup}", read_signup),
    Route("POST", "/v3/REST/csvimport", bulk.create_import),
    Route("GET", "/v3/REST/csvimport/{job}", bulk.read_import),
    Route("PUT", "/v3/REST/csvimport/{job}", bulk.update_import),
    Route("POST", "/v3/REST/batchjob", bulk.create_batchjob),
    Route("GET", "/v3/REST/batchjob/{job}", bulk.read_batchjob),
    Route("PUT", "/v3/REST/batchjob/{job}", bulk.update_batchjob),
    Route("POST", "/v3/DATA/contactslist/{list}/CSVData/{mime}", bulk.upload),
    Route("POST", "/v3/DATA/contactslist/CSVData/{mime}", bulk.upload_nowhere),
    Route("GET", "/v3/DATA/batchjob/{job}/CSVError/{mime}", bulk.csv_errors),
    Route("GET", "/v3/DATA/batchjob/{job}/JSONError/{mime}", bulk.json_errors),
    Route("GET", "/v3/DATA/batchjob/{job}/JSONError/{mime}/LAST", bulk.json_errors),
    Route("DELETE", "/v4/contacts/{contact}", contacts.anonymise),
)


class Router:
    """Finds routes. Literal parts match in any case and before parameters."""

    def __init__(self, routes: Sequence[Route] = ROUTES) -> None:
        self._by_length: dict[int, dict[str, tuple[tuple[str, ...], dict[str, Work]]]] = {}
        for route in routes:
            parts = tuple(route.path.strip("/").split("/"))
            same = self._by_length.setdefault(len(parts), {})
            same.setdefault(route.path, (parts, {}))[1][route.method] = route.work

    def match(self, segments: Sequence[str]) -> Match | None:
        """Return what a path means, or None."""
        lowered = [segment.lower() for segment in segments]
        best: tuple[int, Match] | None = None
        for template, (parts, works) in self._by_length.get(len(segments), {}).items():
            literal = 0
            for part, segment in zip(parts, lowered, strict=True):
                if part[0] != "{":
                    if part.lower() != segment:
                        break
                    literal += 1
            else:
                if best is None or literal > best[0]:
                    params = {
                        part[1:-1]: segment for part, segment in zip(parts, segments, strict=True) if part[0] == "{"
                    }
                    best = (literal, Match(template, params, works))
        return best[1] if best else None
