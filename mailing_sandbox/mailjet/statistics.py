"""Statistics of lists, memberships and contacts (Mailjet reference, statistics)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mailing_sandbox.mailjet import listing
from mailing_sandbox.mailjet.listing import Resource, Sort, flag
from mailing_sandbox.mailjet.records import Contact, MailingList, Membership, rfc3339
from mailing_sandbox.mailjet.resources import by_id_ascending, contact_rows, contactdata, membership_rows

if TYPE_CHECKING:
    from mailing_sandbox.mailjet.account import Account
    from mailing_sandbox.mailjet.listing import Query

COUNTERS = (
    "Blocked",
    "Bounced",
    "Clicked",
    "Deferred",
    "Delivered",
    "HardBounced",
    "Opened",
    "PreQueued",
    "Processed",
    "Queued",
    "SoftBounced",
    "SpamComplaint",
    "Unsubscribed",
    "WorkFlowExited",
)
FLAGS = {
    "Blocked": "Blocked",
    "Bounced": "Bounced",
    "Click": "Clicked",
    "HardBounced": "HardBounced",
    "Open": "Opened",
    "Queued": "Queued",
    "Sent": "Delivered",
    "SoftBounced": "SoftBounced",
    "Spam": "SpamComplaint",
    "Unsubscribed": "Unsubscribed",
}
"""Boolean filters, and the counter of which each asks whether it is above 0."""

Count = Callable[[Any], dict[str, int]]


def counts_of_contact(row: Contact) -> dict[str, int]:
    """Return a contact's counters: half of what was delivered was opened, a fifth clicked."""
    counts = dict.fromkeys(COUNTERS, 0)
    counts["Delivered"] = counts["Processed"] = row.delivered
    counts["Opened"] = row.delivered // 2
    counts["Clicked"] = row.delivered // 5
    counts["SpamComplaint"] = int(row.spam_complaining)
    return counts


def counts_of_membership(row: Membership) -> dict[str, int]:
    """Return a membership's counters."""
    return counts_of_contact(row.contact) | {"Unsubscribed": int(row.is_unsubscribed)}


def counts_of_list(row: MailingList) -> dict[str, int]:
    """Return the sum over a list's members."""
    total = dict.fromkeys(COUNTERS, 0)
    for membership in row.members.values():
        contact = membership.contact
        total["Delivered"] += contact.delivered
        total["Opened"] += contact.delivered // 2
        total["Clicked"] += contact.delivered // 5
        total["SpamComplaint"] += contact.spam_complaining
    total["Processed"] = total["Delivered"]
    total["Unsubscribed"] = row.unsubscribed
    return total


def named(counts: dict[str, int]) -> dict[str, int]:
    """Return counters under Mailjet's field names."""
    return {f"{name}Count": count for name, count in counts.items()}


def flags(count: Count) -> dict[str, listing.Filter]:
    """Return the boolean filters over counters."""

    def asking(counter: str) -> listing.Filter:
        return listing.true(lambda row: count(row)[counter])

    return {name: asking(counter) for name, counter in FLAGS.items()}


def contactstatistics(_: Account, row: Contact, __: Query) -> dict[str, Any]:
    """Render a contact's statistics."""
    fixed = {
        "ContactID": row.id,
        "LastActivityAt": rfc3339(row.active),
        "MarketingContacts": 0,
        "UserMarketingContacts": 0,
    }
    return fixed | named(counts_of_contact(row))


def listrecipientstatistics(account: Account, row: Membership, query: Query) -> dict[str, Any]:
    """Render a membership's statistics: no ID of its own, of the contact or of the list."""
    rendered: dict[str, Any] = {"ListRecipientID": row.id, "LastActivityAt": rfc3339(row.contact.active)}
    rendered |= named(counts_of_membership(row))
    if flag(query.get("showextradata", "")):
        rendered["Data"] = contactdata(account, row.contact, {})["Data"]
    return rendered


def list_activity(row: MailingList) -> int:
    """Return when any member was last active, in Unix seconds."""
    return max((membership.contact.active for membership in row.members.values()), default=0)


