"""What the provider must hold after rows were delivered: a small model of the rules, which knows no code of the target.

It takes rows one after the other, as if each were delivered at once. What batches, jobs, faults and reruns make of
them must come to the same.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from tests.faults.people import PROPERTIES, REFUSED, Record

Fate = Literal["sent", "withheld", "rejected", "unchanged"]


@dataclass
class Member:
    """Somebody on the list."""

    status: Literal["subscribed", "unsubscribed"]
    name: str = ""
    properties: dict[str, str] = field(default_factory=dict)

    def copy(self) -> Member:
        return Member(self.status, self.name, dict(self.properties))


@dataclass
class Model:
    """One list, what of its contacts outlives a membership, and the addresses that keys have.

    Attributes:
        members: by address, folded.
        contacts: the same and those who left, in the state in which they left.
        keys: address by key of the stream.
        touched: addresses that rows had an effect on.
    """

    members: dict[str, Member] = field(default_factory=dict)
    contacts: dict[str, Member] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)

    @staticmethod
    def address(row: Mapping[str, Any]) -> str:
        """What tells the contact of a row apart."""
        return str(row.get("email")).lower()

    def copy(self) -> Self:
        """One that shares nothing with this; a contact who is a member is one thing in the copy, too."""
        people = {id(one): one.copy() for one in (*self.members.values(), *self.contacts.values())}
        found = copy.copy(self)
        found.members = {address: people[id(one)] for address, one in self.members.items()}
        found.contacts = {address: people[id(one)] for address, one in self.contacts.items()}
        found.keys, found.deleted, found.touched = dict(self.keys), set(self.deleted), set(self.touched)
        return found

    def holding(self, held: Mapping[str, tuple[str, str, dict[str, str]]]) -> Self:
        """The same keys, at a provider that holds these, and has forgotten all else."""
        found = type(self)(keys=dict(self.keys), deleted=set(self.deleted))
        for address, (status, name, properties) in held.items():
            found.put(address, subscribed=status == "subscribed")
            found.members[address].name, found.members[address].properties = name, properties
        return found

    def after(self, rows: Iterable[Record]) -> Self:
        """The model after these rows, touched by them alone."""
        found = self.copy()
        found.touched = set()
        for row in rows:
            found.take(row)
        return found

    def put(self, email: str, *, subscribed: bool = True) -> None:
        """Somebody is put on the list, or opts out, at the provider."""
        self._join(email.lower()).status = "subscribed" if subscribed else "unsubscribed"

    def take(self, row: Mapping[str, Any]) -> Fate:
        """Deliver a row."""
        key, email = int(row["id"]), (row.get("email") or "").lower()
        if row.get("_sdc_deleted_at"):
            return self._delete(key, email)
        if "@" not in email or isinstance(row.get("properties"), str) or email in REFUSED:
            return "rejected"
        if row.get("subscription_status") == "excluded":
            return "withheld"
        before = self.keys.get(key, email)
        self.keys[key] = email
        fate: Fate = "sent"
        leaves = row.get("subscription_status") == "unsubscribed"
        if before != email and before not in self.keys.values() and self._remove(before) == "withheld":
            fate, leaves = "withheld", True
            self.keys[key] = before  # so that it is asked about again
        if row.get("action") == "remove":
            return self._remove(email)
        self.touched.add(email)
        member = self._join(email)
        if leaves:
            member.status = "unsubscribed"
        member.name = row.get("name", member.name)
        member.properties |= {name: str(row[name]) for name in PROPERTIES}
        return fate

    def _join(self, email: str) -> Member:
        contact = self.contacts.setdefault(email, Member("subscribed"))
        if email not in self.members:
            contact.status = "subscribed"
            self.members[email] = contact
        return contact

    def _remove(self, email: str) -> Fate:
        self.touched.add(email)
        if email in self.members and self.members[email].status == "unsubscribed":
            return "withheld"  # the opt-out would be forgotten
        self.members.pop(email, None)
        return "sent"

    def _delete(self, key: int, email: str) -> Fate:
        known = email or self.keys.get(key)
        if known is None:
            return "unchanged" if key in self.deleted else "rejected"
        if any(one == known and other != key for other, one in self.keys.items()):
            return "unchanged"
        fate = self._remove(known)
        if fate == "sent":
            self.keys.pop(key, None)
            self.deleted.add(key)
        return fate


class SuppressionModel(Model):
    """The suppression list, which nothing is withheld from, once addresses may be taken off it; names are reasons."""

    @staticmethod
    def reason(row: Mapping[str, Any]) -> str | None:
        """Why a row says that somebody is suppressed."""
        if "visits" not in row:
            return None
        return ("COMPLAINT", "BOUNCE")[(row["visits"] + ("subscription_status" in row)) % 2]

    @staticmethod
    def bounced() -> Member:
        """Somebody who is suppressed by Amazon SES itself."""
        return Member("unsubscribed", "BOUNCE")

    def put(self, email: str, *, subscribed: bool = False) -> None:
        self.members.setdefault(email.lower(), self.bounced())

    def take(self, row: Mapping[str, Any]) -> Fate:
        fate = super().take(row)
        for member in self.members.values():
            member.status = "unsubscribed"
        reason, email = self.reason(row), (row.get("email") or "").lower()
        if fate == "sent" and reason and email in self.members:
            self.members[email] = Member("unsubscribed", reason)
        return fate

    def _remove(self, email: str) -> Fate:
        self.touched.add(email)
        self.members.pop(email, None)
        return "sent"


class PostalModel(Model):
    """A list of letters, each to a name at an address: what changes is another letter, and nobody ever opts out there.

    Members are known by what makes them a letter of their own.
    """

    @staticmethod
    def letter(name: str, street: str, city: str = "") -> str:
        """A letter, by all that tells it apart."""
        return f"{name}|{street}|{city}".lower()

    @classmethod
    def address(cls, row: Mapping[str, Any]) -> str:
        return cls.letter(str(row.get("name")), str(row.get("email")), str(row.get("city")))

    def put(self, email: str, *, subscribed: bool = True) -> None:
        if subscribed:
            self.members[email if "|" in email else self.letter("somebody else's", email)] = Member("subscribed")

    def take(self, row: Mapping[str, Any]) -> Fate:
        key, email = int(row["id"]), row.get("email") or ""
        if row.get("_sdc_deleted_at") or row.get("action") == "remove":
            return self._leave(key)
        if "@" not in email or isinstance(row.get("properties"), str) or email in REFUSED:
            return "rejected"
        if row.get("subscription_status") == "excluded":
            return "withheld"
        letter, before = self.address(row), self.keys.get(key)
        self.keys[key] = letter
        if row.get("subscription_status") == "unsubscribed":
            self._drop(letter)
        else:
            self.touched.add(letter)
            self.members[letter] = Member("subscribed")
        if before is not None and before != letter:
            self._leave_behind(before)
        return "sent"

    def _leave(self, key: int) -> Fate:
        before = self.keys.pop(key, None)
        if before is not None:
            self._leave_behind(before)
        return "sent"

    def _leave_behind(self, letter: str) -> None:
        if letter not in self.keys.values():
            self._drop(letter)

    def _drop(self, letter: str) -> None:
        self.touched.add(letter)
        self.members.pop(letter, None)
