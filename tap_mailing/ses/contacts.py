"""Amazon SES's contacts, and their details."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from mailing_api import values
from mailing_api.errors import NotFound
from tap_mailing.records.columns import Row, boolean, computed, identifier, moment, text
from tap_mailing.ses.details import DetailStream
from tap_mailing.ses.stream import ContactLists, SesStream, objects

__all__ = ["ContactDetails", "Contacts"]

_PREFERENCE = {"TopicName": "topic_name", "SubscriptionStatus": "subscription_status"}


def _status(row: Row) -> str:
    """Whether anything may be sent to this contact.

    Somebody who takes no topic gets nothing that belongs to one: by their own choice, or by the topics' defaults
    because they never chose.
    """
    unsubscribed = values.boolean(row.get("UnsubscribeAll"))
    if unsubscribed:
        return "unsubscribed"
    own, default = (
        {one.get("SubscriptionStatus") for one in row.get(field) or ()}
        for field in ("TopicPreferences", "TopicDefaultPreferences")
    )
    if "OPT_IN" in own | default or not own | default:
        return "unknown" if unsubscribed is None else "subscribed"
    return "unsubscribed" if "OPT_OUT" in own else "excluded"


def _properties(row: Row) -> dict[str, Any] | None:
    """The attributes, which are JSON in a text; None where they are no object. Lists and objects in them stay JSON."""
    try:
        found = msgspec.json.decode(row.get("AttributesData") or "null")
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    return {
        name: msgspec.json.encode(value).decode() if isinstance(value, (dict, list)) else value
        for name, value in found.items()
    }


class Contacts(SesStream):
    """Everybody on the contact lists, with what the listing shows; attributes are shown to `ses_contact_details` alone.

    Amazon SES has no filter by time, so all are read, and those are kept that changed since the bookmark.
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

    def pages(self, region: str, since: str | None, size: int | None = None) -> Iterator[Sequence[Row]]:
        """Contacts that changed from `since` on, list by list."""
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
        """The contact by itself."""
        return {**row, **self.client.contact(region, row["ContactListName"], str(row.get("EmailAddress")))}
