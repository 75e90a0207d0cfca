"""Routes of contacts, their data, and their subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mailing_sandbox.mailjet import body, resources
from mailing_sandbox.mailjet.listing import bounds
from mailing_sandbox.mailjet.records import rfc3339
from mailing_sandbox.mailjet.refusal import Refusal, not_found
from mailing_sandbox.mailjet.store import ACTIONS, TooLongError
from mailing_sandbox.mailjet.values import echoed, fault_of_address, typed
from mailing_sandbox.provider import Reply

if TYPE_CHECKING:
    from mailing_sandbox.mailjet.account import Account
    from mailing_sandbox.mailjet.records import Contact, MailingList
    from mailing_sandbox.provider import Call

WRITABLE = ("Email", "Name", "IsExcludedFromCampaigns")
FIXED = (
    "ID",
    "CreatedAt",
    "DeliveredCount",
    "ExclusionFromCampaignsUpdatedAt",
    "IsOptInPending",
    "IsSpamComplaining",
    "LastActivityAt",
    "LastUpdateAt",
    "UnsubscribedAt",
    "UnsubscribedBy",
)
VALUE_CODES = {
    "str": ("CM09", "str"),
    "int": ("CM03", "integer"),
    "bool": ("CM04", "bool"),
    "float": ("CM05", "float"),
    "datetime": ("CM09", "datetime"),
}
"""Codes of values that do not fit: that of datetime is recorded, others are listed by a client of 2013."""

NOTHING_CHANGED = Reply(304, content_type=None, reason="Content not changed")
DELETED = Reply(204, content_type=None, reason="No content")


def found(account: Account, key: str, *, during: str = "") -> Contact:
    """Return the contact of an ID or address; 404 otherwise, and 400 for a key that can be neither.

    `during` is the method of a look-up, whose refusal begins with it (reported for GET; a PUT has none).
    """
    contact = account.store.find_contact(key)
    if contact is not None and account.switches.bad_addresses == "refused":
        return contact
    reason = None if key.isascii() and key.isdigit() else fault_of_address(key)
    if reason is None and account.store.fold(key) in account.store.refused:
        reason = "Refused"
    if reason is not None:
        prefix = f"Unexpected error during {during}: " if during else ""
        raise Refusal(400, f'{prefix}Invalid email address "{key}", reason: "{reason}"')
    if contact is None:
        raise not_found()
    return contact


def create(account: Account, call: Call, _: dict[str, str]) -> Reply:
    """Create a contact; a second one of the same address is MJ18."""
    given = body.fields(account, call, "Contact", WRITABLE, FIXED)
    email = body.address(given.get("Email"))
    store = account.store
    if store.fold(email) in store.refused:
        raise Refusal(400, f'Invalid email address "{email}", reason: "Refused"')
    if store.fold(email) in store.by_email:
        raise Refusal(400, f'MJ18 A Contact resource with value "{email}" for Email already exists.')
    name = body.string(given.get("Name", ""), "Name")
    excluded = body.boolean(given.get("IsExcludedFromCampaigns", False), "IsExcludedFromCampaigns")
    contact = store.add_contact(email, name)
    contact.excluded = excluded
    if "IsExcludedFromCampaigns" in given:
        contact.exclusion_updated = store.now()
    return account.envelope([resources.contact(account, contact, {})], status=201)


def read(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Return one contact."""
    return account.envelope([resources.contact(account, found(account, params["contact"], during="GET"), {})])


