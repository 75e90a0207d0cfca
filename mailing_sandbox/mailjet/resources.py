"""Mailjet's listed resources, as declarations: rows, fields, filters and sort keys."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from mailing_sandbox.mailjet import listing
from mailing_sandbox.mailjet.account import APIKEY_ID
from mailing_sandbox.mailjet.listing import Resource, Sort, flag
from mailing_sandbox.mailjet.records import Contact, MailingList, Membership, Property, Segment, Signup, is_id, rfc3339
from mailing_sandbox.mailjet.values import shown

if TYPE_CHECKING:
    from mailing_sandbox.mailjet.account import Account
    from mailing_sandbox.mailjet.jobs import Job
    from mailing_sandbox.mailjet.listing import Query

by_id = Sort(attrgetter("id"))
by_id_ascending = Sort(attrgetter("id"), both=False)


def contact_rows(account: Account, query: Query) -> list[Contact]:
    """Return contacts in ID order; anonymised ones only where they show (Mailjet reference, GDPR delete)."""
    store = account.store
    number = query.get("contactslist", "")
    if number:
        mailing_list = store.lists.get(listing.whole(number, "ContactsList"))
        members = mailing_list.rows.rows if mailing_list else []
        return sorted((membership.contact for membership in members), key=attrgetter("id"))
    rows = store.contacts.rows
    if store.anonymised and not (flag(query.get("includeanonymized", "")) or account.switches.legacy_anonymised_rows):
        return [row for row in rows if not row.anonymised]
    return rows


def membership_rows(account: Account, query: Query) -> list[Membership]:
    """Return memberships in ID order, from the index of a list or contact when the query names one."""
    store = account.store
    if query.get("contactslist", ""):
        mailing_list = store.lists.get(listing.whole(query["contactslist"], "ContactsList"))
        return mailing_list.rows.rows if mailing_list else []
    if is_id(query.get("contact", "")):
        member = store.contacts.find(query["contact"])
        return store.memberships_of(member) if member else []
    return store.memberships.rows


def list_rows(account: Account, query: Query) -> list[MailingList]:
    """Return lists in ID order: deleted ones only on request (Mailjet reference, contactslist)."""
    deleted = flag(query.get("isdeleted", ""))
    return [each for each in account.store.lists.rows if each.deleted == deleted]


def contact(_: Account, row: Contact, __: Query) -> dict[str, Any]:
    """Render a contact."""
    return {
        "CreatedAt": rfc3339(row.created),
        "DeliveredCount": row.delivered,
        "Email": row.email,
        "ExclusionFromCampaignsUpdatedAt": rfc3339(row.exclusion_updated),
        "ID": row.id,
        "IsExcludedFromCampaigns": row.excluded,
        "IsOptInPending": row.opt_in_pending,
        "IsSpamComplaining": row.spam_complaining,
        "LastActivityAt": rfc3339(row.active),
        "LastUpdateAt": rfc3339(row.updated),
        "Name": row.name,
        "UnsubscribedAt": "",
        "UnsubscribedBy": "",
    }


def contactdata(account: Account, row: Contact, query: Query) -> dict[str, Any]:
    """Render a contact's property values, all as text, in the order of the definitions."""
    wanted = {name.strip() for name in query.get("fields", "").split(",")} - {""}
    values = [
        {"Name": each.name, "Value": shown(each.datatype, text, account.switches)}
        for each, text in account.store.values_of(row)
        if not wanted or each.name in wanted
    ]
    return {"ContactID": row.id, "Data": values, "ID": row.id, "MethodCollection": ""}


def contactdata_rows(account: Account, query: Query) -> list[Contact]:
    """Return the contacts that contactdata lists."""
    rows = contact_rows(account, query)
    return rows if account.switches.contactdata_lists_empty else [row for row in rows if any(row.values)]


def contactslist(account: Account, row: MailingList, _: Query) -> dict[str, Any]:
    """Render a list."""
    return {
        "Address": row.address,
        "CreatedAt": rfc3339(row.created),
        "ID": row.id,
        "IsDeleted": row.deleted,
        "Name": row.name,
        "SubscriberCount": account.store.subscriber_count(row),
    }


def list_name(account: Account, row: Membership) -> str:
    """Return the name of a membership's list."""
    mailing_list = account.store.lists.get(row.list_id)
    return mailing_list.name if mailing_list else ""


def listrecipient(account: Account, row: Membership, _: Query) -> dict[str, Any]:
    """Render a membership; it carries no e-mail."""
    return {
        "ContactID": row.contact.id,
        "ID": row.id,
        "IsActive": row.is_active,
        "IsUnsubscribed": row.is_unsubscribed,
        "ListID": row.list_id,
        "ListName": list_name(account, row),
        "SubscribedAt": rfc3339(row.subscribed),
        "UnsubscribedAt": rfc3339(row.unsubscribed),
    }


