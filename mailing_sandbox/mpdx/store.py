"""The data of an emulated MPDX, and which change moves whose `updated_at` (MPDX reference, what moves updated_at)."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

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

if TYPE_CHECKING:
    from mailing_sandbox.clock import Clock

S = TypeVar("S", bound=Stored)

_STRUCTURE = frozenset({"id", "created", "updated", "contact", "contacts", "person", "account_list"})
"""Fields that place a row; a change cannot set them."""

FOUNDED = 1_690_000_000.0
"""When the first user signed up."""

WITH_EMAIL = {"Physical": "Both", "None": "Email", "": "Email", None: "Email"}
WITHOUT_EMAIL = {"Both": "Physical", "Email": None}


class Store:
    """Everything by ID, in order of creation. `version` grows with every change."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.version = 0
        self._ids = random.Random("mpdx")
        self.users: dict[str, User] = {}
        self.me = self.add_user("Sam", "Sandbox", FOUNDED).id
        self.clear()

    def clear(self) -> None:
        """Forget everything but the first user; IDs are not used again."""
        self.version += 1
        self.users = {self.me: self.users[self.me]}
        self.account_lists: dict[str, AccountList] = {}
        self.contacts: dict[str, Contact] = {}
        self.people: dict[str, Person] = {}
        self.addresses: dict[str, Address] = {}
        self.emails: dict[str, Email] = {}
        self.phones: dict[str, Phone] = {}
        self.tombstones: dict[str, Tombstone] = {}
        self.tickets: dict[str, Ticket] = {}

    def new_id(self) -> str:
        """Draw an ID."""
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))

    def now(self) -> float:
        """Return the emulated time."""
        return self.clock.now()

    # making

    def add_user(self, first_name: str, last_name: str, at: float | None = None) -> User:
        """Add somebody who may sign in."""
        return self._keep(self.users, User(**self._stamp(at), first_name=first_name, last_name=last_name))

    def add_account_list(self, name: str, home_country: str | None, users: Iterable[str], at: float) -> AccountList:
        """Add a workspace."""
        row = AccountList(**self._stamp(at), name=name, home_country=home_country, users=set(users))
        return self._keep(self.account_lists, row)

    def add_contact(self, account_list: str, fields: Mapping[str, Any], at: float | None = None) -> Contact:
        """Add a contact; `fields` may hold `addresses` and `people`."""
        own = {name: value for name, value in fields.items() if name not in ("addresses", "people")}
        _check(own, Contact)
        contact = self._keep(self.contacts, Contact(**self._stamp(at), account_list=account_list, **own))
        for address in fields.get("addresses", ()):
            self.add_address(contact, address, at)
        for person in fields.get("people", ()):
            self.add_person(contact, person, at)
        contact.updated = contact.created
        return contact

    def add_address(self, contact: Contact, fields: Mapping[str, Any], at: float | None = None) -> Address:
        """Add an address, which touches its contact."""
        _check(fields, Address)
        address = self._keep(self.addresses, Address(**self._stamp(at), contact=contact.id, **fields))
        contact.addresses = [*contact.addresses, address]
        self._touch(contact)
        return address

    def add_person(self, contact: Contact, fields: Mapping[str, Any], at: float | None = None) -> Person:
        """Add a person, which touches the contact; `fields` may hold `emails` and `phones`."""
        own = {name: value for name, value in fields.items() if name not in ("emails", "phones")}
        _check(own, Person)
        person = self._keep(self.people, Person(**self._stamp(at), **own))
        self.join(contact, person)
        for place, email in enumerate(fields.get("emails", ())):
            given = {"email": email} if isinstance(email, str) else dict(email)
            self.add_email(person, {"primary": place == 0, **given}, at)
        for place, phone in enumerate(fields.get("phones", ())):
            given = {"number": phone} if isinstance(phone, str) else dict(phone)
            self.add_phone(person, {"primary": place == 0, **given}, at)
        person.updated = person.created
        return person

    def join(self, contact: Contact, person: Person) -> None:
        """Put a person into a contact, which touches the contact only."""
        contact.people = [*contact.people, person]
        person.contacts = [*person.contacts, contact.id]
        self._touch(contact)

    def add_email(self, person: Person, fields: Mapping[str, Any], at: float | None = None) -> Email:
        """Add an e-mail address, which touches its person and not the contact."""
        _check(fields, Email)
        given = {**fields, "email": str(fields["email"]).lower()}
        email = self._keep(self.emails, Email(**self._stamp(at), person=person.id, **given))
        person.emails = [*person.emails, email]
        self._touch(person)
        return email

    def add_phone(self, person: Person, fields: Mapping[str, Any], at: float | None = None) -> Phone:
        """Add a phone number, which touches its person and not the contact."""
        _check(fields, Phone)
        phone = self._keep(self.phones, Phone(**self._stamp(at), person=person.id, **fields))
        person.phones = [*person.phones, phone]
        self._touch(person)
        return phone

    def add_ticket(self, user: str, kind: str, params: Mapping[str, Any]) -> Ticket:
        """Add an export log."""
        return self._keep(self.tickets, Ticket(**self._stamp(None), user=user, kind=kind, params=dict(params)))

    # changing

    def change(self, row: Stored, fields: Mapping[str, Any]) -> None:
        """Set fields of a contact, address, person, e-mail or phone, and touch what MPDX touches."""
        _check(fields, type(row))
        for name, value in fields.items():
            setattr(row, name, value)
        self._touch(row)
        if isinstance(row, Address):
            self._touch(self.contacts[row.contact])
        elif isinstance(row, Email | Phone):
            self._touch(self.people[row.person])
        elif isinstance(row, Person) and fields.get("deceased"):
            self._bury(row)

    def remove(self, row: Stored, by: str | None = None) -> None:
        """Delete a row. Only a contact leaves a tombstone."""
        if isinstance(row, Address):
            contact = self.contacts[row.contact]
            contact.addresses = [each for each in contact.addresses if each.id != row.id]
            del self.addresses[row.id]
            self._touch(contact)
        elif isinstance(row, Email):
            person = self.people[row.person]
            person.emails = [each for each in person.emails if each.id != row.id]
            del self.emails[row.id]
            self._touch(person)
        elif isinstance(row, Person):
            for contact in self.contacts_of(row):
                contact.people = [each for each in contact.people if each.id != row.id]
                self._touch(contact)
            del self.people[row.id]
            self.version += 1
        elif isinstance(row, Contact):
            self._entomb(row, by)

    def merge(self, loser: Contact, winner: Contact) -> None:
        """Merge a contact into another: the loser becomes a tombstone of nobody's doing."""
        for person in loser.people:
            person.contacts = [each for each in person.contacts if each != loser.id]
            if person not in winner.people:
                self.join(winner, person)
        for address in loser.addresses:
            address.contact = winner.id
        winner.addresses = [*winner.addresses, *loser.addresses]
        loser.people, loser.addresses = [], []
        self._touch(winner)
        self._entomb(loser, None)

    def mailchimp_opt_out(self, person: Person) -> None:
        """Let an opt-out come in from Mailchimp: the person's `updated_at` stays."""
        self.version += 1
        person.optout_enewsletter = True
        for contact in self.contacts_of(person):
            others = any(each.emails and not each.optout_enewsletter for each in contact.people)
            if not others and contact.send_newsletter in WITHOUT_EMAIL:
                contact.send_newsletter = WITHOUT_EMAIL[contact.send_newsletter]
                self._touch(contact)

    def mailchimp_subscribe(self, person: Person) -> None:
        """Let a subscription come in from Mailchimp: no `updated_at` moves."""
        self.version += 1
        person.optout_enewsletter = False
        for contact in self.contacts_of(person):
            contact.send_newsletter = WITH_EMAIL.get(contact.send_newsletter, contact.send_newsletter)

    # finding

    def contacts_of(self, person: Person) -> Iterator[Contact]:
        """Return the contacts that a person is in."""
        return (self.contacts[key] for key in person.contacts if key in self.contacts)

    def visible(self, user: str) -> list[AccountList]:
        """Return the account lists that a user may see."""
        return [each for each in self.account_lists.values() if user in each.users]

    def _bury(self, person: Person) -> None:
        person.optout_enewsletter = True
        for contact in self.contacts_of(person):
            if all(each.deceased for each in contact.people):
                contact.send_newsletter, contact.status = "None", "Never Ask"
                self._touch(contact)

    def _entomb(self, contact: Contact, by: str | None) -> None:
        for person in contact.people:
            person.contacts = [each for each in person.contacts if each != contact.id]
            if not person.contacts:
                self.people.pop(person.id, None)
        for address in contact.addresses:
            del self.addresses[address.id]
        del self.contacts[contact.id]
        at = self.now()
        row = Tombstone(**self._stamp(at), contact=contact.id, account_list=contact.account_list, deleted=at, by=by)
        self._keep(self.tombstones, row)

    def _stamp(self, at: float | None) -> dict[str, Any]:
        moment = self.now() if at is None else at
        return {"id": self.new_id(), "created": moment, "updated": moment}

    def _keep(self, table: dict[str, S], row: S) -> S:
        self.version += 1
        table[row.id] = row
        return row

    def _touch(self, row: Stored) -> None:
        self.version += 1
        row.updated = self.now()


def _check(fields: Mapping[str, Any], kind: type[Stored]) -> None:
    unknown = fields.keys() - (set(kind.__struct_fields__) - _STRUCTURE)
    if unknown:
        raise ValueError(f"a {kind.__name__.lower()} has no field {', '.join(sorted(unknown))}")