def update(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Change a contact; missing fields do not change."""
    contact = found(account, params["contact"])
    given = body.fields(account, call, "Contact", WRITABLE[1:], ("Email", *FIXED))
    name = body.string(given.get("Name", contact.name), "Name")
    flag = given.get("IsExcludedFromCampaigns", contact.excluded)
    excluded = body.boolean(flag, "IsExcludedFromCampaigns")
    if (name, excluded) == (contact.name, contact.excluded):
        return NOTHING_CHANGED
    now = account.store.now()
    account.store.version += 1
    contact.name = name
    contact.updated = contact.active = now
    if "IsExcludedFromCampaigns" in given:
        account.store.set_excluded(contact, excluded, now)
    return account.envelope([resources.contact(account, contact, {})])


def refuse_delete(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Refuse to delete a contact the old way (Mailjet reference, HTTP statuses)."""
    found(account, params["contact"])
    raise Refusal(401, "Operation not allowed")


def anonymise(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Delete a contact permanently; an unknown ID is accepted."""
    key = params["contact"]
    if not key.isdecimal():
        raise Refusal(400, "Contact ID must be a number")
    contact = account.store.contacts.find(key)
    if contact is not None and not contact.anonymised:
        account.store.anonymise(contact)
    return Reply(200, content_type=None, headers={"X-Mj-Request-Guid": str(uuid4())})


# property values


def read_values(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Return one contact's property values."""
    contact = found(account, params["contact"], during="GET")
    return account.envelope([resources.contactdata(account, contact, call.query)])


def write_values(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Set or clear property values; the answer echoes what was sent, as text."""
    contact = found(account, params["contact"])
    given = body.read(account, call, ["Data"])
    items = given.get("Data", given or None)  # values without an envelope are refused as a key that is unknown
    if isinstance(items, dict):
        raise Refusal(400, f'Invalid key name: "{next(iter(items), "")}"')
    if isinstance(items, list):
        items = [body.spelled(account, item, ("Name", "Value")) if isinstance(item, dict) else item for item in items]
    if not isinstance(items, list) or not all(
        isinstance(item, dict) and isinstance(item.get("Name"), str) for item in items
    ):
        raise Refusal(400, 'Property "Data" must be a list of Name and Value')
    known = account.store.known_properties()
    values: dict[int, str | None] = {}
    echo: list[dict[str, str]] = []
    for item in items:
        name, value = item["Name"], item.get("Value")
        definition = known.get(account.store.property_key(name))
        if definition is None:
            raise Refusal(400, f'Invalid key name: "{name}"')
        if value is None:
            values[definition.column] = None
            continue
        try:
            values[definition.column] = account.store.cast(definition, value)
        except TooLongError as error:
            raise Refusal(400, f'[{{ "{name}" : "{error}" }}]') from error
        except ValueError as error:
            code, kind = VALUE_CODES[definition.datatype]
            problem = f'{code} "{value}" is not a valid {kind} value for key {name}'
            raise Refusal(400, f'[{{ "{name}" : "{problem}" }}]') from error
        echo.append({"Name": name, "Value": echoed(value)})
    if not account.store.set_values(contact, values):
        return NOTHING_CHANGED
    row = {"ContactID": contact.id, "Data": echo, "ID": contact.id, "MethodCollection": ""}
    return account.envelope([row], status=201 if call.method == "POST" else 200)


def clear_values(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Clear all property values of a contact."""
    contact = found(account, params["contact"])
    account.store.set_values(contact, dict.fromkeys(range(len(contact.values))))
    return DELETED


# subscriptions


def manage_contact(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Create a contact if need be, set its name and properties, and act on one list."""
    mailing_list = account.store.find_list(params["list"])
    if mailing_list is None or mailing_list.deleted:
        raise not_found()
    given = body.read(account, call, ["Email", "Action", "Name", "Properties"])
    properties = given.get("Properties")
    values, problems = _checked(account, given, properties)
    if problems:
        raise Refusal(400, "Object properties invalid", problems)
    contact = _managed(account, given, mailing_list, values)
    row = {
        "Action": given["Action"],
        "ContactID": contact.id,
        "Email": contact.email,
        "Name": contact.name,
        "Properties": {each.name: typed(each.datatype, text) for each, text in account.store.values_of(contact)},
    }
    return account.envelope([row], status=201)


def _checked(account: Account, given: dict[str, Any], properties: Any) -> tuple[dict[int, str | None], dict[str, Any]]:
    """Return the property values of a managecontact body by column, and what is wrong with it."""
    problems: dict[str, Any] = {}
    email = given.get("Email")
    if email in (None, ""):
        problems["Email"] = "MJ08 Property email is invalid: MJ03 A non-empty value is required"
    elif not isinstance(email, str) or "@" not in email:
        problems["Email"] = f'Invalid email address "{email}", reason: "No @ character in mail"'
    action = given.get("Action") or ""
    if not isinstance(action, str) or action.lower() not in ACTIONS:
        problems["Action"] = f"Invalid action: {action}"
    values: dict[int, str | None] = {}
    if properties is None or isinstance(properties, str):  # JSON text is accepted and ignored, as users report
        return values, problems
    if not isinstance(properties, dict):
        return values, problems | {"Properties": "Properties must be an object"}
    known = account.store.known_properties()
    faults: list[dict[str, str]] = []
    for name, value in properties.items():
        definition = known.get(account.store.property_key(name))
        if definition is None:
            faults.append({name: "Property not defined"})
            continue
        try:
            values[definition.column] = None if value is None else account.store.cast(definition, value)
        except ValueError:
            faults.append({name: "Property type does not match definition"})
    return values, problems | ({"Properties": faults} if faults else {})


def _managed(
    account: Account, given: dict[str, Any], mailing_list: MailingList, values: dict[int, str | None]
) -> Contact:
    store = account.store
    contact = store.by_email.get(store.fold(given["Email"])) or store.add_contact(given["Email"])
    name = given.get("Name")
    if name or ("Name" in given and account.switches.empty_name == "clear"):
        contact.name = str(name or "")
        store.version += 1
    if values:
        store.set_values(contact, values)
    store.act(mailing_list, contact, given["Action"].lower(), store.now())
    return contact


def manage_lists(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Act on several lists for one contact that exists."""
    contact = found(account, params["contact"])
    given = body.read(account, call, ["ContactsLists"])
    targets, faulty = targets_of(account, given.get("ContactsLists"))
    if faulty and not account.switches.managecontactslists_partial:
        targets = []
    for mailing_list, action in targets:
        account.store.act(mailing_list, contact, action, account.store.now())
    if faulty:
        raise Refusal(400, {"ContactsLists": faulty})
    return account.envelope([{"ContactsLists": given["ContactsLists"]}], status=201)


def targets_of(account: Account, entries: Any) -> tuple[list[tuple[MailingList, str]], list[dict[str, Any]]]:
    """Return the lists and actions named by ContactsLists, and the faulty entries with their errors."""
    if not isinstance(entries, list):
        raise Refusal(400, 'Property "ContactsLists" must be a list of ListID and Action')
    targets: list[tuple[MailingList, str]] = []
    faulty: list[dict[str, Any]] = []
    for entry in entries:
        given = body.spelled(account, entry, ["ListID", "Action"]) if isinstance(entry, dict) else {}
        mailing_list = account.store.lists.find(str(given.get("ListID", "")))
        action = str(given.get("Action", "")).lower()
        if mailing_list is None or mailing_list.deleted:
            faulty.append(given | {"Error": "listID missing or not valid"})
        elif action not in ACTIONS:
            faulty.append(given | {"Error": "action missing or not valid"})
        else:
            targets.append((mailing_list, action))
    return targets, faulty


def lists_of_contact(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Return a contact's memberships, the flag spelled IsUnsub here; as many as any listing with `Limit`."""
    memberships = account.store.memberships_of(found(account, params["contact"], during="GET"))
    if account.switches.contact_lists_limit:
        offset, limit = bounds(account, call.query)
        memberships = memberships[offset : offset + limit]
    rows = [
        {
            "IsActive": membership.is_active,
            "IsUnsub": membership.is_unsubscribed,
            "ListID": membership.list_id,
            "SubscribedAt": rfc3339(membership.subscribed) if account.switches.contact_lists_dates else "",
        }
        for membership in memberships
    ]
    return account.envelope(rows)
