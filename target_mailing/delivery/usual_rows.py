"""Rows of a chunk that meet nobody and change no other address: they are decided together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final

from mailing_api.addresses import fold_address, odd_addresses
from target_mailing.delivery.decisions import Decisions
from target_mailing.delivery.facts import Facts
from target_mailing.delivery.removals import Removals
from target_mailing.delivery.tickets import Tickets
from target_mailing.interface.destination import AppendOnlyDestination, Destination, ListsByRow
from target_mailing.journal.journal import Journal
from target_mailing.rows.row import Resource, Row

__all__ = ["UsualRows"]

_ACTION: Final = attrgetter("action")
_EMAIL: Final = attrgetter("held.email")  # contacts of rows that come are in memory


class UsualRows:
    """Tells the usual rows of a chunk from the others.

    A usual row adds, and for it the general rule can only give one answer: it is kept in order by its key and contact
    alone (`Resources.find`), it waits for nothing and no row of its chunk waits for it or goes before it (`Tickets`),
    and it changes nothing but its own contact, unless that is unchanged (`Decisions.decide`).
    """

    def __init__(
        self, destination: Destination, journal: Journal, tickets: Tickets, decisions: Decisions, removals: Removals
    ) -> None:
        """Judge the rows of one destination.

        None is usual where contacts are never changed, or where rows name their lists: each may opt out of one of them.
        """
        actions = destination.actions
        less = {actions.remove, actions.ask, actions.unsubscribe, actions.decline}
        has_none = isinstance(destination, AppendOnlyDestination | ListsByRow)
        self._actions = frozenset() if has_none else actions.known - less
        self._name = destination.name
        self._journal = journal
        self._tickets = tickets
        self._decisions = decisions
        self._removals = removals

    def divide(self, rows: Sequence[Row], facts: Facts) -> tuple[Sequence[Row], Sequence[Row]]:
        """The usual rows of a chunk, and the others; both in order."""
        met, usual = {*self._met(rows, facts)}, self._actions
        if not met and usual.issuperset(map(_ACTION, rows)):
            return rows, []
        others = [row for row in rows if row.id in met or row.key in met or row.action not in usual]
        unusual = {*map(id, others)}
        return [row for row in rows if id(row) not in unusual], others

    def _met(self, rows: Sequence[Row], facts: Facts) -> Iterator[Resource | None]:
        """Keys and contacts that are under way, come in several rows, or need a decision by what is known of them."""
        for resources in (facts.ids, facts.keys):
            yield from _repeated(resources)
            yield from self._tickets.held(resources)
            yield from self._removals.behind(resources)
        yield from facts.opted_out
        yield from facts.shared_keys
        yield from (one for one, known in facts.contacts.items() if known is not None and known.confirmed_at is None)
        emails = [*map(_EMAIL, rows)]
        if any(facts.emails.values()):
            for row, email in zip(rows, emails, strict=True):
                before = facts.emails.get(row.key)
                if before and before != email:
                    yield from (row.key, self._journal.contact_id(self._name, fold_address(before)))
        if self._journal.has_possible_addresses:
            for key in facts.keys:
                for email in facts.possible_addresses(key):
                    yield from (key, self._journal.contact_id(self._name, fold_address(email)))
        if odd := odd_addresses(emails):
            yield from (row.id for row in rows if row.email in odd and self._decisions.may_have_other_spelling(row))


def _repeated(resources: Sequence[Resource]) -> Iterable[Resource]:
    """Those that are there more than once."""
    if len({*resources}) == len(resources):
        return ()
    return (resource for resource, count in Counter(resources).items() if count > 1)