def contactmetadata(_: Account, row: Property, __: Query) -> dict[str, Any]:
    """Render a property definition."""
    return {"Datatype": row.datatype, "ID": row.id, "Name": row.name, "NameSpace": row.namespace}


def contactfilter(_: Account, row: Segment, __: Query) -> dict[str, Any]:
    """Render a segment."""
    return {
        "Description": row.description,
        "Expression": row.expression,
        "ID": row.id,
        "Name": row.name,
        "Status": row.status,
    }


def contactslistsignup(_: Account, row: Signup, __: Query) -> dict[str, Any]:
    """Render a sign-up; its times are Unix seconds."""
    return {
        "ConfirmAt": row.confirmed,
        "ConfirmIp": row.confirm_ip,
        "ContactID": row.contact_id,
        "Email": row.email,
        "ID": row.id,
        "ListID": row.list_id,
        "SignupAt": row.signed_up,
        "SignupIp": row.ip,
        "SignupKey": row.key,
        "Source": row.source,
        "SourceId": row.source_id,
    }


def status(account: Account, row: Job) -> str:
    """Spell a job's status in the vocabulary of the switch `status_words`."""
    words = account.switches.status_words
    if words == "short" and row.status != "Completed":
        return "Error" if row.terminal else "In Progress"
    return "Aborted" if words == "aborted" and row.status == "Abort" else row.status


def csvimport(account: Account, row: Job, _: Query) -> dict[str, Any]:
    """Render a CSV import; its times are RFC 3339."""
    counted = row.total if account.switches.csv_count == "detected" else row.current
    numbers: dict[str, int | str] = {
        "ContactsListID": row.ref_id,
        "Count": counted,
        "Current": row.current,
        "DataID": row.data_id,
        "ErrTreshold": row.threshold,
        "Errcount": error_count(row),
        "ID": row.id,
    }
    if account.switches.csv_blank_integers:
        numbers |= {name: "" for name, value in numbers.items() if value == 0}
    return numbers | {
        "AliveAt": rfc3339(row.alive),
        "ImportOptions": row.options,
        "JobEnd": rfc3339(row.ended),
        "JobStart": rfc3339(row.started),
        "Method": row.method,
        "RequestAt": rfc3339(row.requested),
        "Status": status(account, row),
    }


def error_count(row: Job) -> int:
    """Count a job's rows in error."""
    return len(row.errors) or row.error_count


def batchjob(account: Account, row: Job, _: Query) -> dict[str, Any]:
    """Render a job of any kind; its times are Unix seconds."""
    bare = row.route == "json" and not account.switches.bulk_job_names_list
    return {
        "APIKeyID": APIKEY_ID,
        "AliveAt": row.alive,
        "Blocksize": 0,
        "Count": row.total if row.route != "csv" or account.switches.csv_count == "detected" else row.current,
        "Current": row.current,
        "DataID": row.data_id,
        "ErrTreshold": row.threshold,
        "Errcount": error_count(row),
        "ID": row.id,
        "JobEnd": row.ended,
        "JobStart": row.started,
        "JobType": row.job_type,
        "Method": "Unknown" if bare else row.method,
        "RefId": 0 if bare else row.ref_id,
        "RequestAt": row.requested,
        "Status": status(account, row),
        "Throttle": 0,
    }


def job_status(account: Account, wanted: str) -> listing.Test:
    """Filter jobs on the status as it is spelled."""
    return lambda row: status(account, row).lower() == wanted.lower()


def ignore_deleted(account: Account, wanted: str) -> listing.Test:
    """Omit memberships of deleted lists."""
    gone = {each.id for each in account.store.lists.rows if each.deleted} if flag(wanted) else set()
    return lambda row: row.list_id not in gone


def list_named(account: Account, wanted: str) -> listing.Test:
    """Filter memberships on the name of their list."""
    named = {each.id for each in account.store.lists.rows if each.name == wanted}
    return lambda row: row.list_id in named


def segment_rows(account: Account, query: Query) -> list[Segment]:
    """Return segments; deleted ones only on request."""
    shown_too = flag(query.get("showdeleted", "")) or query.get("status", "") == "deleted"
    return [each for each in account.store.segments.rows if shown_too or each.status != "deleted"]


def domain(row: Signup) -> str:
    """Return the domain of a sign-up."""
    return row.email.rpartition("@")[2]


def local_part(row: Signup) -> str:
    """Return what stands before the @ of a sign-up."""
    return row.email.rpartition("@")[0]


email = attrgetter("email")
active = attrgetter("active")
contact_active = attrgetter("contact.active")
excluded = listing.true(attrgetter("excluded"))
contact_sorts = {
    "ID": by_id_ascending,
    "Email": Sort(email),
    "DeliveredCount": Sort(attrgetter("delivered")),
    "CreatedAt": Sort(attrgetter("created")),
}

