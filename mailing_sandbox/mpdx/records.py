"""The rows of an emulated MPDX. Times are Unix seconds with fractions; the API shows whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

ACTIVE = (
    "Never Contacted", "Ask in Future", "Cultivate Relationship", "Contact for Appointment", "Appointment Scheduled",
    "Call for Decision", "Partner - Financial", "Partner - Special", "Partner - Pray",
)  # fmt: skip
HIDDEN = ("Not Interested", "Unresponsive", "Never Ask", "Research Abandoned", "Expired Referral")
"""Statuses that hide a contact in listings unless requested (MPDX reference, status)."""


class Stored(msgspec.Struct, kw_only=True, gc=False):
    """What every row has."""

    id: str
    created: float
    updated: float


class User(Stored, kw_only=True, gc=False):
    """Somebody who may sign in."""

    first_name: str
    last_name: str


class AccountList(Stored, kw_only=True, gc=False):
    """A workspace; `users` may see it."""

    name: str
    home_country: str | None
    users: set[str]


class Address(Stored, kw_only=True, gc=False):
    """A postal address of a contact."""

    contact: str
    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    region: str | None = None
    metro_area: str | None = None
    location: str | None = "Home"
    primary_mailing_address: bool = False
    historic: bool = False
    seasonal: bool = False
    start_date: str | None = None
    end_date: str | None = None
    valid_values: bool = True
    source: str | None = "MPDX"
    remote_id: str | None = None
    geo: str | None = None


class Email(Stored, kw_only=True, gc=False):
    """An e-mail address of a person."""

    person: str
    email: str
    primary: bool = False
    historic: bool = False
    location: str | None = None
    valid_values: bool = True
    source: str = "MPDX"


class Phone(Stored, kw_only=True, gc=False):
    """A phone number of a person."""

    person: str
    number: str
    country_code: str | None = None
    primary: bool = False
    historic: bool = False
    location: str | None = None
    valid_values: bool = True
    source: str = "MPDX"


class Person(Stored, kw_only=True, gc=False):
    """Somebody in one or more contacts."""

    first_name: str
    last_name: str | None = None
    middle_name: str | None = None
    legal_first_name: str | None = None
    title: str | None = None
    suffix: str | None = None
    gender: str | None = None
    marital_status: str | None = None
    occupation: str | None = None
    employer: str | None = None
    alma_mater: str | None = None
    anniversary_day: int | None = None
    anniversary_month: int | None = None
    anniversary_year: int | None = None
    birthday_day: int | None = None
    birthday_month: int | None = None
    birthday_year: int | None = None
    age: int | None = None
    deceased: bool = False
    optout_enewsletter: bool = False
    emails: list[Email] = []
    phones: list[Phone] = []
    contacts: list[str] = []


class Contact(Stored, kw_only=True, gc=False):
    """A household, church or company; `company` tells whether its donor account is a company's."""

    account_list: str
    name: str
    greeting: str | None = None
    envelope_greeting: str | None = None
    send_newsletter: str | None = None
    status: str | None = None
    status_valid: bool | None = None
    locale: str | None = None
    timezone: str | None = None
    website: str | None = None
    church_name: str | None = None
    likely_to_give: str | None = None
    notes: str | None = None
    tags: list[str] = []
    no_appeals: bool | None = None
    no_gift_aid: bool | None = None
    pledge_amount: str | None = None
    pledge_frequency: str | None = None
    pledge_currency: str = "USD"
    pledge_received: bool = False
    company: bool = False
    addresses: list[Address] = []
    people: list[Person] = []


class Tombstone(Stored, kw_only=True, gc=False):
    """What is left of a deleted contact."""

    contact: str
    account_list: str
    deleted: float
    by: str | None


class Ticket(Stored, kw_only=True, gc=False):
    """An export log: valid for one download in any format. `formats` are the requested ones."""

    user: str
    kind: str
    params: dict[str, Any]
    used: bool = False
    formats: list[str] = []


def moment(seconds: float) -> str:
    """Render Unix seconds as MPDX does: UTC, whole seconds, cut off."""
    return f"{datetime.fromtimestamp(int(seconds), UTC).replace(tzinfo=None).isoformat()}Z"
