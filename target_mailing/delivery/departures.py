"""Contacts that several keys move away from: each is asked about once, and the keys move together."""

from __future__ import annotations

from collections.abc import Sequence

from mailing_api.addresses import other_spelling
from target_mailing.delivery.decisions import Decisions
from target_mailing.delivery.facts import Facts
from target_mailing.delivery.tickets import Tickets
from target_mailing.interface.destination import Destination, Refusal
from target_mailing.journal.journal import Journal
from target_mailing.rows.row import Plan, Resource, Row

__all__ = ["Departures"]


class Departures:
    """Contacts of one destination that stay as they are while keys move away from them, and what was found out.

    A contact is here from the answer about it until every row that holds it has ended.
    """

    def __init__(self, destination: Destination, journal: Journal, tickets: Tickets, decisions: Decisions) -> None:
        """Begin with none."""
        self._ask = destination.actions.ask
        self._has_spellings = not destination.fields.ascii_only
        self._journal = journal
        self._tickets = tickets
        self._decisions = decisions
        #: Contacts that opted out.
        self._out: set[Resource] = set()
        #: Contacts that did not, with the keys that have each and are not moving.
        self._staying: dict[Resource, set[bytes]] = {}

    def answered(self, old: Row, plan: Plan, refusal: Refusal | None, *, is_out: bool) -> None:
        """A former contact of a plan was removed or asked about, unless that was refused; whether it opted out."""
        is_out = is_out or old.id in self._journal.followed
        if is_out:
            plan.opted_out.append(old)
        if refusal is None:
            self._asked(old, is_out=is_out)
        elif refusal.is_unasked:
            plan.refusal = refusal

    def _asked(self, old: Row, *, is_out: bool) -> None:
        """Remember a contact if it stays, and other rows wait for it."""
        if old.former_of is None or self._tickets.only_behind(old.id) is None:
            return
        if is_out:
            self._out.add(old.id)
        elif old.action == self._ask and not (self._has_spellings and other_spelling(old.email)):
            # else another key may have the contact by the other spelling, which may have opted out
            self._staying[old.id] = {key for key in self._journal.keys_of(old.id) if key != old.former_of}

    def judge(self, plan: Plan, formers: list[Row]) -> list[Row]:
        """The former contacts of a plan of which nothing is known yet; the plan notes which of the others opted out."""
        plan.opted_out.extend(old for old in formers if old.id in self._out)
        return [old for old in formers if old.id not in self._out and old.id not in self._staying]

    def joining(self, row: Row, facts: Facts) -> list[Row]:
        """Rows whose keys move away from the same contact as a row's key, and need not ask about it again."""
        joining: list[Row] = []
        if not self._out and not self._staying:
            return joining
        for contact in row.resources:
            if contact not in self._out and contact not in self._staying:
                continue
            others = self._staying.get(contact)
            while (later := self._tickets.only_behind(contact)) is not None:
                if not self._decisions.leaves(later, contact, others, facts):
                    break
                if others is not None and later.key is not None:
                    others.discard(later.key)
                self._tickets.join(later, contact)
                joining.append(later)
        return joining

    def ended(self, rows: Sequence[Row]) -> None:
        """Rows have ended: forget the contacts that no other row holds beside them."""
        if self._out or self._staying:
            for resource in (resource for row in rows for resource in row.resources):
                if not self._tickets.is_joined(resource):
                    self._out.discard(resource)
                    self._staying.pop(resource, None)
