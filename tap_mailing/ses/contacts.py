"""Amazon SES's contacts, and their details."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from mailing_api import values
from mailing_api.errors import NotFound
from tap_mailing.records.columns import Row, boolean, computed, flat_properties, identifier, moment, text
from tap_mailing.ses.details import DetailStream
from tap_mailing.ses.stream import ContactLists, SesStream, objects

__all__ = ["ContactDetails", "Contacts"]

_PREFERENCE = {"TopicName": "topic_name", "SubscriptionStatus": "subscription_status"}


def _status(row: Row) -> str:
    """Whether the contact may get any message.

    A contact without a subscribed topic gets no message of a topic, either by choice ("unsubscribed") or by the topics'
    defaults ("excluded").
    """
    unsubscribed = values.boolean(row.get("UnsubscribeAll"))
    if unsubscribed:
        return "unsubscribed"
    own, default = (
        {preference.get("SubscriptionStatus") for preference in row.get(field) or ()}
        for field in ("TopicPreferences", "TopicDefaultPreferences")
    )
    if "OPT_IN" in own | default or not own | default:
        return "unknown" if unsubscribed is None else "subscribed"
    return "unsubscribed" if "OPT_OUT" in own else "excluded"


def _properties(row: Row) -> dict[str, Any] | None:
    """The attributes, which are JSON in a string; None if they are not an object."""
    try:
        return flat_properties(msgspec.json.decode(row.get("AttributesData") or "null", type=dict[str, Any]))
    except ValueError:
        return None


class Contacts(SesStream):
    """The contacts of all lists, without the attributes, which only `ses_contact_details` reads.

    Amazon SES has no filter by time, so every run reads all contacts and drops those that did not change since the
    bookmark.
    """

    name = "ses_contacts"
    kind = "contacts"
    keys = ("account", "region", "list_id", "id")
    bookmark_column = "updated_at"
    filtered_here = True
    address_in_key = True
    moment_field = "LastUpdatedTimestamp"
    columns = (
        identifier("id", "EmailAddress"),
        text("email", "EmailAddress"),
        computed("subscription_status", ("UnsubscribeAll", "TopicPreferences", "TopicDefaultPreferences"), _status),
        computed("properties", ("AttributesData",), _properties),
        moment("created_at", "CreatedTimestamp"),
        moment("updated_at", "LastUpdatedTimestamp"),
        identifier("region", "region"),
        identifier("list_id", "ContactListName"),
        boolean("unsubscribe_all", "UnsubscribeAll"),
        objects("topic_preferences", "TopicPreferences", _PREFERENCE),
        objects("topic_default_preferences", "TopicDefaultPreferences", _PREFERENCE),
        text("attributes_data", "AttributesData"),
    )

    def pages(self, region: str, since: str | None, size: int | None) -> Iterator[Sequence[Row]]:
        """Contacts that changed since then, list by list."""
        options = {} if size is None else {"size": size}
        for name in self.connection.shared(ContactLists).names(region):
            try:
                for page in self.client.contacts(region, name, **options):
                    rows = [row for row in page if self.is_due(row, since)]
                    yield [{**row, "ContactListName": name} for row in rows]
            except NotFound:
                self.logger.info("%s: a contact list in %s was deleted while it was read.", self.name, region)


class ContactDetails(DetailStream, Contacts):
    """The same contacts with their attributes."""

    name = "ses_contact_details"

    def key_of(self, row: Row) -> str:
        """The list and the address."""
        return f"{row['ContactListName']} {row.get('EmailAddress')}"

    def detail(self, region: str, row: Row) -> Row:
        """The contact with its attributes."""
        return {**row, **self.client.contact(region, row["ContactListName"], str(row.get("EmailAddress")))}
