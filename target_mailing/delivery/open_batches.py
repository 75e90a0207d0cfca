"""Decided rows until they are sent: kept on disk, put into batches, superseded by later rows of their contacts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.batcher import Batcher
from target_mailing.delivery.decisions import Decisions
from target_mailing.delivery.facts import Facts
from target_mailing.delivery.opt_outs import OptOuts
from target_mailing.delivery.removals import Removals
from target_mailing.delivery.sent_rows import SentRows
from target_mailing.delivery.tickets import Tickets
from target_mailing.interface.destination import Destination
from target_mailing.journal.journal import Journal
from target_mailing.rows.row import Row, keep_on_disk
from target_mailing.settings.settings import StreamSettings

__all__ = ["OpenBatches", "ReadyBatch"]

#: An action, a route, and the rows to be sent by them.
ReadyBatch = tuple[str, str, list[Row]]


class OpenBatches:
    """The batches of one destination that are not sent yet."""

    def __init__(
        self,
        destination: Destination,
        settings: StreamSettings,
        *,
        journal: Journal,
        tickets: Tickets,
        decisions: Decisions,
        opt_outs: OptOuts,
        removals: Removals,
    ) -> None:
        """Begin with none; what decides about rows is that of the destination's queue."""
        self._destination = destination
        self._journal = journal
        self._tickets = tickets
        self._decisions = decisions
        self._opt_outs = opt_outs
        self._removals = removals
        self._max_age = settings.batch_max_age
        self._batcher = Batcher(
            max_rows=settings.batch_rows, max_bytes=settings.batch_bytes, max_age=settings.batch_max_age
        )
        #: Rows that were decided, and whose contacts are still in memory.
        self._decided: list[Row] = []
        #: Parts of closed batches.
        self._ready: deque[ReadyBatch] = deque()

    @property
    def are_due(self) -> bool:
        """Whether any is to be sent."""
        return bool(self._ready) or self._batcher.has_due()

    def put(self, rows: Sequence[Row], now: float) -> None:
        """Put decided rows into the batch of their action (`now` in monotonic seconds)."""
        self._batcher.put(rows, now)
        self._decided.extend(rows)

    def put_back(self, rows: Sequence[Row]) -> None:
        """Put rows of a batch into a later one."""
        self._batcher.put(rows, time.monotonic())

    def give_back(self, ready: ReadyBatch) -> None:
        """The batch that `next` returned is sent later, before all others."""
        self._ready.appendleft(ready)

    def put_off(self, row: Row) -> None:
        """A row was decided whose turn comes after that of others."""
        self._decided.append(row)

    def keep_on_disk(self) -> None:
        """Move contacts and lines of rows that were decided from memory to disk.

        Raises:
            SpoolError: they cannot be written.
        """
        decided, self._decided = self._decided, []
        keep_on_disk(decided, self._journal.spool)

    def close(self, now: float, *, ending: bool, is_full: bool) -> None:
        """Make batches due that are old enough (`now` in monotonic seconds), or those that others wait for.

        When ending, make all due when no other is: what these leave to later batches goes together.
        """
        if ending and not self.are_due:
            self._batcher.close_where(lambda _: True)
        self._batcher.close_old(now)
        if is_full:
            self._batcher.close_where(lambda batch: any(map(self._is_waited_for, batch.rows)))

    def _is_waited_for(self, row: Row) -> bool:
        """Whether rows wait behind the row whose plan this one belongs to, for whatever that row keeps in order."""
        return self._tickets.is_waited_for(row if row.plan is None else row.plan.row)

    def due_at(self) -> float | None:
        """When the oldest open batch is old enough to be sent (monotonic seconds)."""
        oldest = self._batcher.oldest()
        return None if oldest is None else oldest + self._max_age

    def next(self, still_to_send: Callable[[list[Row]], list[Row]], *, ending: bool) -> ReadyBatch | None:
        """The next batch to send; a full batch may be sent as several.

        Args:
            still_to_send: leaves of a closed batch's rows those that are to be sent.
            ending: batches go whatever their size.
        """
        while not self._ready:
            if ending and not self._batcher.has_due():
                self._batcher.close_where(lambda _: True)
            due = self._batcher.next_due()
            if due is None:
                return None
            rows = still_to_send(due.rows)
            parts = self._destination.parts(due.action, SentRows(rows)) if rows else ()
            self._ready.extend((due.action, route, [rows[at] for at in part]) for route, part in parts)
        return self._ready.popleft()

    def supersede(self, row: Row, facts: Facts) -> None:
        """Have rows that wait only for this row's contact supersede it, as long as its batch is open."""
        while row.is_open:
            later = self._tickets.only_waiting_for(row)
            if later is None or self._removals.is_behind(later):
                return
            if not self._decisions.may_supersede(later, row, facts) or self._removals.removes_by_list(later):
                return
            formers = self._decisions.later_formers(later, row, facts)
            if any(old.id in row.resources for old in formers):  # another key leaves the same contact
                return
            self._tickets.hand_over(later, row)
            self._opt_outs.keep(later)
            if not isinstance(row.held, EncodedContact):
                self._decided.append(row)
            before = row.contact.content
            content = self._destination.overlay(before, later.contact.content)
            is_same = content == later.contact.content and later.action == row.action
            fingerprint = later.fingerprint if is_same else self._journal.fingerprint(row.action, content)
            row.supersede_by(later, content, fingerprint)
            row.leave_too(formers)
            self._batcher.has_grown(row, len(content) - len(before))
