"""Mailjet's streams; contacts and import jobs have modules of their own.

Mailjet filters import jobs, sign-ups and unsubscribes by time, so these streams are incremental. It cannot filter other
data by time, so every run reads the other streams in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, Final

from mailing_api import values
from mailing_api.errors import NotFound
from tap_mailing.mailjet.contacts import Contacts
from tap_mailing.mailjet.import_jobs import ImportJobs
from tap_mailing.mailjet.stream import MailjetStream, by_id
from tap_mailing.records.columns import (
    TIMESTAMP,
    Column,
    Row,
    boolean,
    computed,
    epoch,
    identifier,
    integer,
    json_text,
    text,
    timestamp,
)
from tap_mailing.streams.merge import union
from tap_mailing.streams.prefetch import in_order

__all__ = ["STREAMS"]


def _counters(*fields: str) -> tuple[Column, ...]:
    return tuple(integer(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", field).lower(), field) for field in fields)


_LIST_STATUS = {True: "deleted", False: "active", None: None}


class MailingLists(MailjetStream):
    """The lists, including deleted lists."""

    name = "mailjet_mailing_lists"
    kind = "mailing_lists"
    resource = "contactslist"
    columns = (
        identifier("id", "ID"),
        text("name", "Name"),
        computed("status", ("IsDeleted",), lambda row: _LIST_STATUS[values.boolean(row.get("IsDeleted"))]),
        integer("contact_count", "SubscriberCount"),
        timestamp("created_at", "CreatedAt"),
        text("address", "Address"),
        boolean("is_deleted", "IsDeleted"),
    )

    def read(self, _since: str | None) -> Iterator[Sequence[Row]]:
        """All lists, by two walks: one request returns either deleted or other lists."""
        return union([self.walk({"IsDeleted": "true"}, share=2), self.walk({}, share=2)], by_id)


class ContactProperties(MailjetStream):
    """The account's own contact fields."""

    name = "mailjet_contact_properties"
    kind = "contact_properties"
    resource = "contactmetadata"
    columns = (
        identifier("id", "ID"),
        text("name", "Name"),
        text("data_type", "Datatype"),
        text("name_space", "NameSpace"),
    )


class ContactFilters(MailjetStream):
    """The segments: expressions on properties and activity."""

    name = "mailjet_contact_filters"
    resource = "contactfilter"
    columns = (
        identifier("id", "ID"),
        text("name", "Name"),
        text("description", "Description"),
        text("expression", "Expression"),
        text("status", "Status"),
    )


_MEMBER_STATUS = {True: "unsubscribed", False: "subscribed", None: "unknown"}


class ListMembers(MailjetStream):
    """The members of all lists. The rows have no e-mail address: join `contact_id` with the contacts."""

    name = "mailjet_list_members"
    kind = "list_members"
    resource = "listrecipient"
    columns = (
        identifier("id", "ID"),
        text("list_id", "ListID"),
        text("contact_id", "ContactID"),
        computed(
            "subscription_status",
            ("IsUnsubscribed",),
            lambda row: _MEMBER_STATUS[values.boolean(row.get("IsUnsubscribed"))],
        ),
        timestamp("subscribed_at", "SubscribedAt"),
        timestamp("unsubscribed_at", "UnsubscribedAt"),
        text("list_name", "ListName"),
        boolean("is_active", "IsActive"),
        boolean("is_unsubscribed", "IsUnsubscribed"),
    )


_MESSAGE_COUNTERS = (
    "BlockedCount",
    "BouncedCount",
    "ClickedCount",
    "DeferredCount",
    "DeliveredCount",
    "HardBouncedCount",
    "OpenedCount",
    "PreQueuedCount",
    "ProcessedCount",
    "QueuedCount",
    "SoftBouncedCount",
    "SpamComplaintCount",
    "UnsubscribedCount",
    "WorkFlowExitedCount",
)

#: Counters that Mailjet computes only on request, each with its request parameter.
_COSTLY_COUNTERS = {
    "active_count": "CalcActive",
    "active_unsubscribed_count": "CalcActiveUnsub",
    "excluded_subscriber_count": "CalcExcludedSubscriber",
    "active_excluded_subscriber_count": "CalcActiveExcludedSubscriber",
}


class ListStatistics(MailjetStream):
    """Messages sent to each list, and the reactions of its members. Deselect the costly counters to read faster."""

    name = "mailjet_list_statistics"
    resource = "liststatistics"
    columns = (
        identifier("id", "ID"),
        text("name", "Name"),
        text("address", "Address"),
        boolean("is_deleted", "IsDeleted"),
        timestamp("created_at", "CreatedAt"),
        timestamp("last_activity_at", "LastActivityAt"),
        integer("subscriber_count", "SubscriberCount"),
        *_counters(*_MESSAGE_COUNTERS),
        *_counters(
            "ActiveCount", "ActiveUnsubscribedCount", "ExcludedSubscriberCount", "ActiveExcludedSubscriberCount"
        ),
    )

    def filters(self) -> dict[str, str]:
        """Request the costly counters that are selected."""
        return {parameter: "true" for column, parameter in _COSTLY_COUNTERS.items() if self.wants(column)}


