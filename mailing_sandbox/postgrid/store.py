"""All that one mode of an account holds, test or live: contacts, lists, imports, and who is on which list."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING, Any

import msgspec

from mailing_sandbox.postgrid.address import ADDRESS, standardised
from mailing_sandbox.postgrid.answers import Answers
from mailing_sandbox.postgrid.records import FLAGS, NAMES, Contact, Import, MailingList
from mailing_sandbox.postgrid.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailing_sandbox.clock import Clock
    from mailing_sandbox.postgrid.address import Verifier
    from mailing_sandbox.postgrid.switches import Switches

ALPHABET = string.ascii_letters + string.digits


class Store:
    """The data of one mode. IDs are drawn from a fixed number, so that equal calls give equal IDs."""

    def __init__(self, clock: Clock, switches: Switches, verifier: Verifier, *, live: bool) -> None:
        self.clock = clock
        self.switches = switches
        self.live = live
        self._verifier = verifier
        self._drawn = random.Random(2 if live else 1)
        self.organization = self.new_id("org")
        self.answers = Answers()
        self.clear()

    def clear(self) -> None:
        """Forget all data. IDs are never used again, so that an old one stays unknown."""
        self.contacts: Table[Contact] = Table()
        self.lists: Table[MailingList] = Table()
        self.imports: Table[Import] = Table()
        self.deleted: set[str] = set()
        self.answers.clear()
        self._identities: dict[bytes, str] = {}

    def new_id(self, prefix: str) -> str:
        """Draw an ID."""
        return f"{prefix}_{''.join(self._drawn.choices(ALPHABET, k=22))}"

    # contacts

    def contact(
        self, sent: dict[str, Any], *, at: float | None = None, number: str | None = None
    ) -> tuple[Contact, bool]:
        """Create a contact, or return the identical one with its description replaced; tells whether it is new.

        `sent` are checked fields without blanks. `at` and `number` set its date and ID, for invented data.
        """
        now = self.clock.now() if at is None else at
        address = standardised(sent, merge_unit=self.switches.postgrid_merge_unit)
        identity = self._identity(sent, address)
        known = self.contacts.get(self._identities.get(identity, ""))
        if known is not None:
            self._repeat(known, sent, now)
            return known, False
        verdict = self._verifier.verify(sent, live=self.live)
        contact = Contact(
            id=number or self.new_id("contact"),
            live=self.live,
            sent=sent,
            address=address,
            address_status=verdict.status,
            address_errors=verdict.errors,
            description=sent.get("description"),
            metadata=sent.get("metadata"),
            created=now,
            updated=now,
        )
        self.contacts.add(contact)
        self._identities[identity] = contact.id
        return contact, True

    def _repeat(self, contact: Contact, sent: dict[str, Any], now: float) -> None:
        if "description" in sent or self.switches.postgrid_repeat_without_description == "clear":
            contact.description = sent.get("description")
        if self.switches.postgrid_repeat_moves_updated_at:
            self.contacts.touch(contact, now)

    def _identity(self, sent: dict[str, Any], address: dict[str, str]) -> bytes:
        """Return what two contacts must share to be one (unverified, hence the switches)."""
        switches = self.switches
        compared: dict[str, Any] = {name: sent[name].strip() for name in NAMES if name in sent}
        if not switches.postgrid_dedupe_includes_email:
            compared.pop("email", None)
        if switches.postgrid_dedupe_compares == "standardised":
            compared |= address
        else:
            compared |= {name: sent[name].strip() for name in ADDRESS if name in sent}
        if switches.postgrid_dedupe_includes_flags:
            compared |= {name: True for name in FLAGS if sent.get(name)}
        if switches.postgrid_dedupe_includes_metadata:
            compared["metadata"] = sent.get("metadata") or {}
        return msgspec.json.encode(compared, order="sorted")

    def reidentify(self) -> None:
        """Compare again after switches changed when two contacts are the same; the oldest of equal ones is found."""
        self._identities = {}
        for contact in self.contacts:
            self._identities.setdefault(self._identity(contact.sent, contact.address), contact.id)

    def delete_contact(self, contact: Contact) -> None:
        """Delete a contact, also from its lists."""
        for number in contact.lists:
            mailing_list = self.lists.get(number)
            if mailing_list is not None:
                mailing_list.contacts.pop(contact.id, None)
        identity = self._identity(contact.sent, contact.address)
        if self._identities.get(identity) == contact.id:
            del self._identities[identity]
        self.contacts.remove(contact.id)
        self.deleted.add(contact.id)

    # lists

    def mailing_list(
        self,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        *,
        at: float | None = None,
        number: str | None = None,
    ) -> MailingList:
        """Create a list."""
        now = self.clock.now() if at is None else at
        made = MailingList(
            id=number or self.new_id("mailing_list"),
            live=self.live,
            description=description,
            metadata=metadata,
            created=now,
            updated=now,
        )
        self.lists.add(made)
        return made

    def delete_list(self, mailing_list: MailingList) -> None:
        """Delete a list and its memberships."""
        self.leave(mailing_list, list(mailing_list.contacts), self.clock.now())
        self.lists.remove(mailing_list.id)
        self.deleted.add(mailing_list.id)

    def join(self, mailing_list: MailingList, contacts: Iterable[str], at: float) -> None:
        """Put contacts on a list; those that do not exist are passed over."""
        for number in contacts:
            contact = self.contacts.get(number)
            if contact is not None and number not in mailing_list.contacts:
                mailing_list.contacts[number] = None
                contact.lists[mailing_list.id] = None
                self._moved(contact, at)

    def leave(self, mailing_list: MailingList, contacts: Iterable[str], at: float) -> None:
        """Take contacts off a list; strangers are passed over."""
        for number in contacts:
            if number in mailing_list.contacts:
                del mailing_list.contacts[number]
                contact = self.contacts.get(number)
                if contact is not None:
                    contact.lists.pop(mailing_list.id, None)
                    self._moved(contact, at)

    def _moved(self, contact: Contact, at: float) -> None:
        if self.switches.postgrid_membership_moves_updated_at:
            self.contacts.touch(contact, at)

    # mailing list imports

    def lists_with(self, imported: Import) -> list[MailingList]:
        """Return the lists that an import is on."""
        return [each for each in self.lists if imported.id in each.imports]

    def delete_import(self, imported: Import) -> None:
        """Delete an import; its people leave the lists with it."""
        for mailing_list in self.lists_with(imported):
            del mailing_list.imports[imported.id]
        self.imports.remove(imported.id)
        self.deleted.add(imported.id)
