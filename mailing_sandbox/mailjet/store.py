"""An emulated Mailjet account: contacts, lists, memberships, properties, and what actions do to them."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING, Any

from mailing_sandbox.mailjet.records import Contact, MailingList, Membership, Property, Segment, Signup, Table
from mailing_sandbox.mailjet.values import cast, folded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailing_sandbox.clock import Clock
    from mailing_sandbox.mailjet.switches import Switches

ACTIONS = ("addforce", "addnoforce", "remove", "unsub")
ANONYMISED_SECONDS = 30 * 86400
"""How long an anonymised contact stays before it is purged (Mailjet reference, GDPR delete)."""

MAX_PROPERTIES = 199
"""Definitions per account: 200 with the e-mail column (Mailjet reference, size limits)."""


class TooLongError(ValueError):
    """A value is longer than the switch `max_value_bytes` allows; the message is Mailjet's."""


class Store:
    """The data of one account. `version` grows with every change, so that listings know when to look again."""

    def __init__(self, clock: Clock, switches: Switches) -> None:
        self.clock = clock
        self.switches = switches
        self.version = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything; IDs start again."""
        self.version += 1
        self.contacts: Table[Contact] = Table()
        self.by_email: dict[str, Contact] = {}
        self.lists: Table[MailingList] = Table()
        self.memberships: Table[Membership] = Table()
        self.properties: Table[Property] = Table()
        self.segments: Table[Segment] = Table()
        self.signups: Table[Signup] = Table()
        self._columns = 0
        self._last = {
            "contact": 310_044_870,
            "list": 91_821,
            "membership": 288_100_451,
            "property": 70_411,
            "segment": 5_300,
            "signup": 880_100,
        }
        self._anonymised: list[Contact] = []
        self.refused: set[str] = set()

    def now(self) -> int:
        """Return the emulated time in whole Unix seconds."""
        return int(self.clock.now())

    def next_id(self, kind: str) -> int:
        """Draw the next ID of a kind."""
        self._last[kind] += 1
        return self._last[kind]

    def fold(self, email: str) -> str:
        """Return the key of an address."""
        return folded(email, self.switches.email_case)

    def refold(self) -> None:
        """Index the addresses again, after the switch `email_case` has changed."""
        self.by_email = {self.fold(contact.email): contact for contact in self.contacts.rows if not contact.anonymised}

    # contacts

    def add_contact(self, email: str, name: str = "", created: int | None = None) -> Contact:
        """Add a contact whose address is new."""
        self.version += 1
        if self.switches.email_case == "lower":
            email = email.lower()
        contact = Contact(
            id=self.next_id("contact"), email=email, name=name, created=self.now() if created is None else created
        )
        self.by_email[self.fold(email)] = contact
        return self.contacts.append(contact)

    def find_contact(self, key: str) -> Contact | None:
        """Find a contact by its ID or address."""
        if key.isascii() and key.isdigit():
            return self.contacts.find(key)
        return self.by_email.get(self.fold(key))

    def set_excluded(self, contact: Contact, excluded: bool, at: int) -> None:
        """Send the exclusion flag, which moves its date even when the flag stays (Mailjet reference, contact)."""
        self.version += 1
        if contact.excluded != excluded:
            contact.excluded = excluded
            contact.updated = contact.active = at
        contact.exclusion_updated = at

    def anonymise(self, contact: Contact) -> None:
        """Forget who a contact was; its memberships go (Mailjet reference, GDPR delete)."""
        self.version += 1
        for membership in self.memberships_of(contact):
            self.leave(membership)
        self.by_email.pop(self.fold(contact.email), None)
        contact.email = rf"\x{random.Random(contact.id).getrandbits(128):032x}@domain.invalid"
        contact.name = "Anonymized"
        contact.values = ()
        contact.anonymised = self.now()
        self._anonymised.append(contact)

    @property
    def anonymised(self) -> bool:
        """True while anonymised contacts wait for their purge."""
        return bool(self._anonymised)

    def purge(self) -> None:
        """Remove contacts anonymised more than 30 days ago."""
        while self._anonymised and self._anonymised[0].anonymised + ANONYMISED_SECONDS < self.clock.now():
            self.version += 1
            self.contacts.remove(self._anonymised.pop(0).id)

    # lists and memberships

    def add_list(self, name: str, created: int | None = None) -> MailingList:
        """Add a list; its address is drawn from its ID."""
        self.version += 1
        number = self.next_id("list")
        drawn = random.Random(number)
        address = drawn.choice(string.ascii_lowercase) + "".join(
            drawn.choices(string.ascii_lowercase + string.digits, k=8)
        )
        return self.lists.append(MailingList(number, name, address, self.now() if created is None else created))

    def find_list(self, key: str) -> MailingList | None:
        """Find a list by its ID or address, deleted or not."""
        if key.isascii() and key.isdigit():
            return self.lists.find(key)
        return next((each for each in self.lists.rows if each.address == key.lower()), None)

    def live_list_named(self, name: str) -> MailingList | None:
        """Find a list that is not deleted by its name."""
        return next((each for each in self.lists.rows if each.name == name and not each.deleted), None)

    def memberships_of(self, contact: Contact) -> list[Membership]:
        """Return a contact's memberships, in ID order."""
        found = [each.members[contact.id] for each in self.lists.rows if contact.id in each.members]
        return sorted(found, key=lambda membership: membership.id)

    def join(self, mailing_list: MailingList, contact: Contact, at: int) -> Membership:
        """Make a contact a member of a list on which it is not."""
        self.version += 1
        membership = Membership(id=self.next_id("membership"), contact=contact, list_id=mailing_list.id, subscribed=at)
        mailing_list.members[contact.id] = membership
        mailing_list.rows.append(membership)
        return self.memberships.append(membership)

    def leave(self, membership: Membership) -> None:
        """Delete a membership."""
        self.version += 1
        mailing_list = self.lists.get(membership.list_id)
        if mailing_list is not None:
            mailing_list.unsubscribed -= membership.is_unsubscribed
            del mailing_list.members[membership.contact.id]
            mailing_list.rows.remove(membership.id)
        self.memberships.remove(membership.id)

    def set_unsubscribed(self, membership: Membership, unsubscribed: bool, at: int) -> None:
        """Set or clear the flag of a membership, with its dates."""
        if membership.is_unsubscribed == unsubscribed:
            return
        self.version += 1
        mailing_list = self.lists.get(membership.list_id)
        if mailing_list is not None:
            mailing_list.unsubscribed += 1 if unsubscribed else -1
        membership.is_unsubscribed = unsubscribed
        if unsubscribed:
            membership.unsubscribed = at
        elif self.switches.resubscribe_moves_subscribed_at:
            membership.subscribed = at

    def subscriber_count(self, mailing_list: MailingList) -> int:
        """Count the subscribers of a list."""
        everyone = len(mailing_list.members)
        return (
            everyone if self.switches.subscriber_count_includes_unsubscribed else everyone - mailing_list.unsubscribed
        )

    def act(self, mailing_list: MailingList, contact: Contact, action: str, at: int) -> None:
        """Apply one of `ACTIONS` to a contact and a list (Mailjet reference, actions)."""
        membership = mailing_list.members.get(contact.id)
        if membership is None:
            if action in ("addforce", "addnoforce"):
                self.join(mailing_list, contact, at)
            elif action == "unsub" and self.switches.unsub_creates_membership:
                self.set_unsubscribed(self.join(mailing_list, contact, at), unsubscribed=True, at=at)
        elif action == "remove":
            self.leave(membership)
        elif action != "addnoforce":
            self.set_unsubscribed(membership, unsubscribed=action == "unsub", at=at)

    # properties

    def add_property(self, name: str, datatype: str = "str", namespace: str = "static") -> Property:
        """Add a property definition whose name is new."""
        self.version += 1
        column, self._columns = self._columns, self._columns + 1
        return self.properties.append(
            Property(
                id=self.next_id("property"),
                name=self.property_key(name),
                datatype=datatype,
                namespace=namespace,
                column=column,
                created=self.clock.now(),
            )
        )

    def property_key(self, name: str) -> str:
        """Return a property's name as it is kept and compared: Mailjet was reported to keep them in lower case."""
        return name.lower() if self.switches.property_case == "lower" else name

    def known_properties(self) -> dict[str, Property]:
        """Return the definitions usable now, by name: a new one may take a while (switch `property_delay_seconds`)."""
        latest = self.clock.now() - self.switches.property_delay_seconds
        return {
            each.name: each
            for each in self.properties.rows
            if each.namespace == "static" and (self.switches.property_delay_seconds == 0 or each.created <= latest)
        }

    def cast(self, definition: Property, value: Any) -> str:
        """Return a value as it is kept; ValueError when it does not match the definition, or is too long."""
        text = cast(definition.datatype, value, numbers_as_text=self.switches.str_accepts_numbers)
        most = self.switches.max_value_bytes
        if most and len(text.encode()) > most:
            raise TooLongError(
                f"CM06 Length of value ({len(text.encode())} bytes) exceeds maximum data length ({most} bytes)"
            )
        return text

    def set_values(self, contact: Contact, values: Mapping[int, str | None]) -> bool:
        """Set property values by column, None clears; tell whether anything changed."""
        width = max(len(contact.values), max(values, default=-1) + 1)
        row = [*contact.values, *([None] * (width - len(contact.values)))]
        for column, value in values.items():
            row[column] = value
        after = tuple(row)
        changed = after != contact.values and any(
            row[column] != (contact.values[column] if column < len(contact.values) else None) for column in values
        )
        if changed:
            self.version += 1
            contact.values = after
        return changed

    def values_of(self, contact: Contact) -> list[tuple[Property, str]]:
        """Return a contact's values with their definitions, in the order of the definitions."""
        values = contact.values
        return [
            (each, text)
            for each in self.properties.rows
            if each.column < len(values) and (text := values[each.column]) is not None
        ]