def _signup_moment(row: Row) -> str | None:
    """The later of sign-up and confirmation."""
    return values.epoch(max(values.integer(row.get(field)) or 0 for field in ("SignupAt", "ConfirmAt")))


class ListSignups(MailjetStream):
    """Sign-ups through a subscription form. `updated_at` is the later of sign-up and confirmation."""

    name = "mailjet_list_signups"
    resource = "contactslistsignup"
    bookmark_column = "updated_at"
    columns = (
        identifier("id", "ID"),
        text("list_id", "ListID"),
        text("contact_id", "ContactID"),
        text("email", "Email"),
        epoch("signup_at", "SignupAt"),
        text("signup_ip", "SignupIp"),
        text("signup_key", "SignupKey"),
        epoch("confirm_at", "ConfirmAt"),
        text("confirm_ip", "ConfirmIp"),
        text("source", "Source"),
        integer("source_id", "SourceId"),
        integer("consent_id", "ConsentID"),
        json_text("properties", "Properties"),
        computed("updated_at", ("SignupAt", "ConfirmAt"), _signup_moment, TIMESTAMP),
    )

    def read(self, since: str | None) -> Iterable[Sequence[Row]]:
        """Sign-ups and confirmations since then, by two walks: Mailjet has a filter for each."""
        if since is None:
            return super().read(since)
        moment = values.to_epoch(since)
        return union([self.walk({name: moment}, share=2) for name in ("MinSignupAt", "MinConfirmAt")], by_id)

    def moment_of(self, row: Row) -> str | None:
        """Its `updated_at`."""
        return _signup_moment(row)


class ListUnsubscribes(MailjetStream):
    """Members who unsubscribed from a list, with statistics of the messages sent to them.

    `id` is the ID of the list member. The rows have no date, so the bookmark is the time when reading began.
    """

    name = "mailjet_list_unsubscribes"
    resource = "listrecipientstatistics"
    bookmark_column = "read_at"
    ignored = frozenset({"Data"})  # property values, empty unless requested
    columns = (
        identifier("id", "ListRecipientID"),
        text("list_id", "ListID"),
        timestamp("read_at", "read_at"),
        timestamp("last_activity_at", "LastActivityAt"),
        *_counters(*_MESSAGE_COUNTERS),
    )

    def filters(self) -> dict[str, str]:
        """Only unsubscribed members."""
        return {"IsUnsubscribed": "true"}

    def sample(self, count: int) -> Sequence[Row]:
        """Rows of any list; the list's ID comes from the list member."""
        return [{**row, "ListID": self._list_of(row), "read_at": self.started} for row in super().sample(count)]

    def read(self, since: str | None) -> Iterator[Sequence[Row]]:
        """List by list, several at a time; a large list is read page by page."""
        filters = self.filters() | ({"MinUnsubscribedAt": f"{since[:19]}Z"} if since else {})
        lists = [by_id(row) for row in chain.from_iterable(self.walk({}, resource="contactslist"))]
        calls = (partial(self._open, number, filters) for number in lists)
        for number, head, rest in in_order(calls, self.concurrency):
            for page in chain(head, rest):
                yield [{**row, "ListID": number, "read_at": self.started} for row in page]

    def conclude(self, bookmark: str | None, started: str) -> Mapping[str, Any]:
        """The bookmark is the time when reading began."""
        return self.bookmark_at(max(bookmark or "", started))

    def _list_of(self, row: Row) -> Any:
        try:
            return self.client.one("listrecipient", row["ListRecipientID"]).get("ListID")
        except NotFound:  # deleted since the request before
            return None

    def _open(
        self, number: int, filters: Mapping[str, str]
    ) -> tuple[int, list[Sequence[Row]], Iterator[Sequence[Row]]]:
        # Two pages are a whole small list: its rows, and an empty page. No documentation says that Sort=ID sorts by
        # ListRecipientID, so the walk does not rely on the order.
        params = {**filters, "ContactsList": number, "Sort": "ID"}
        pages = iter(self.client.rows(self.resource, params=params, key="ListRecipientID", ahead=1, ordered=False))
        return number, list(islice(pages, 2)), pages


STREAMS: Final = (
    ImportJobs,
    MailingLists,
    Contacts,
    ContactProperties,
    ContactFilters,
    ListMembers,
    ListStatistics,
    ListSignups,
    ListUnsubscribes,
)
