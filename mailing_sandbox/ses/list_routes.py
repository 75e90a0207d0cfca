"""Contact lists and their topics over the API, and the account itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailing_sandbox.ses.records import ContactList, Topic
from mailing_sandbox.ses.refusal import bad_request, check_name

if TYPE_CHECKING:
    from mailing_sandbox.ses.account import Region

MOST_TOPICS = 20
LONGEST_DISPLAY_NAME = 128
LONGEST_DESCRIPTION = 500


def get_account(region: Region, _: dict[str, Any]) -> dict[str, Any]:
    """Describe the account in this region."""
    profile = region.profile
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": profile.enforcement_status,
        "ProductionAccessEnabled": region.in_production,
        "SendQuota": {
            "Max24HourSend": profile.max_24_hour_send,
            "MaxSendRate": profile.max_send_rate,
            "SentLast24Hours": profile.sent_last_24_hours,
        },
        "SendingEnabled": profile.sending_enabled,
        "SuppressionAttributes": {"SuppressedReasons": profile.suppressed_reasons},
        "VdmAttributes": {"VdmEnabled": "ENABLED" if region.switches.ses_vdm else "DISABLED"},
    }


def list_contact_lists(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Return the contact list of the region, if there is one."""
    pager, switches = region.account.pager, region.switches
    size = pager.size(given.get("PageSize"), switches.ses_max_page, switches.ses_max_page)
    place = pager.place(given.get("NextToken"), f"{region.name}:lists", switches)
    rows, token = pager.cut([] if region.contact_list is None else [region.contact_list], place, size, switches)
    region.account.counters.served("ses contact lists", len(rows))
    found = [{"ContactListName": row.name, "LastUpdatedTimestamp": row.updated} for row in rows]
    return {"ContactLists": found, "NextToken": token}


def get_contact_list(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Describe a contact list."""
    row = region.list_named(given["ContactListName"])
    return {
        "ContactListName": row.name,
        "Description": row.description,
        "Topics": [
            {
                "TopicName": topic.name,
                "DisplayName": topic.display_name,
                "Description": topic.description,
                "DefaultSubscriptionStatus": topic.default,
            }
            for topic in row.topics.values()
        ],
        "CreatedTimestamp": row.created,
        "LastUpdatedTimestamp": row.updated,
        "Tags": row.tags,
    }


def create_contact_list(region: Region, given: dict[str, Any]) -> None:
    """Create the contact list; a region has one at most."""
    name = given["ContactListName"]
    check_name(name, "ContactListName")
    topics = _topics(given.get("Topics", []))
    _check_description(given.get("Description"))
    if region.contact_list is not None:
        raise bad_request("A maximum of 1 Lists allowed per account.")
    now = region.now()
    region.contact_list = ContactList(
        name=name,
        created=now,
        updated=now,
        description=given.get("Description"),
        topics=topics,
        tags=given.get("Tags", []),
    )


def update_contact_list(region: Region, given: dict[str, Any]) -> None:
    """Replace topics and description; the switch `ses_list_update` decides about what is not given."""
    topics = _topics(given.get("Topics", []))
    _check_description(given.get("Description"))
    row = region.list_named(given["ContactListName"])
    keep = region.switches.ses_list_update == "keep"
    if "Topics" in given or not keep:
        gone = row.topics.keys() - topics.keys()
        row.topics = topics
        if gone:
            for contact in row.contacts:
                contact.preferences = {name: each for name, each in contact.preferences.items() if name not in gone}
    if "Description" in given or not keep:
        row.description = given.get("Description")
    row.updated = region.now()


def delete_contact_list(region: Region, given: dict[str, Any]) -> None:
    """Delete the contact list with every contact in it."""
    region.list_named(given["ContactListName"])
    region.contact_list = None


def _check_description(text: str | None) -> None:
    if text is not None and len(text) > LONGEST_DESCRIPTION:
        raise bad_request(f"List description can contain up to {LONGEST_DESCRIPTION} characters.")


def _topics(given: list[dict[str, Any]]) -> dict[str, Topic]:
    if len(given) > MOST_TOPICS:
        raise bad_request(f"Maximum of <{MOST_TOPICS}> topics allowed per ContactList")
    found: dict[str, Topic] = {}
    for each in given:
        name = each["TopicName"]
        check_name(name, "TopicName")
        if name in found:
            raise bad_request("Duplicate topic names are not allowed within a List.")
        if len(each["DisplayName"]) > LONGEST_DISPLAY_NAME:
            raise bad_request(f"Topic DisplayName can contain up to <{LONGEST_DISPLAY_NAME}> characters.")
        found[name] = Topic(
            name=name,
            display_name=each["DisplayName"],
            description=each.get("Description"),
            default=each["DefaultSubscriptionStatus"],
        )
    return found
