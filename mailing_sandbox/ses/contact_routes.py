"""Contacts over the API (SES reference, contacts)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mailing_sandbox.ses.imports import is_object
from mailing_sandbox.ses.received import Sent
from mailing_sandbox.ses.records import Contact
from mailing_sandbox.ses.refusal import Refusal, bad_request, invalid_address, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailing_sandbox.ses.account import Region
    from mailing_sandbox.ses.records import ContactList, Status

DEFAULT_PAGE = 50


def list_contacts(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Return a page of contacts, without what only GetContact shows."""
    account, switches = region.account, region.switches
    size = account.pager.size(given.get("PageSize"), min(DEFAULT_PAGE, switches.ses_max_page), switches.ses_max_page)
    wanted = given.get("Filter", {})
    topic = wanted.get("TopicFilter", {})
    if wanted and "FilteredStatus" not in wanted:
        raise bad_request("Filter must have a FilteredStatus")
    if "TopicFilter" in wanted and "TopicName" not in topic:
        raise bad_request("TopicFilter must have a TopicName")
    place = account.pager.place(given.get("NextToken"), f"{region.name}:contacts", switches)
    row = region.list_named(given["ContactListName"])
    if topic and topic["TopicName"] not in row.topics:
        raise not_found(f"Topic {topic['TopicName']} doesn't exist in list {row.name}")
    keep = _kept(row, wanted["FilteredStatus"], topic) if wanted else None
    contacts, token = account.pager.cut(row.contacts.ordered(), place, size, switches, keep)
    account.counters.served("ses contacts", len(contacts))
    return {"Contacts": [_summary(row, contact) for contact in contacts], "NextToken": token}


def _kept(row: ContactList, status: Status, topic: dict[str, Any]) -> Callable[[Contact], bool]:
    """Return the filter's test; without a topic it looks at `UnsubscribeAll` alone."""
    if not topic:
        return lambda contact: contact.unsubscribed == (status == "OPT_OUT")
    name = topic["TopicName"]
    by_default = bool(topic.get("UseDefaultIfPreferenceUnavailable")) and row.topics[name].default == status

    def keep(contact: Contact) -> bool:
        if status == "OPT_OUT" and contact.unsubscribed:
            return True
        own = contact.preferences.get(name)
        return by_default if own is None else own == status

    return keep


def get_contact(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Return one contact in full."""
    row, contact = _found(region, given)
    return _summary(row, contact) | {
        "ContactListName": row.name,
        "AttributesData": contact.attributes,
        "CreatedTimestamp": contact.created,
    }


def create_contact(region: Region, given: dict[str, Any]) -> None:
    """Create a contact; AlreadyExistsException when there is one of this address."""
    preferences = _preferences(given)
    email = given["EmailAddress"]
    if region.refuses(email):
        raise invalid_address(email)
    row = region.list_named(given["ContactListName"])
    _check(region, row, given, preferences)
    key = region.contact_key(email)
    if row.contacts.get(key) is not None:
        raise Refusal("AlreadyExistsException", f"{key} already exists in List.")
    now = region.now()
    row.contacts.add(
        key,
        Contact(
            number=row.contacts.next_number(),
            email=key,
            created=now,
            updated=now,
            preferences=preferences,
            unsubscribed=given.get("UnsubscribeAll", False),
            attributes=given.get("AttributesData"),
        ),
    )
    _written(region, row, "CreateContact", given)


def update_contact(region: Region, given: dict[str, Any]) -> None:
    """Write a contact; attributes and `UnsubscribeAll` that are not given are cleared."""
    preferences = _preferences(given)
    address_in_path(region, given)
    _check(region, region.list_named(given["ContactListName"]), given, preferences)
    row, contact = _found(region, given)
    if region.switches.ses_topic_update == "merge":
        preferences = contact.preferences | preferences
    contact.preferences = preferences
    contact.unsubscribed = given.get("UnsubscribeAll", False)
    contact.attributes = given.get("AttributesData")
    contact.updated = region.now()
    _written(region, row, "UpdateContact", given)


def delete_contact(region: Region, given: dict[str, Any]) -> None:
    """Delete a contact permanently."""
    row, contact = _found(region, given)
    row.contacts.remove(contact.email)
    _written(region, row, "DeleteContact", given)


def _written(region: Region, row: ContactList, operation: str, given: dict[str, Any]) -> None:
    if region.switches.ses_contacts_touch_list:
        row.updated = region.now()
    if region.switches.ses_keep_received:
        contact = {name: value for name, value in given.items() if name != "ContactListName"}
        action = "DELETE" if operation == "DeleteContact" else "PUT"
        content = msgspec.json.encode(contact)
        region.account.received.keep(Sent(None, operation, region.name, row.name, action, 1, content, "JSON"))


def _found(region: Region, given: dict[str, Any]) -> tuple[ContactList, Contact]:
    email = address_in_path(region, given)
    row = region.list_named(given["ContactListName"])
    contact = row.contacts.get(region.contact_key(email))
    if contact is None:
        raise not_found(f"{email} doesn't exist in List.")
    return row, contact


def address_in_path(region: Region, given: dict[str, Any]) -> str:
    """Return the address of a path; refused as the switches say: one with a slash, and what is no address."""
    email: str = given["EmailAddress"]
    if "/" in email and region.switches.ses_slash_in_path == "refused":
        raise invalid_address(email)
    if region.switches.ses_path_checked and region.refuses(email):
        raise invalid_address(email)
    return email


def _preferences(given: dict[str, Any]) -> dict[str, Status]:
    found: dict[str, Status] = {}
    for each in given.get("TopicPreferences", []):
        if each["TopicName"] in found:
            raise bad_request(f"The topic {each['TopicName']} is named twice")
        found[each["TopicName"]] = each["SubscriptionStatus"]
    return found


def _check(region: Region, row: ContactList, given: dict[str, Any], preferences: dict[str, Status]) -> None:
    unknown = preferences.keys() - row.topics.keys()
    if unknown:
        raise bad_request(f"List: {row.name} doesn't contain Topic: {min(unknown)}")
    attributes = given.get("AttributesData")
    if attributes is not None and region.switches.ses_attributes_checked and not is_object(attributes):
        raise bad_request("AttributesData is not a JSON object")


def _summary(row: ContactList, contact: Contact) -> dict[str, Any]:
    own = contact.preferences
    return {
        "EmailAddress": contact.email,
        "TopicPreferences": [{"TopicName": name, "SubscriptionStatus": each} for name, each in own.items()],
        "TopicDefaultPreferences": [
            {"TopicName": topic.name, "SubscriptionStatus": topic.default}
            for topic in row.topics.values()
            if topic.name not in own
        ],
        "UnsubscribeAll": contact.unsubscribed,
        "LastUpdatedTimestamp": contact.updated,
    }