def liststatistics(account: Account, row: MailingList, query: Query) -> dict[str, Any]:
    """Render a list's statistics; the four costly counters stay 0 unless requested."""
    members = row.members.values()

    def asked(name: str, counted: Callable[[Membership], bool]) -> int:
        return sum(1 for member in members if counted(member)) if flag(query.get(name, "")) else 0

    return named(counts_of_list(row)) | {
        "ActiveCount": asked("calcactive", lambda member: not member.is_unsubscribed),
        "ActiveExcludedSubscriberCount": asked(
            "calcactiveexcludedsubscriber", lambda member: member.contact.excluded and not member.is_unsubscribed
        ),
        "ActiveUnsubscribedCount": asked("calcactiveunsub", lambda member: member.is_unsubscribed),
        "Address": row.address,
        "CreatedAt": rfc3339(row.created),
        "ExcludedSubscriberCount": asked("calcexcludedsubscriber", lambda member: member.contact.excluded),
        "ID": row.id,
        "IsDeleted": row.deleted,
        "LastActivityAt": rfc3339(list_activity(row)),
        "Name": row.name,
        "SubscriberCount": account.store.subscriber_count(row),
    }


def statistics_rows(account: Account, query: Query) -> list[MailingList]:
    """Return the lists whose statistics are shown: deleted ones only on request."""
    deleted = flag(query.get("isdeleted", ""))
    return [each for each in account.store.lists.rows if each.deleted == deleted]


CONTACTSTATISTICS = Resource(
    "contactstatistics",
    contact_rows,
    contactstatistics,
    {
        "MinLastActivityAt": listing.least(lambda row: row.active),
        "MaxLastActivityAt": listing.most(lambda row: row.active),
        "LastActivityAt": listing.moment(lambda row: row.active),
        **flags(counts_of_contact),
    },
    {"ID": by_id_ascending, "ProcessedCount": Sort(lambda row: row.delivered)},
    narrows=("IncludeAnonymized",),
)
LISTRECIPIENTSTATISTICS = Resource(
    "listrecipientstatistics",
    membership_rows,
    listrecipientstatistics,
    {
        "Contact": listing.number(lambda row: row.contact.id),
        "MinUnsubscribedAt": listing.least(lambda row: row.unsubscribed, documented=True),
        "MaxUnsubscribedAt": listing.most(lambda row: row.unsubscribed, documented=True),
        "MinLastActivityAt": listing.least(lambda row: row.contact.active),
        "MaxLastActivityAt": listing.most(lambda row: row.contact.active),
        "LastActivityAt": listing.moment(lambda row: row.contact.active),
        "IsActive": listing.true(lambda row: row.is_active),
        "IsUnsubscribed": listing.true(lambda row: row.is_unsubscribed),
        "IsExcludedFromCampaigns": listing.true(lambda row: row.contact.excluded),
        **flags(counts_of_membership),
    },
    {
        "ID": by_id_ascending,
        "ProcessedCount": Sort(lambda row: row.contact.delivered),
        "Email": Sort(lambda row: row.contact.email),
    },
    narrows=("ContactsList",),
)
LISTSTATISTICS = Resource(
    "liststatistics",
    statistics_rows,
    liststatistics,
    {
        "Address": listing.text(lambda row: row.address),
        "ContactsListID": listing.number(lambda row: row.id),
        "ExcludeID": lambda _, wanted: lambda row: row.id != listing.whole(wanted, "ExcludeID"),
        "MinLastActivityAt": listing.least(list_activity),
        "MaxLastActivityAt": listing.most(list_activity),
        "Name": listing.text(lambda row: row.name),
        "NameCI": listing.folded_text(lambda row: row.name),
        "NameLike": listing.within(lambda row: row.name),
        "NameLikeCI": listing.within(lambda row: row.name, fold=True),
        **flags(counts_of_list),
    },
    {
        "ID": Sort(lambda row: row.id),
        "ProcessedCount": Sort(lambda row: counts_of_list(row)["Processed"]),
        "IsDeleted": Sort(lambda row: row.deleted),
        "Name": Sort(lambda row: row.name),
    },
    narrows=("IsDeleted",),
)
