"""Destinations where whoever arrived stays as they are: what rows ask for is compared with who is there."""

from __future__ import annotations

from mailing_api.addresses import fold_address
from target_mailing.delivery.ended import Ended
from target_mailing.delivery.facts import Facts
from target_mailing.delivery.outcomes import Outcome
from target_mailing.destination import AppendOnlyDestination, Refusal
from target_mailing.journal.journal import Journal, Known
from target_mailing.row import Row

__all__ = ["AppendOnly"]

_CANNOT_LEAVE = Refusal("cannot_leave", "was delivered for good: all can be replaced, but nobody taken off alone")
_CANNOT_CHANGE = Refusal("cannot_change", "an earlier version was delivered for good: there would be two")
_IN_DOUBT = Refusal("unconfirmed", "may be there from an earlier attempt: sent again there might be two")


class AppendOnly:
    """Judges rows of one destination when all that came before for their contacts and keys has ended."""

    def __init__(self, destination: AppendOnlyDestination, journal: Journal, *, may_replace: bool) -> None:
        """Tell the journal to forget nobody.

        Args:
            destination: where rows go.
            journal: knows who arrived.
            may_replace: a new contact of a key would stand for the old one, and not beside it.
        """
        journal.keep_contacts()
        self._journal = journal
        self._name = destination.name
        self._actions = destination.actions
        self._since = destination.holds_since
        self._starts_over = destination.replaces_contents
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
                return Ended(Outcome.WITHHELD, "unsubscribed")
        elif has_other and self._may_replace:
            return Ended.refused(_CANNOT_CHANGE)
        elif not is_there:
            is_doubtful = known is not None and known.confirmed_at is None
            return Ended.refused(_IN_DOUBT) if is_doubtful and not self._starts_over else None
        facts.settle(row)
        return Ended(Outcome.UNCHANGED)

    def _is_there(self, known: Known | None) -> bool:
        return known is not None and known.confirmed_at is not None and known.confirmed_at >= self._since
