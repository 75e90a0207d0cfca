"""One destination's rows between the input and its batches: in order, each decided when it is its turn."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from target_mailing.delivery.address_rows import AddressRows
from target_mailing.delivery.adoption import changed
from target_mailing.delivery.decisions import Decisions
from target_mailing.delivery.departures import Departures
from target_mailing.delivery.ended import Ended
from target_mailing.delivery.facts import Facts
from target_mailing.delivery.job_times import JobTimes
from target_mailing.delivery.open_batches import OpenBatches, ReadyBatch
from target_mailing.delivery.opt_outs import OptOuts
from target_mailing.delivery.outcomes import Outcomes, worst
from target_mailing.delivery.provider_ids import ProviderIds
from target_mailing.delivery.removals import Removals
from target_mailing.delivery.resources import Resources
from target_mailing.delivery.row_size import Answered
from target_mailing.delivery.shared_keys import SharedKeys
from target_mailing.delivery.tickets import Tickets
from target_mailing.delivery.usual_rows import UsualRows
from target_mailing.interface.destination import AppendOnlyDestination, Destination, Refusal
from target_mailing.journal.absent import AbsentContact
from target_mailing.journal.journal import Journal
from target_mailing.rows.outcome import Outcome
from target_mailing.rows.row import Plan, Row
from target_mailing.settings.settings import StreamSettings

__all__ = ["DestinationQueue"]

#: Tickets for which each waiting row may wait, on average. A key that changes its address again and again would have as
#: many for each row as it has rows.
_TICKETS_OF_A_ROW: Final = 8
#: Rows that may wait, however large batches are: they are in memory.
_MOST_WAITING: Final = 20_000

#: Rows that are taken in together.
_TOGETHER: Final = 2_000


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
        self._most_waiting = min(settings.batch_rows, _MOST_WAITING)
        self.answered = Answered()
        self.job_times = JobTimes()
        self._resumed_batches = 0
        #: Rows that wait until they are taken in.
        self._held: list[Row] = []
        self._journal = journal
        self._outcomes = outcomes.at(destination.name)
        self._tickets = Tickets()
        self._old_first = destination.actions.old_first
        self.opt_outs = OptOuts(destination, journal)
        self._decisions = Decisions(destination, settings, journal, self.opt_outs)
        self._departures = Departures(destination, journal, self._tickets, self._decisions)
        self._is_append_only = isinstance(destination, AppendOnlyDestination)
        self.shared_keys = SharedKeys(journal)
        self.removals = Removals(destination, journal, self._decisions)
        self._usual_rows = UsualRows(destination, journal, self._tickets, self._decisions, self.removals)
        self._resources = Resources(destination, journal, self._tickets, self.shared_keys)
        self.provider_ids = ProviderIds(destination, journal, self._tickets)
        tickets, decisions, out, held = self._tickets, self._decisions, self.opt_outs, self.removals
        self.batches = OpenBatches(
            destination, settings, journal=journal, tickets=tickets, decisions=decisions, opt_outs=out, removals=held
        )

    def is_empty(self) -> bool:
        """Whether no row is here or under way; rows that wait for removals to be allowed do not matter until then."""
        return not (self.removals.is_open and self.removals) and not self._held and not self._tickets

    def is_crowded(self) -> bool:
        """Whether no more rows should be read for now."""
        is_full = self._is_full() or len(self._held) >= self._most_waiting
        return self.batches.are_due or is_full

    def _is_full(self) -> bool:
        most, tickets = self._most_waiting, self._tickets
        return tickets.waiting >= most or tickets.behind >= _TICKETS_OF_A_ROW * most

    def take_back(self) -> None:
        """Take in rows that waited for removals to be allowed, once they are."""
        self.removals.release(self.offer, self.is_crowded)

    def hold(self) -> None:
        """A batch of an earlier run is under way: rows wait until it has ended."""
        self._resumed_batches += 1

    def release(self) -> None:
        """A batch of an earlier run has ended; after the last one, rows are taken in."""
        self._resumed_batches -= 1
        self._take_in()

    def offer(self, rows: list[Row]) -> None:
        """Take in rows, in order: each gets its outcome or joins a batch."""
        self._held.extend(rows)
        self._take_in()

    def take_off(self, stream: str, contacts: Sequence[AbsentContact], action: str) -> int:
        """Take in what takes off contacts that a whole input of a stream did not name; returns for how many."""
        make = AddressRows(self.destination, self._journal).absent
        rows = [made for contact in contacts if (made := make(stream, contact, action))]
        self.removals.absent[stream] += len(rows)
        if action == self.destination.actions.unsubscribe:
            self.removals.unsubscribed += len(rows)
        self.removals.strangers[stream] += sum(row.key is None for some in rows for row in some)
        self.offer([row for some in rows for row in some])
        return len(rows)

    def stay(self, opted_out: int) -> None:
        """So many contacts that a whole input did not name stay, because the provider says that they opted out."""
        self._outcomes.absent_ended(opted_out, Outcome.WITHHELD)

    def _take_in(self) -> None:
        """Take in rows, some at a time, until others wait for too much: a row's tickets may be as many as rows wait."""
        while self._held and not self._resumed_batches and not self._is_full():
            rows, self._held = self._held[:_TOGETHER], self._held[_TOGETHER:]
            self._take(rows)

    def _take(self, rows: Sequence[Row]) -> None:
        """Take in rows that come together."""
        self.opt_outs.recall(rows)
        facts, now = Facts(self._journal, self.destination, rows), time.monotonic()
        usual, others = self._usual_rows.divide(rows, facts)
        self._put_usual(usual, facts, now)
        ready: deque[Row] = deque()
        for row in others:
            if row.key is not None:
                self._resources.find(row, row.key, facts)
            if self._tickets.take(row):
                ready.append(row)
            elif (holder := self._tickets.holder(row.id)) is not None:
                self.batches.supersede(holder, facts)
        self._go(ready, facts, now)

    def _put_usual(self, rows: Sequence[Row], facts: Facts, now: float) -> None:
        """End the usual rows that are unchanged; the others take their tickets and join a batch."""
        self.shared_keys.saw(facts.key_numbers(rows))
        unchanged = self._decisions.confirmed(rows, facts.contacts)
        if unchanged:
            facts.end_unchanged(unchanged)
            ended = {*map(id, unchanged)}
            rows = [row for row in rows if id(row) not in ended]
        self._tickets.take_free(rows)
        self.batches.put(rows, now)

    def _go(self, ready: deque[Row], facts: Facts, now: float) -> None:
        """Decide rows that are first everywhere, and the rows that become first by that; then begin others early."""
        nearer = self._tickets.nearer
        while ready or nearer:
            if not ready:
                self._begin_early(nearer.popleft(), facts, now)
                continue
            row = ready.popleft()
            if row.plan is not None:  # it continues, or began early
                ready.extend(self._continue(row.plan, facts, now))
                continue
            if self.removals.hold(row, facts):
                ready.extend(self._release([row]))
                continue
            decision = self._decisions.decide(row, facts)
            if isinstance(decision, Ended):
                if decision.outcome is Outcome.UNCHANGED:
                    facts.claim([row])
                facts.end(row, decision.outcome, decision.code, decision.reason)
                ready.extend(self._release([row]))
            elif decision:
                ready.extend(self._plan(row, decision, facts, now))
            else:
                self._put(row, facts, now)
        facts.note(self._outcomes)

    def _begin_early(self, row: Row, facts: Facts, now: float) -> None:
        """Begin a plan for a row that is not first everywhere, if it is where the plan begins."""
        if row.waits > 0 and row.plan is None and self.removals.is_open:  # else a row before it may have to wait
            formers = self._decisions.early(row, self._tickets.waited_for(row), facts)
            if formers:
                self._plan(row, formers, facts, now)

    def _plan(self, row: Row, formers: list[Row], facts: Facts, now: float) -> list[Row]:
        """Begin a plan for a row and the other addresses of its key; returns the same as `_continue`."""
        plan = Plan(row, [row] if self._old_first else formers)
        extras = row.extend()
        extras.tickets, extras.plan = dict.fromkeys(row.resources), plan
        for old in formers:
            old.extend().plan = plan
            old.raw = old.raw if self._old_first else b""  # later ones get it again
        if self._old_first:
            self.batches.put_off(row)
        begun = self._departures.judge(plan, formers) if self._old_first else [row]
        if not self._old_first and self._decisions.is_confirmed(row, facts.known(row.id)):
            plan.ends.append((Outcome.UNCHANGED, None))
            facts.claim([row])
            facts.keep(row.pending_removals)
            begun = []
        plan.under_way = len(begun)
        for first in begun:
            self._put(first, facts, now)
        return self._continue(plan, facts, now)

    def _put(self, row: Row, facts: Facts, now: float) -> None:
        self.batches.put([row], now)
        self.batches.supersede(row, facts)

    def close_batches(self, now: float, *, ending: bool) -> None:
        """Make batches due, as `OpenBatches.close` does."""
        self.batches.close(now, ending=ending, is_full=self._is_full())

    def next_batch(self, *, ending: bool) -> ReadyBatch | None:
        """The next batch to send. When ending, batches go whatever their size."""
        return self.batches.next(self._still_to_send, ending=ending)

    def changed(self, rows: Sequence[Row]) -> Sequence[int]:
        """Positions of rows whose content the provider did not have before, as far as the journal knows."""
        return changed(rows, range(len(rows)), self._journal.contacts([row.id for row in rows]))

    def pack(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows that were submitted, in little memory as long as nobody looks at them."""
        return self._tickets.pack(rows) if rows else rows

    def _still_to_send(self, rows: list[Row]) -> list[Row]:
        """A closed batch without the rows whose latest content the provider has."""
        changed = [
            row for row in rows if row.extras is not None and row.extras.lines and not (row.plan and row.plan.later)
        ]
        if not changed or self._is_append_only:
            return rows
        known = self._journal.contacts([row.id for row in changed])
        unchanged = {id(row): row for row in changed if self._decisions.is_confirmed(row, known.get(row.id))}
        if not unchanged:
            return rows
        facts = Facts(self._journal, self.destination)
        facts.claim([*unchanged.values()])
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
        ready = {id(one): one for one in self._release([row for row in rows if row.plan is None])}
        for row in rows:
            plan = row.plan
            if plan is None:
                continue
            if plan.row is not row:
                self._departures.answered(row, plan, refused.get(id(row)), is_out=id(row) in opted_out)
            elif id(row) in opted_out or id(row) in refused:
                plan.later = []  # the new contact did not arrive, so the former ones stay
            plan.under_way -= 1
            if not plan.under_way and not plan.row.waits:
                ready[id(plan.row)] = plan.row
        waiting = deque(ready.values())
        self._go(waiting, Facts(self._journal, self.destination, waiting), now)
        self._take_in()

    def _continue(self, plan: Plan, facts: Facts, now: float) -> list[Row]:
        """Begin the later rows of a plan if nothing is in their way; returns rows that may begin by that."""
        if plan.under_way or plan.row.waits:  # which waits only where it began early
            return []
        later, plan.later = plan.later, []
        for row in later:
            if row is plan.row:
                self._decisions.arrive(row, plan.opted_out)
            elif not row.raw:
                if row.former_of not in plan.row.also:  # a reject is of the latest line of its key
                    row.line, row.stream = plan.row.line, plan.row.stream
                row.raw = dict(zip(plan.row.lines, plan.row.raw_lines(), strict=True)).get(row.line, b"")
            end = self._decisions.end_of(row, plan, facts)
            if end is None:
                plan.under_way += 1
                self._put(row, facts, now)
            else:
                plan.ends.append(end)
        if plan.under_way:
            return self._departures.joining(plan.row, facts)
        facts.end(plan.row, *worst(plan.ends))
        plan.row.extend().plan = None  # rows are not seen by the garbage collector, so a circle of theirs would stay
        return self._release([plan.row])

    def _release(self, rows: Sequence[Row]) -> list[Row]:
        """Release the tickets of rows that have ended; returns rows that may begin by that."""
        ready = self._tickets.release(rows)
        self._departures.ended(rows)
        return ready