CONTACT = Resource(
    "contact",
    contact_rows,
    contact,
    {"IsExcludedFromCampaigns": excluded, "LastActivityAt": listing.moment(active), **listing.emails(email)},
    contact_sorts,
    narrows=("ContactsList", "IncludeAnonymized"),
)
CONTACTDATA = Resource(
    "contactdata",
    contactdata_rows,
    contactdata,
    {
        "ContactEmail": listing.folded_text(email),
        "IsExcludedFromCampaigns": excluded,
        "LastActivityAt": listing.moment(active),
        **listing.emails(email),
    },
    contact_sorts,
    narrows=("ContactsList", "IncludeAnonymized"),
)
CONTACTSLIST = Resource(
    "contactslist",
    list_rows,
    contactslist,
    {
        "Address": listing.text(attrgetter("address")),
        "ExcludeID": lambda _, wanted: lambda row: row.id != listing.whole(wanted, "ExcludeID"),
        "Name": listing.text(attrgetter("name")),
    },
    {
        "ID": by_id,
        "IsDeleted": Sort(attrgetter("deleted")),
        "Name": Sort(attrgetter("name")),
        "CreatedAt": Sort(attrgetter("created")),
    },
    narrows=("IsDeleted",),
)
LISTRECIPIENT = Resource(
    "listrecipient",
    membership_rows,
    listrecipient,
    {
        "Active": listing.true(attrgetter("is_active")),
        "Contact": listing.number(attrgetter("contact.id")),
        "ContactEmail": listing.folded_text(attrgetter("contact.email")),
        "IgnoreDeleted": ignore_deleted,
        "IsExcludedFromCampaigns": listing.true(attrgetter("contact.excluded")),
        "LastActivityAt": listing.moment(contact_active),
        "ListName": list_named,
        "Opened": listing.true(lambda row: row.contact.delivered // 2),
        "Blocked": listing.true(lambda _: False),
        "Unsub": listing.true(attrgetter("is_unsubscribed")),
    },
    {"ID": by_id_ascending},
    narrows=("ContactsList",),
)
CONTACTMETADATA = Resource(
    "contactmetadata",
    lambda account, _: account.store.properties.rows,
    contactmetadata,
    {"DataType": listing.text(attrgetter("datatype")), "Namespace": listing.text(attrgetter("namespace"))},
    {"ID": by_id, "Name": Sort(attrgetter("name"))},
)
CONTACTFILTER = Resource(
    "contactfilter",
    segment_rows,
    contactfilter,
    {"Status": listing.text(attrgetter("status")), **listing.emails(attrgetter("name"), "Name")},
    {"ID": by_id},
    narrows=("ShowDeleted",),
)
CSVIMPORT = Resource(
    "csvimport", lambda account, _: [job for job in account.jobs.table.rows if job.route == "csv"], csvimport
)
BATCHJOB = Resource(
    "batchjob",
    lambda account, _: account.jobs.listed(),
    batchjob,
    {
        "APIKey": lambda _, wanted: lambda __: listing.whole(wanted, "APIKey") == APIKEY_ID,
        "Data": listing.number(attrgetter("data_id")),
        "JobType": listing.text(attrgetter("job_type")),
        "Method": listing.text(attrgetter("method")),
        "RefID": listing.number(attrgetter("ref_id")),
        "Status": job_status,
        "MinRequestAt": listing.least(attrgetter("requested")),
        "MaxRequestAt": listing.most(attrgetter("requested")),
        "MinJobStart": listing.least(attrgetter("started")),
        "MaxJobStart": listing.most(attrgetter("started")),
        "MinJobEnd": listing.least(attrgetter("ended")),
        "MaxJobEnd": listing.most(attrgetter("ended")),
    },
    {"ID": by_id},
)
CONTACTSLISTSIGNUP = Resource(
    "contactslistsignup",
    lambda account, _: account.store.signups.rows,
    contactslistsignup,
    {
        "Contact": listing.number(attrgetter("contact_id")),
        "ContactsList": listing.number(attrgetter("list_id")),
        "Domain": listing.folded_text(domain),
        "Email": listing.folded_text(email),
        "LocalPart": listing.text(local_part),
        "Source": listing.text(attrgetter("source")),
        "SourceID": listing.number(attrgetter("source_id")),
        "SignupIp": listing.text(attrgetter("ip")),
        "MinSignupAt": listing.least(attrgetter("signed_up")),
        "MaxSignupAt": listing.most(attrgetter("signed_up")),
        "MinConfirmAt": listing.least(attrgetter("confirmed")),
        "MaxConfirmAt": listing.most(attrgetter("confirmed")),
    },
    {"ID": by_id_ascending},
)
