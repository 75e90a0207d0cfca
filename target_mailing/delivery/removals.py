"""The removals of one destination, which wait until it is known how many they are, and the rows behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import msgspec

from target_mailing.contacts.consent import is_obeyed
from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.address_rows import AddressRows
from target_mailing.delivery.decisions import Decisions
from target_mailing.delivery.facts import Facts
from target_mailing.delivery.held_rows import HeldRows
from target_mailing.interface.destination import Declining, Destination, ListsByRow
from target_mailing.journal.journal import Journal
from target_mailing.journal.removals import UNLIMITED, Counts
from target_mailing.rows.row import Resource, Row

__all__ = ["Removals"]

#: Rows with removals that are kept to be named.
_SAMPLE: Final = 5


class Removals:
    """Rows that take contacts off, and every row after them that has a key or contact in common with one that waits.

    A row is judged when it is first everywhere (`Tickets`), and gives up its tickets when it waits here. Rows behind it
    come here when it is their turn. They all are given back in the order of the input.

    An opt-out is never held back: a row that says one waits only behind others, and is delivered even where removals
    may not be made. Of a row that names lists, its opt-outs from some of them are sent alone then; of a row that
    declines topics, these.

    Attributes:
        is_open: nothing waits any longer: removals may be made, or those that waited may not.
        is_limited: there is a limit.
        allowance: the allowance if that is why, as the journal notes it; else 0.
        most_shown: how many rows there are in `sample` at most.
        sample: the first rows that take somebody off, each by its stream, line and record.
        absent: by stream, contacts to be taken off that its input no longer names.
        unsubscribed: how many of them are to be unsubscribed instead, and stay on the list.
        strangers: by stream, those of them whom no stream put there.
        lines: rows of the input that wait, or did.
    """

    def __init__(self, destination: Destination, journal: Journal, decisions: Decisions) -> None:
        """Begin with none, and without a guard."""
        self.is_open, self.is_limited = True, False
        self.allowance = 0
        self.most_shown = _SAMPLE
        self.sample: list[tuple[str, int, bytes]] = []
        self.absent: Counter[str] = Counter()
        self.unsubscribed = 0
        self.strangers: Counter[str] = Counter()
        self.lines = 0
        self._actions = destination.actions
        self._by_list = destination if isinstance(destination, ListsByRow) else None
        self._declining = destination if isinstance(destination, Declining) and destination.actions.decline else None
        self._addresses = AddressRows(destination, journal)
        self._fingerprint = journal.fingerprint
        self._facts_of = partial(Facts, journal, destination)
        self._destination = journal.hashes.destination_id(destination.name)
        self._held = journal.held
        self._expected = journal.removals
        self._decisions = decisions
        self._rows = HeldRows(journal.spool)
        #: The rows that wait may not be delivered.
        self._is_refused = False

    def __len__(self) -> int:
        """How many rows wait."""
        return len(self._rows)

    @property
    def is_waiting(self) -> bool:
        """Whether rows wait until removals may be made."""
        return not self.is_open and len(self._rows) > 0

    def behind(self, resources: Iterable[Resource]) -> list[Resource]:
        """Which of these keys and contacts are those of rows that wait."""
        return [] if self.is_open else self._held.look_up(resources)

    def is_behind(self, row: Row) -> bool:
        """Whether a row has a key or contact in common with one that waits."""
        return not self.is_open and bool(self._held) and any(self._held.get(one) is not None for one in row.resources)

    def removes_by_list(self, row: Row) -> bool:
        """Whether a row takes its contact off one of the lists that it names, whatever its own action is."""
        if self._by_list is None or self.is_open or not row.email:
            return False
        return self._actions.remove in self._by_list.actions_on_lists(row.contact.content).values()

    def hold(self, row: Row, facts: Facts) -> bool:
        """Let a row wait that takes a contact off, or is behind one that waits; whether it does.

        Args:
            row: is first everywhere, and nothing was done for it.
            facts: what the journal knows.

        Raises:
            SpoolError: it cannot be written to disk.
        """
        if self.is_open:
            return False
        is_behind, opts_out = self.is_behind(row), self._opts_out(row)
        if opts_out and not is_behind:
            return False
        if is_behind:
            last = None if row.key is None else self._held.get(row.key)
            leaving = {} if opts_out else self._decisions.may_leave(row, last, facts)
        else:
            leaving = self._decisions.leaving(row, facts)
        if self.removes_by_list(row) and (is_behind or not self._was_done(row, facts)):
            leaving = {row.id: False, **leaving}
        if not leaving and not is_behind:
            return False
        self._add(row, leaving)
        return True

    def allowance_of(self, action: str, rows: Sequence[Row]) -> int | None:
        """What allows the rows of a batch to take contacts off, as the journal notes it; None if they do not."""
        takes_off = action == self._actions.remove or any(row.is_absent for row in rows)
        if not self.is_limited:
            return UNLIMITED if takes_off else None
        if self._is_refused or not (takes_off or self._by_list is not None):
            return None
        return self.allowance

    def counts(self) -> Counts:
        """How many contacts are to be taken off, and were lately within the limit."""
        return self._expected.counts(self._destination)

    def limit(self) -> None:
        """Rows that take somebody off wait from now on."""
        self.is_open, self.is_limited = False, True

    def open(self, allowance: int) -> None:
        """Removals may be made: by the limit, or by an allowance."""
        self.is_open, self.allowance = True, allowance

    def refuse(self) -> None:
        """Removals may not be made: rows that wait are not delivered, but for opt-outs."""
        self.is_open = self._is_refused = True

    def release(self, offer: Callable[[list[Row]], None], is_crowded: Callable[[], bool]) -> None:
        """Give rows that waited back, in their order, until others wait for too much."""
        while self.is_open and self._rows and not is_crowded():
            rows = self._rows.take()
            offer(self._allowed(rows) if self._is_refused else rows)

    def _add(self, row: Row, leaving: dict[int, bool]) -> None:
        for contact, is_move in leaving.items():
            self._expected.expect(contact, self._destination, is_move=is_move)
        self.lines += not row.is_absent
        if leaving and not row.is_absent and len(self.sample) < self.most_shown:
            self.sample.append((row.stream, row.line, next(row.records(), (b"{}", 0))[0]))
        for resource in row.resources:
            if resource != row.key:
                self._held.put(resource)
        if row.key is not None and row.key in row.resources:
            self._held.put(row.key, 0 if row.drops_key or row.action == self._actions.remove else row.id)
        self._rows.add(row)

    @staticmethod
    def _was_done(row: Row, facts: Facts) -> bool:
        """Whether a row is the latest that is known of its contact: whom it takes off has left by it."""
        known = facts.known(row.id)
        return known is not None and known.fingerprint == row.fingerprint and known.confirmed_at is not None

    def _opts_out(self, row: Row) -> bool:
        """Whether a row says that its contact opted out of all that is there, which nothing holds back."""
        actions = self._actions
        if row.is_absent:
            return False
        if self._by_list is not None and row.email:
            return {*self._by_list.actions_on_lists(row.contact.content).values()} == {actions.unsubscribe}
        is_less = is_obeyed(actions, row.action) and row.action != actions.remove
        return is_less or (bool(actions.decline) and row.action == actions.decline)

    def _allowed(self, rows: Sequence[Row]) -> list[Row]:
        """What of rows that waited is delivered where removals may not be made."""
        facts, allowed = self._facts_of(rows), list[Row]()
        for row in rows:
            if self._opts_out(row):
                allowed.append(row)
            elif not row.is_absent and row.email:
                allowed += self._opt_outs_from_lists(row) if self._by_list is not None else self._declines(row, facts)
        return allowed

    def _opt_outs_from_lists(self, row: Row) -> list[Row]:
        """What a row becomes where only its opt-outs from lists are delivered."""
        contact = row.contact
        if self._by_list is None or not (content := self._by_list.only_opt_outs(contact.content)):
            return []
        # It settles no line and tells nothing of its key, for the row comes again.
        row.line, row.raw, row.key, row.drops_key = 0, b"", None, False
        row.held = EncodedContact(contact.email, contact.address, content)
        row.fingerprint = self._fingerprint(row.action, content)
        return [row]

    def _declines(self, row: Row, facts: Facts) -> list[Row]:
        """Rows that only decline the topics which a row declines, for its contact and those from which its key moves.

        They, too, settle no line and tell nothing of the key.
        """
        actions, made = self._actions, list[Row]()
        if self._declining is None or row.action in {actions.remove, actions.ask}:
            return made
        if not (names := self._declining.declined(row.contact.content)):
            return made
        emails = [row.email]
        if row.key is not None and (leaving := self._decisions.leaving(row, facts)):
            others = [facts.email(row.key), *facts.possible_addresses(row.key)]
            formers = [self._addresses.former(row, email, actions.remove) for email in others if email]
            emails += [former.email for former in formers if former.id in leaving]
        for email in dict.fromkeys(emails):
            declining = self._addresses.former(row, email, actions.decline)
            declining.line, declining.raw, declining.drops_key = 0, b"", False
            declining.extend().was_held = True
            content = self._declining.declining(declining.contact.content, names)
            declining.held = msgspec.structs.replace(declining.contact, content=content)
            declining.fingerprint = self._fingerprint(actions.decline, content)
            made.append(declining)
        return made
