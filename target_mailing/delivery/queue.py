"""One destination's rows between the input and its batches: in order, each decided when it is its turn."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from mailing_api.addresses import fold_address
from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.batcher import Batcher
from target_mailing.delivery.decisions import Decisions
from target_mailing.delivery.ended import Ended
from target_mailing.delivery.facts import Facts
from target_mailing.delivery.opt_outs import OptOuts
from target_mailing.delivery.outcomes import Outcomes, worst
from target_mailing.delivery.provider_ids import ProviderIds
from target_mailing.delivery.row_size import Answered
from target_mailing.delivery.sent_rows import SentRows
from target_mailing.delivery.shared_keys import SharedKeys
from target_mailing.delivery.tickets import Tickets
from target_mailing.destination import AppendOnlyDestination, Destination, Refusal
from target_mailing.journal.journal import Journal
from target_mailing.outcome import Outcome
from target_mailing.row import Plan, Resource, Row
from target_mailing.settings import StreamSettings

__all__ = ["DestinationQueue", "pending_removals"]

#: Tickets for which each waiting row may wait, on average. A key that changes its address again and again would have as
#: many for each row as it has rows.
_TICKETS_OF_A_ROW: Final = 8

#: An action, a route, and the rows to be sent by them.
_ReadyBatch = tuple[str, str, list[Row]]


def pending_removals(rows: Iterable[Row]) -> list[tuple[bytes, str, int]]:
    """Keys of these rows, each with a former address that is still to be removed, and its contact."""
    return [
        (old.former_of, old.email, old.id)
        for row in rows
        if row.plan is not None
        for old in row.plan.later
        if old.former_of is not None
    ]


class DestinationQueue:
    """Rows on their way to one destination."""

    def __init__(
        self,
        destination: Destination,
        settings: StreamSettings,
        *,
        journal: Journal,
        outcomes: Outcomes,
        batches_at_once: int | None,
    ) -> None:
        """Make an empty queue.

        Args:
            destination: of the rows.
            settings: of the first stream that goes there.
            journal: the local memory.
            outcomes: counts how rows end.
            batches_at_once: batches under way at the same time; None for any number.
        """
        self.destination = destination
        self.settings = settings
        self.batches_at_once = batches_at_once
        self.answered = Answered()
        self._resumed_batches = 0
        self._held: list[Row] = []
        #: Rows that were decided, and whose contacts are still in memory.
        self._decided: list[Row] = []
        self._journal = journal
        self._outcomes = outcomes
        self._tickets = Tickets()
        self._ready: deque[_ReadyBatch] = deque()
        #: Contacts that keys are moving away from, which were asked about and have not opted out. By contact, the keys
        #: that have it and are not moving.
        self._left: dict[Resource, set[bytes | None]] = {}
        self._old_first = destination.actions.old_first
        self.opt_outs = OptOuts(destination, journal)
        self._decisions = Decisions(destination, settings, journal, self.opt_outs)
        self._is_append_only = isinstance(destination, AppendOnlyDestination)
        self.shared_keys = SharedKeys(journal)
        self.provider_ids = ProviderIds(destination, journal, self._tickets)
        self.batcher = Batcher(
            max_rows=settings.batch_rows, max_bytes=settings.batch_bytes, max_age=settings.batch_max_age
        )

    def is_empty(self) -> bool:
        """Whether no row is here or under way."""
        return not self._held and not self._tickets.holders

    def is_crowded(self) -> bool:
        """Whether no more rows should be read for now."""
        return bool(self._ready) or self.batcher.has_due() or self._is_full()

    def _is_full(self) -> bool:
        most, tickets = self.settings.batch_rows, self._tickets
        return tickets.waiting >= most or tickets.behind >= _TICKETS_OF_A_ROW * most or len(self._held) >= most

    def keep_on_disk(self) -> None:
        """Move contacts and lines of rows that were decided from memory to disk.

        Raises:
            SpoolError: they cannot be written.
        """
        decided, self._decided = self._decided, []
        rows = [row for row in decided if isinstance(row.held, EncodedContact)]
        for row, (kept, position) in zip(rows, self._journal.spool.keep([row.payload() for row in rows]), strict=True):
            row.keep(kept, position)

    def close_batches(self, now: float, *, ending: bool) -> None:
        """Make batches due that are old enough (`now` in monotonic seconds), or all; or those that others wait for."""
        if ending:
            self.batcher.close_where(lambda _: True)
        self.batcher.close_old(now)
        if self._is_full():
            self.batcher.close_where(lambda batch: any(map(self._is_waited_for, batch.rows)))

    def _is_waited_for(self, row: Row) -> bool:
        """Whether rows wait behind the row whose plan this one belongs to, for whatever that row keeps in order."""
        return self._tickets.is_waited_for(row if row.plan is None else row.plan.row)

    def due_at(self) -> float | None:
        """When the oldest open batch is old enough to be sent (monotonic seconds)."""
        oldest = self.batcher.oldest()
        return None if oldest is None else oldest + self.settings.batch_max_age

    def hold(self) -> None:
        """A batch of an earlier run is under way: rows wait until it has ended."""
        self._resumed_batches += 1

    def release(self) -> None:
        """A batch of an earlier run has ended; after the last one, rows are taken in."""
        self._resumed_batches -= 1
        if not self._resumed_batches:
            held, self._held = self._held, []
            self.offer(held)

    def offer(self, rows: list[Row]) -> None:
        """Take in rows, in order: each gets its outcome or joins a batch."""
        if self._resumed_batches:
            self._held.extend(rows)
            return
        self.opt_outs.recall(rows)
        facts = Facts(self._journal, rows)
        keys = [row.key for row in rows if row.key is not None]
        shared = self._journal.shared_keys.among(keys)
        ready: deque[Row] = deque()
        for row in rows:
            if row.key is not None:
                self._prepare(row, row.key, facts, shared)
            if self._tickets.take(row):
                ready.append(row)
            elif (holder := self._tickets.holders.get(row.id)) is not None:
                self._supersede(holder, facts)
        self._go(ready, facts, time.monotonic())

    def _prepare(self, row: Row, key: bytes, facts: Facts, shared: set[bytes]) -> None:
        """Find out whether the key of a row stands for several addresses, and by what the row is kept in order."""
        last = self._tickets.last(key)
        before = facts.email(key) if last is None else last.email
        if not self._is_append_only:
            current = None if last is not None and last.drops_key else before
            if self.shared_keys.holds(row, current, shared):
                extras = row.extend()
                extras.is_of_shared_key = True
                extras.tickets = {row.id: None} if last is None else {row.id: None, key: None}
                return
        others = {*self._journal.possible_addresses(key)}
        if row.email and last is None and not others and (not before or fold_address(before) == row.address):
            return
        tickets: dict[Resource, None] = {row.id: None} if row.email else {}
        tickets[key] = None
        if not row.email:
            others.add(self._decisions.unknown_address(key))
        others.add(before or "")
        for email in others:
            if email:
                tickets[self._contact_id(email)] = None
        if last is not None:
            tickets.update((contact, None) for contact in last.resources if isinstance(contact, int))
            if known := facts.email(key):
                tickets[self._contact_id(known)] = None
        row.extend().tickets = tickets

    def _contact_id(self, email: str) -> int:
        return self._journal.contact_id(self.destination.name, fold_address(email))

    def _go(self, ready: deque[Row], facts: Facts, now: float) -> None:
        """Decide rows that are first everywhere, and the rows that become first by that."""
        while ready:
            row = ready.popleft()
            decision = self._decisions.decide(row, facts)
            if isinstance(decision, Ended):
                facts.end(row, decision.outcome, decision.code, decision.reason)
                ready.extend(self._release(row))
            elif formers := [old for old in decision if old.id not in self._left]:
                ready.extend(self._plan(row, formers, facts, now))
            else:
                self._put(row, facts, now)
        facts.note(self._outcomes)

    def _plan(self, row: Row, formers: list[Row], facts: Facts, now: float) -> list[Row]:
        """Begin a plan for a row and the other addresses of its key; returns the same as `_continue`."""
        plan = Plan(row, [row] if self._old_first else formers)
        extras = row.extend()
        extras.tickets, extras.plan = dict.fromkeys(row.resources), plan
        for old in formers:
            old.extend().plan = plan
            old.raw = old.raw if self._old_first else b""  # later ones get it again
        if self._old_first:
            self._decided.append(row)
        begun = formers if self._old_first else [row]
        plan.under_way = len(begun)
        if not self._old_first and self._decisions.is_confirmed(row, facts.known(row.id)):
            plan.ends.append((Outcome.UNCHANGED, None))
            facts.keep(pending_removals([row]))
            plan.under_way = 0
            return self._continue(plan, facts, now)
        for first in begun:
            self._put(first, facts, now)
        return []

    def _put(self, row: Row, facts: Facts, now: float) -> None:
        self.batcher.put(row, now)
        self._decided.append(row)
        self._supersede(row, facts)

    def _supersede(self, row: Row, facts: Facts) -> None:
        """Have rows that wait only for this row's contact supersede it, as long as its batch is open."""
        while row.is_open:
            later = self._tickets.only_waiting_for(row)
            if later is None or not self._decisions.may_supersede(later, row, facts):
                return
            self._tickets.hand_over(later, row)
            if not isinstance(row.held, EncodedContact):
                self._decided.append(row)
            before = row.contact.content
            content = self.destination.overlay(before, later.contact.content)
            is_same = content == later.contact.content and later.action == row.action
            fingerprint = later.fingerprint if is_same else self._journal.fingerprint(row.action, content)
            row.supersede_by(later, content, fingerprint)
            self.batcher.has_grown(row, len(content) - len(before))

    def next_batch(self, *, ending: bool) -> _ReadyBatch | None:
        """The next batch to send; a full batch may be sent as several. When ending, batches go whatever their size."""
        while not self._ready:
            if ending:
                self.batcher.close_where(lambda _: True)
            due = self.batcher.next_due()
            if due is None:
                return None
            rows = self._still_to_send(due.rows)
            parts = self.destination.parts(due.action, SentRows(rows)) if rows else ()
            self._ready.extend((due.action, route, [rows[at] for at in part]) for route, part in parts)
        return self._ready.popleft() if self._ready else None

    def put_back(self, rows: Iterable[Row]) -> None:
        """Rows of a batch that are to go with a later one."""
        for row in rows:
            self.batcher.put(row, time.monotonic())

    def _still_to_send(self, rows: list[Row]) -> list[Row]:
        """A closed batch without the rows whose latest content the provider has."""
        changed = [row for row in rows if len(row.lines) > 1 and (row.plan is None or not row.plan.later)]
        if not changed or self._is_append_only:
            return rows
        known = self._journal.contacts([row.id for row in changed])
        unchanged = {id(row): row for row in changed if self._decisions.is_confirmed(row, known.get(row.id))}
        if not unchanged:
            return rows
        facts = Facts(self._journal, [])
        for row in unchanged.values():
            facts.settle(row)
            if row.plan is None:
                facts.end(row, Outcome.UNCHANGED)
            else:
                row.plan.ends.append((Outcome.UNCHANGED, None))
        facts.note(self._outcomes)
        self.free([*unchanged.values()], (), {}, time.monotonic())
        return [row for row in rows if id(row) not in unchanged]

    def free(self, rows: Sequence[Row], withheld: Iterable[Row], refused: Mapping[int, Refusal], now: float) -> None:
        """Rows of a batch have their outcome, also in the journal: continue their plans and the rows behind them.

        Args:
            rows: all of them.
            withheld: rows that were not sent because their contacts opted out.
            refused: why other rows were rejected, by `id` of the row.
            now: monotonic seconds.
        """
        opted_out = {id(row) for row in withheld}
        ready: list[Row] = []
        continuing: list[Plan] = []
        for row in rows:
            plan = row.plan
            if plan is None:
                ready.extend(self._release(row))
                continue
            if plan.row is not row:
                self._former_ended(row, plan, refused.get(id(row)), is_out=id(row) in opted_out)
            elif id(row) in opted_out or id(row) in refused:
                plan.later = []  # the new contact did not arrive, so the former ones stay
            plan.under_way -= 1
            if not plan.under_way:
                continuing.append(plan)
        if not ready and not continuing:
            return
        facts = Facts(self._journal, ready)
        waiting = deque(ready)
        for plan in continuing:
            waiting.extend(self._continue(plan, facts, now))
        self._go(waiting, facts, now)

    def _former_ended(self, row: Row, plan: Plan, refusal: Refusal | None, *, is_out: bool) -> None:
        """A former contact was removed or asked about."""
        if is_out or row.id in self.opt_outs.followed:
            self.opt_outs.follow(row, plan.row)
        elif refusal is None and self._is_left(row):
            keys: set[bytes | None] = {*self._journal.keys_of(row.id)}
            self._left[row.id] = keys - {row.former_of}
        if refusal is not None and refusal.is_unasked:
            plan.refusal = refusal

    def _is_left(self, row: Row) -> bool:
        """Whether a former contact stays, and other rows wait for it."""
        is_asked = row.former_of is not None and row.action == self.destination.actions.ask
        return is_asked and self._tickets.only_behind(row.id) is not None

    def _continue(self, plan: Plan, facts: Facts, now: float) -> list[Row]:
        """Begin the later rows of a plan; returns the rows that are first everywhere now, if the plan has ended."""
        later, plan.later = plan.later, []
        for row in later:
            if row is not plan.row:  # which may have been superseded since: a reject is of its latest line
                row.line, row.stream = plan.row.line, plan.row.stream
                *_, row.raw = plan.row.raw_lines()
            end = self._end_of(row, plan, facts)
            if end is None:
                plan.under_way += 1
                self._put(row, facts, now)
            else:
                plan.ends.append(end)
        if plan.under_way:
            return self._joining(plan.row, facts) if self._left else []
        facts.end(plan.row, *worst(plan.ends))
        plan.row.extend().plan = None  # rows are not seen by the garbage collector, so a circle of theirs would stay
        return self._release(plan.row)

    def _joining(self, row: Row, facts: Facts) -> list[Row]:
        """Rows whose keys move away from the same contact as a row's key, and need not ask about it again."""
        joining = []
        for contact in row.resources:
            others = self._left.get(contact)
            while others and (later := self._tickets.only_behind(contact)) is not None:
                if not self._decisions.leaves(later, contact, others, facts):
                    break
                others.discard(later.key)
                self._tickets.join(later, contact)
                joining.append(later)
        return joining

    def _release(self, row: Row) -> list[Row]:
        """Release the tickets of a row that has ended; returns the rows that are first everywhere now."""
        ready = self._tickets.release(row)
        if self._left:
            for resource in row.resources:
                if not self._tickets.is_joined(resource):
                    self._left.pop(resource, None)
        return ready

    def _end_of(self, row: Row, plan: Plan, facts: Facts) -> tuple[Outcome, str | None] | None:
        """How a later row of a plan ends without a call, if it does."""
        if row is plan.row and plan.refusal is not None and self.opt_outs.may_subscribe(row):
            # The record is in the rejects file: it is this row's, too.
            return Outcome.REJECTED, plan.refusal.code
        if row is plan.row and self.opt_outs.is_withheld(row):
            return Outcome.WITHHELD, "opted_out_at_provider"
        if row.id in self.opt_outs.followed and self._decisions.is_confirmed(row, facts.known(row.id)):
            facts.settle(row)  # an earlier run sent the opt-out
            return Outcome.UNCHANGED, None
        if self._decisions.is_spared(row, facts):
            facts.settle(row)
            facts.spare(row)
            return Outcome.UNCHANGED, None
        return None
