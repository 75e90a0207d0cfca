"""How rows look as JSON:API resources: attributes and relationships of each type."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailing_sandbox.mpdx.names import envelope, greeting
from mailing_sandbox.mpdx.records import moment

if TYPE_CHECKING:
    from mailing_sandbox.mpdx.records import (
        AccountList,
        Address,
        Contact,
        Email,
        Person,
        Phone,
        Stored,
        Ticket,
        Tombstone,
        User,
    )
    from mailing_sandbox.mpdx.store import Store

Link = dict[str, str] | None
Links = Link | list[dict[str, str]]


def link(kind: str, key: str | None) -> Link:
    """Return a to-one linkage."""
    return None if key is None else {"id": key, "type": kind}


def links(kind: str, rows: Iterable[Stored]) -> list[dict[str, str]]:
    """Return a to-many linkage."""
    return [{"id": row.id, "type": kind} for row in rows]


def plain(row: Stored, *names: str) -> dict[str, Any]:
    """Return attributes that are kept as they are shown."""
    return {name: getattr(row, name) for name in names}


@dataclass(frozen=True)
class Kind:
    """One type of resource; `sorts` are the fields that its listings may be sorted by."""

    type: str
    attributes: Callable[[Any, str], dict[str, Any]]
    relationships: Callable[[Store, Any], dict[str, Links]]
    sorts: tuple[str, ...] = ("created_at", "updated_at")


def _user(row: User, _: str) -> dict[str, Any]:
    names = plain(row, "first_name", "last_name")
    return {**names, "master_person_id": None, "preferences": {"default_account_list": None}}


def _user_links(store: Store, row: User) -> dict[str, Links]:
    return {"account_lists": links("account_lists", store.visible(row.id))}


def _account_list(row: AccountList, _: str) -> dict[str, Any]:
    return {
        **plain(row, "name", "home_country"),
        "active_mpd_start_at": None,
        "currency": "USD",
        "default_currency": "USD",
        "default_organization_id": None,
        "monthly_goal": None,
        "salary_organization": None,
        "tester": False,
        "total_pledges": 0,
    }


def _account_list_links(_: Store, row: AccountList) -> dict[str, Links]:
    return {
        "users": [{"id": key, "type": "users"} for key in sorted(row.users)],
        "notification_preferences": [],
        "primary_appeal": None,
    }


_CONTACT = (
    "name", "send_newsletter", "status", "status_valid", "locale", "timezone", "website", "church_name",
    "likely_to_give", "notes", "no_appeals", "no_gift_aid", "pledge_amount", "pledge_frequency", "pledge_currency",
    "pledge_received",
)  # fmt: skip
_UNSET = (
    "pledge_start_date", "next_ask", "late_at", "last_activity", "last_appointment", "last_letter", "last_phone_call",
    "last_pre_call", "last_thank", "last_donation", "notes_saved_at", "preferred_contact_method", "relationship_code",
    "source", "starred_at",
)  # fmt: skip
_ELSEWHERE = (
    "appeals", "appeal_contacts", "donor_accounts", "tasks", "last_six_donations", "donation_amount_recommendations",
    "contact_referrals_by_me", "contact_referrals_to_me", "contacts_referred_by_me", "contacts_that_referred_me",
)  # fmt: skip


def _contact(row: Contact, tongue: str) -> dict[str, Any]:
    return {
        **plain(row, *_CONTACT),
        **dict.fromkeys(_UNSET),
        "avatar": "https://mpdx.example.com/avatar.png",
        "deceased": bool(row.people) and all(person.deceased for person in row.people),
        "direct_deposit": False,
        "envelope_greeting": envelope(row),
        "greeting": greeting(row, tongue),
        "magazine": False,
        "missionary_pages_banner": False,
        "pledge_currency_symbol": "$",
        "square_avatar": "https://mpdx.example.com/square.png",
        "suggested_changes": {},
        "tag_list": row.tags,
        "uncompleted_tasks_count": 0,
    }


def _contact_links(_: Store, row: Contact) -> dict[str, Links]:
    first = row.people[0].id if row.people else None
    spouse = row.people[1].id if len(row.people) > 1 else None
    return {
        **{name: [] for name in _ELSEWHERE},
        "account_list": link("account_lists", row.account_list),
        "addresses": links("addresses", row.addresses),
        "people": links("people", row.people),
        "primary_or_first_person": link("people", first),
        "primary_person": link("people", first),
        "spouse": link("people", spouse),
        "user": None,
    }


def _address(row: Address, _: str) -> dict[str, Any]:
    names = set(row.__struct_fields__) - {"id", "created", "updated", "contact"}
    return plain(row, *names)


def _person(row: Person, _: str) -> dict[str, Any]:
    left_out = {"id", "created", "updated", "emails", "phones", "contacts"}
    return {
        **plain(row, *(set(row.__struct_fields__) - left_out)),
        "avatar": "https://mpdx.example.com/avatar.png",
        "parent_contacts": list(row.contacts),
    }


def _person_links(_: Store, row: Person) -> dict[str, Links]:
    none = ("facebook_accounts", "family_relationships", "linkedin_accounts", "twitter_accounts", "websites")
    return {
        **{name: [] for name in none},
        "email_addresses": links("email_addresses", row.emails),
        "phone_numbers": links("phone_numbers", row.phones),
    }


def _reach(row: Email | Phone, _: str) -> dict[str, Any]:
    return plain(row, *(set(row.__struct_fields__) - {"id", "created", "updated", "person"}))


def _tombstone(row: Tombstone, _: str) -> dict[str, Any]:
    return {
        "deletable_id": row.contact,
        "deletable_type": "Contact",
        "deleted_at": moment(row.deleted),
        "deleted_from_id": row.account_list,
        "deleted_from_type": "AccountList",
    }


def _tombstone_links(_: Store, row: Tombstone) -> dict[str, Links]:
    return {
        "deletable": link("contacts", row.contact),
        "deleted_by": link("people", row.by),
        "deleted_from": link("account_lists", row.account_list),
    }


def _ticket(row: Ticket, _: str) -> dict[str, Any]:
    return {"export_at": moment(row.created), "params": row.params, "type": row.kind}


USERS = Kind("users", _user, _user_links)
ACCOUNT_LISTS = Kind("account_lists", _account_list, _account_list_links)
CONTACTS = Kind("contacts", _contact, _contact_links, ("name", "created_at", "updated_at"))
ADDRESSES = Kind("addresses", _address, lambda _, __: {"source_donor_account": None})
PEOPLE = Kind("people", _person, _person_links)
EMAILS = Kind("email_addresses", _reach, lambda _, __: {})
PHONES = Kind("phone_numbers", _reach, lambda _, __: {})
DELETED = Kind("deleted_records", _tombstone, _tombstone_links)
EXPORT_LOGS = Kind("export_logs", _ticket, lambda _, row: {"user": link("users", row.user)})


def find(store: Store, kind: str, key: str) -> tuple[Kind, Stored] | None:
    """Return a row that a linkage names, where the sandbox keeps rows of its type."""
    tables: dict[str, tuple[Kind, dict[str, Any]]] = {
        "users": (USERS, store.users),
        "account_lists": (ACCOUNT_LISTS, store.account_lists),
        "contacts": (CONTACTS, store.contacts),
        "addresses": (ADDRESSES, store.addresses),
        "people": (PEOPLE, store.people),
        "email_addresses": (EMAILS, store.emails),
        "phone_numbers": (PHONES, store.phones),
    }
    if kind not in tables or key not in tables[kind][1]:
        return None
    return tables[kind][0], tables[kind][1][key]
