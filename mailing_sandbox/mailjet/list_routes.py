"""Routes of lists, memberships, property definitions and segments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mailing_sandbox.mailjet import body, resources
from mailing_sandbox.mailjet.contact_routes import DELETED, NOTHING_CHANGED
from mailing_sandbox.mailjet.records import Segment
from mailing_sandbox.mailjet.refusal import Refusal, not_found
from mailing_sandbox.mailjet.store import MAX_PROPERTIES
from mailing_sandbox.mailjet.values import DATATYPES

if TYPE_CHECKING:
    from mailing_sandbox.mailjet.account import Account
    from mailing_sandbox.mailjet.records import Contact, MailingList, Membership, Property
    from mailing_sandbox.provider import Call, Reply

ALLOWED = {"lowercase": re.compile(r"[a-z0-9_]+"), "letters": re.compile(r"[A-Za-z]+")}
"""What the switch `property_names` lets a name be made of."""


def list_of(account: Account, key: str) -> MailingList:
    """Return the list of an ID or address, deleted or not; 404 otherwise."""
    mailing_list = account.store.find_list(key)
    if mailing_list is None:
        raise not_found()
    return mailing_list


def create_list(account: Account, call: Call, _: dict[str, str]) -> Reply:
    """Create a list; its name must be new among the live ones."""
    given = body.fields(account, call, "ContactsList", ("Name", "IsDeleted", "Address"), ("ID", "CreatedAt"))
    _refuse_address(given)
    name = body.string(given.get("Name", ""), "Name")
    if not name:
        raise Refusal(400, "MJ08 Property name is invalid: MJ03 A non-empty value is required")
    _refuse_length(account, name)
    _refuse_taken(account, name)
    mailing_list = account.store.add_list(name)
    return account.envelope([resources.contactslist(account, mailing_list, {})], status=201)


def _refuse_address(given: dict[str, Any]) -> None:
    if "Address" in given:
        raise Refusal(401, "Internal error: List address is automatically generated and can't be changed")


def _refuse_length(account: Account, name: str) -> None:
    most = account.switches.max_name_length
    if most and len(name) > most:
        raise Refusal(400, f"MJ08 Property name is invalid: MJ05 Value may have at most length {most}")


def _refuse_taken(account: Account, name: str) -> None:
    if account.store.live_list_named(name) is not None:
        raise Refusal(400, f'MJ18 A ContactsList resource with value "{name}" for Name already exists.')


def read_list(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Return one list, also when deleted."""
    return account.envelope([resources.contactslist(account, list_of(account, params["list"]), {})])


