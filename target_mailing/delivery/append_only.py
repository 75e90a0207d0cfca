"""Destinations whose contacts can neither change nor leave: rows are compared with the contacts that arrived."""

from __future__ import annotations

from mailing_api.addresses import fold_address
from target_mailing.delivery.ended import Ended
from target_mailing.delivery.facts import Facts
from target_mailing.interface.destination import AppendOnlyDestination, Refusal
from target_mailing.journal.journal import Journal, Known
from target_mailing.rows.outcome import Outcome
from target_mailing.rows.row import Row

__all__ = ["AppendOnly"]

_CANNOT_LEAVE = Refusal(
    "cannot_leave", "was delivered; this list removes no single contact, it can only be replaced as a whole"
)
_CANNOT_CHANGE = Refusal(
    "cannot_change", "an earlier version was delivered; this list changes no contact, so there would be two"
)
_IN_DOUBT = Refusal("unconfirmed", "may have been delivered by an earlier attempt; sent again, it might be there twice")


class AppendOnly:
    """Judges rows of one destination when all rows before them for their contacts and keys have ended."""

    def __init__(self, destination: AppendOnlyDestination, journal: Journal, *, may_replace: bool) -> None:
        """Have the journal keep every contact.

        Args:
            destination: of the rows.
            journal: knows which contacts arrived.
            may_replace: a key's new contact would replace its old one; otherwise both stay.
        """
        journal.retention.keep_contacts()
        self._journal = journal
        self._name = destination.name
        self._actions = destination.actions
        self._since = destination.holds_since
        self._replaces_contents = destination.replaces_contents
        self._may_replace = may_replace

    def end(self, row: Row, facts: Facts) -> Ended | None:
        """How a row ends without being sent, if it does."""
        if row.action == self._actions.ask:
            return None
        known = facts.known(row.id)
        email = None if row.key is None else facts.email(row.key)
        former = None if not email else self._journal.contact_id(self._name, fold_address(email))
        is_there = self._is_there(known)
        has_other = former is not None and former != row.id and self._is_there(facts.known(former))
        if row.action in {self._actions.remove, self._actions.unsubscribe}:
            if is_there or has_other:
                return Ended.refused(_CANNOT_LEAVE)
            if row.action != self._actions.remove:
                self._opt_out(row, former)
                return Ended(Outcome.WITHHELD, "unsubscribed")
        elif has_other and self._may_replace:
            return Ended.refused(_CANNOT_CHANGE)
        elif not is_there:
            is_doubtful = known is not None and known.confirmed_at is None
            return Ended.refused(_IN_DOUBT) if is_doubtful and not self._replaces_contents else None
        facts.settle(row)
        return Ended(Outcome.UNCHANGED)

    def _opt_out(self, row: Row, former: int | None) -> None:
        """Its contact may be of the contents that this run replaces; so may that of its key, if that has only one."""
        contacts = [row.id, *([former] if former is not None and self._may_replace else [])]
        for contact in contacts if self._replaces_contents else ():
            self._journal.removals.contents.opted_out.add(contact)

    def _is_there(self, known: Known | None) -> bool:
        return known is not None and known.confirmed_at is not None and known.confirmed_at >= self._since