def update_list(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Rename, delete or restore a list."""
    mailing_list = list_of(account, params["list"])
    fixed = ("ID", "CreatedAt", "SubscriberCount")
    given = body.fields(account, call, "ContactsList", ("Name", "IsDeleted", "Address"), fixed)
    _refuse_address(given)
    name = body.string(given.get("Name", mailing_list.name), "Name")
    deleted = body.boolean(given.get("IsDeleted", mailing_list.deleted), "IsDeleted")
    if (name, deleted) == (mailing_list.name, mailing_list.deleted):
        return NOTHING_CHANGED
    if name != mailing_list.name:
        _refuse_length(account, name)
        _refuse_taken(account, name)
    account.store.version += 1
    mailing_list.name, mailing_list.deleted = name, deleted
    return account.envelope([resources.contactslist(account, mailing_list, {})])


def delete_list(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Delete a list; it stays readable by its ID."""
    mailing_list = list_of(account, params["list"])
    if mailing_list.deleted:
        raise not_found()
    account.store.version += 1
    mailing_list.deleted = True
    return DELETED


# memberships


def membership_of(account: Account, key: str) -> Membership:
    """Return the membership of an ID; 404 otherwise."""
    membership = account.store.memberships.find(key)
    if membership is None:
        raise not_found()
    return membership


def create_membership(account: Account, call: Call, _: dict[str, str]) -> Reply:
    """Make a contact a member of a list."""
    names = ("ContactID", "ContactAlt", "ListID", "ListAlt", "IsUnsubscribed", "IsActive")
    given = body.fields(account, call, "ListRecipient", names, ("ID", "SubscribedAt", "UnsubscribedAt"))
    contact, mailing_list = _contact_given(account, given), _list_given(account, given)
    if contact.id in mailing_list.members:
        raise Refusal(400, "A duplicate ListRecipient already exists.")
    store = account.store
    membership = store.join(mailing_list, contact, store.now())
    membership.is_active = body.boolean(given.get("IsActive", True), "IsActive")
    if body.boolean(given.get("IsUnsubscribed", False), "IsUnsubscribed"):
        store.set_unsubscribed(membership, unsubscribed=True, at=store.now())
    return account.envelope([resources.listrecipient(account, membership, {})], status=201)


def _contact_given(account: Account, given: dict[str, Any]) -> Contact:
    if "ContactAlt" in given:
        key = str(given["ContactAlt"])
        contact = account.store.by_email.get(account.store.fold(key))
    else:
        key = str(given.get("ContactID", ""))
        contact = account.store.contacts.get(body.integer(given.get("ContactID"), "ContactID"))
    if contact is None:
        raise Refusal(400, f'Property "Contact", alternate key value "{key}" could not be resolved to an ID')
    return contact


def _list_given(account: Account, given: dict[str, Any]) -> MailingList:
    if "ListAlt" in given:
        key = str(given["ListAlt"])
        by_name = account.switches.list_alt == "name"
        mailing_list = account.store.live_list_named(key) if by_name else account.store.find_list(key)
    else:
        key = str(given.get("ListID", ""))
        mailing_list = account.store.lists.get(body.integer(given.get("ListID"), "ListID"))
    if mailing_list is None:
        raise Refusal(400, f'Property "ContactsList", alternate key value "{key}" could not be resolved to an ID')
    return mailing_list


def read_membership(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Return one membership."""
    return account.envelope([resources.listrecipient(account, membership_of(account, params["recipient"]), {})])


def update_membership(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Change the flags of a membership."""
    membership = membership_of(account, params["recipient"])
    fixed = ("ID", "ContactID", "ListID", "SubscribedAt", "UnsubscribedAt")
    given = body.fields(account, call, "ListRecipient", ("IsUnsubscribed", "IsActive"), fixed)
    unsubscribed = body.boolean(given.get("IsUnsubscribed", membership.is_unsubscribed), "IsUnsubscribed")
    active = body.boolean(given.get("IsActive", membership.is_active), "IsActive")
    if (unsubscribed, active) == (membership.is_unsubscribed, membership.is_active):
        return NOTHING_CHANGED
    account.store.version += 1
    membership.is_active = active
    account.store.set_unsubscribed(membership, unsubscribed=unsubscribed, at=account.store.now())
    return account.envelope([resources.listrecipient(account, membership, {})])


def delete_membership(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Take a contact off a list."""
    account.store.leave(membership_of(account, params["recipient"]))
    return DELETED


# property definitions


def property_of(account: Account, key: str) -> Property:
    """Return the definition of an ID or of ``namespace|name``; 404 otherwise."""
    for each in account.store.properties.rows:
        if account.store.property_key(key) in (str(each.id), f"{each.namespace}|{each.name}"):
            return each
    raise not_found()


def create_property(account: Account, call: Call, _: dict[str, str]) -> Reply:
    """Define a property."""
    given = body.fields(account, call, "ContactMetadata", ("Name", "Datatype", "NameSpace"), ("ID",))
    name = account.store.property_key(body.string(given.get("Name", ""), "Name"))
    datatype = body.string(given.get("Datatype", "str"), "Datatype").lower()
    namespace = body.string(given.get("NameSpace", "static"), "NameSpace").lower()
    _check_property(account, name, datatype)
    if namespace not in ("static", "historic"):
        raise Refusal(400, _coded(account, "CM02", f"Unknown namespace : {namespace}"))
    if any((each.name, each.namespace) == (name, namespace) for each in account.store.properties.rows):
        if account.switches.old_error_codes:
            raise Refusal(400, f'CM01 Property "{name}" already exists')
        raise Refusal(400, f'MJ18 A ContactMetadata resource with value "{name}" for Name already exists.')
    if len(account.store.properties) >= MAX_PROPERTIES:
        raise Refusal(400, "The maximum of 200 contact properties is reached")
    definition = account.store.add_property(name, datatype, namespace)
    return account.envelope([resources.contactmetadata(account, definition, {})], status=201)


def _check_property(account: Account, name: str, datatype: str) -> None:
    if not name:
        raise Refusal(
            400, "MJ08 Property name is invalid: " + _coded(account, "MJ04", "Value must have at least length 1")
        )
    allowed = ALLOWED.get(account.switches.property_names)
    if allowed is not None and not allowed.fullmatch(name):
        raise Refusal(400, f'Invalid value "{name}" for property "Name"')
    _refuse_length(account, name)
    if datatype not in DATATYPES:
        raise Refusal(400, _coded(account, "CM08", f'"{datatype}" is not a valid datatype'))


def _coded(account: Account, code: str, message: str) -> str:
    """Return a message with the code that a client of 2013 lists for it, where the switch `old_error_codes` says so."""
    return f"{code} {message}" if account.switches.old_error_codes else message


def read_property(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Return one definition."""
    return account.envelope([resources.contactmetadata(account, property_of(account, params["property"]), {})])


def update_property(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Rename a property or change its datatype; values already kept stay as they are."""
    definition = property_of(account, params["property"])
    given = body.fields(account, call, "ContactMetadata", ("Name", "Datatype"), ("ID", "NameSpace"))
    name = account.store.property_key(body.string(given.get("Name", definition.name), "Name"))
    datatype = body.string(given.get("Datatype", definition.datatype), "Datatype").lower()
    _check_property(account, name, datatype)
    if (name, datatype) == (definition.name, definition.datatype):
        return NOTHING_CHANGED
    account.store.version += 1
    definition.name, definition.datatype = name, datatype
    return account.envelope([resources.contactmetadata(account, definition, {})])


def delete_property(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Drop a definition and with it the values of all contacts."""
    account.store.version += 1
    account.store.properties.remove(property_of(account, params["property"]).id)
    return DELETED


# segments


def segment_of(account: Account, key: str) -> Segment:
    """Return the segment of an ID or name; 404 otherwise."""
    for each in account.store.segments.rows:
        if key in (str(each.id), each.name):
            return each
    raise not_found()


def create_segment(account: Account, call: Call, _: dict[str, str]) -> Reply:
    """Create a segment."""
    given = body.fields(account, call, "ContactFilter", ("Name", "Description", "Expression"), ("ID", "Status"))
    store = account.store
    name, expression = (body.string(given.get(key, ""), key) for key in ("Name", "Expression"))
    if not name or not expression:
        raise Refusal(400, "MJ08 Property name or expression is invalid: MJ03 A non-empty value is required")
    if any(each.name == name for each in store.segments.rows):
        raise Refusal(400, f'MJ18 A ContactFilter resource with value "{name}" for Name already exists.')
    store.version += 1
    description = body.string(given.get("Description", ""), "Description")
    segment = Segment(id=store.next_id("segment"), name=name, expression=expression, description=description)
    return account.envelope([resources.contactfilter(account, store.segments.append(segment), {})], status=201)


def read_segment(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Return one segment."""
    return account.envelope([resources.contactfilter(account, segment_of(account, params["segment"]), {})])


def update_segment(account: Account, call: Call, params: dict[str, str]) -> Reply:
    """Change a segment."""
    segment = segment_of(account, params["segment"])
    given = body.fields(account, call, "ContactFilter", ("Name", "Description", "Expression"), ("ID", "Status"))
    before = (segment.name, segment.description, segment.expression)
    after = tuple(
        body.string(given.get(key, kept), key)
        for key, kept in zip(("Name", "Description", "Expression"), before, strict=True)
    )
    if before == after:
        return NOTHING_CHANGED
    account.store.version += 1
    segment.name, segment.description, segment.expression = after
    return account.envelope([resources.contactfilter(account, segment, {})])


def delete_segment(account: Account, _: Call, params: dict[str, str]) -> Reply:
    """Delete a segment; it stays in listings that show deleted ones."""
    account.store.version += 1
    segment_of(account, params["segment"]).status = "deleted"
    return DELETED
