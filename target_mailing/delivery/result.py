"""How the rows of a batch end, according to its last step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self

import msgspec

from mailing_api.counted import counted
from target_mailing.contacts.effects import Effect, effect_of
from target_mailing.delivery.batch import Batch
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.interface.destination import Finished
from target_mailing.journal.journal import Journal, Reject
from target_mailing.rows.outcome import Outcome
from target_mailing.rows.row import Row, have_extras
from target_mailing.run_events import SentBy

__all__ = ["BatchResult"]


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """The ends of a batch's rows.

    Attributes:
        delivered: rows that the provider now certainly has.
        withheld: rows that were not sent because their contacts opted out.
        refused: rows that were rejected.
        uncertain: rows that the provider may have.
        forgotten: contacts of which nothing is certain.
        ended: all rows but those that continue in other batches.
        others: rows that ended without delivery, each with its outcome and code.
        rejects: for the rejects file.
        effects: effect -> those of the delivered rows whose effect is known better than by the action.
    """

    delivered: Sequence[Row]
    withheld: Sequence[Row]
    refused: Sequence[Row]
    uncertain: Sequence[Row]
    forgotten: Sequence[int]
    ended: list[Row]
    others: Sequence[tuple[Row, Outcome, str]]
    rejects: Sequence[Reject]
    effects: Mapping[Effect, Sequence[Row]]

    @classmethod
    def of(cls, batch: Batch, finished: Finished, undecided: Sequence[int]) -> Self:
        """The ends of a batch whose rows at the undecided positions continue in other batches."""
        rows, rejected, here = [*batch.rows], finished.rejected, batch.queue.destination.name
        moving = set(undecided) - rejected.keys()
        withheld = [at for at in dict.fromkeys(finished.withheld) if at not in rejected]
        others = moving.union(withheld, rejected)
        effects: dict[Effect, list[Row]] = {}
        for at, effect in finished.effects.items():
            if at not in others:
                effects.setdefault(effect, []).append(rows[at])
        unconfirmed = {at for at, refusal in rejected.items() if refusal.code == "unconfirmed"}
        return cls(
            delivered=[row for at, row in enumerate(rows) if at not in others] if others else rows,
            withheld=[rows[at] for at in withheld],
            refused=[rows[at] for at in rejected],
            uncertain=[rows[at] for at in (*(() if finished.absent else moving), *unconfirmed)],
            effects=effects,
            forgotten=[rows[at].id for at in rejected if at not in unconfirmed],
            ended=[row for at, row in enumerate(rows) if at not in moving] if moving else rows,
            others=[
                *((rows[at], Outcome.REJECTED, refusal.code) for at, refusal in rejected.items()),
                *((rows[at], Outcome.WITHHELD, "opted_out_at_provider") for at in withheld),
            ],
            # Rows of an earlier run come again and are judged then.
            rejects=[]
            if batch.recovered
            else [
                reject
                for at, refusal in rejected.items()
                for reject in Reject.of(rows[at], here, refusal.code, refusal.reason, finished.job)
            ],
        )

    def report(self, outcomes: Outcomes, batch: Batch) -> None:
        """Report how the rows of the batch ended: to their plans, or to the run's outcomes."""
        usual, here = (
            effect_of(batch.queue.destination.actions, batch.action),
            outcomes.at(batch.queue.destination.name),
        )
        job = SentBy(batch.number, batch.first_job)
        ends: list[tuple[Sequence[Row], Outcome, str]] = [([row], end, code) for row, end, code in self.others]
        ends.extend((rows, Outcome.DELIVERED, effect) for effect, rows in self._by_effect(usual))
        for rows, outcome, code in ends:
            by = SentBy(batch.number) if outcome is Outcome.WITHHELD else job
            if not have_extras(rows):
                here.settle_alike([row.line for row in rows], outcome, code, by)
                continue
            here.settle_all([(row.lines, outcome, code) for row in rows if row.plan is None], by)
            absent = sum(row.is_absent for row in rows)
            here.absent_ended(absent, outcome, is_unsubscribed=usual is Effect.UNSUBSCRIBED)
            for row in rows:
                if row.plan is not None:
                    row.plan.ends.append((outcome, code))
                    if row.plan.row is row and row.line:
                        outcomes.history.sent(row.line, by)
        if batch.action == batch.queue.destination.actions.remove:
            here.former_left(sum(row.former_of is not None for row in self.delivered))

    def _by_effect(self, usual: Effect) -> Iterator[tuple[Effect, Sequence[Row]]]:
        """The delivered rows by effect; `usual` is the effect of their action."""
        known = {id(row) for rows in self.effects.values() for row in rows}
        others = [row for row in self.delivered if id(row) not in known] if known else self.delivered
        if others:
            yield usual, others
        yield from self.effects.items()

    def note(
        self,
        journal: Journal,
        batch: Batch,
        following: Sequence[Sequence[Row]],
        *,
        pending_removals: Iterable[tuple[bytes, str, int]],
    ) -> list[int]:
        """Note the ends in the journal; returns the numbers of the following batches. Arguments as in `settle`."""
        takes_off = batch.action == batch.queue.destination.actions.remove
        return journal.settle(
            batch.number,
            destination=batch.queue.destination.name,
            action=batch.action,
            route=batch.route,
            outcomes=self.counts,
            placed=batch.queue.destination.actions.places(batch.action),
            confirmed=self.delivered,
            uncertain=self.uncertain,
            forgotten=self.forgotten,
            released=[row.id for row in self.withheld if row.is_absent],
            gone=self.delivered if takes_off else (),
            staying=self.withheld if takes_off else (),
            pending_removals=pending_removals,
            rejects=self.rejects,
            settled=() if journal.open_rejects.is_empty and not self.rejects else self._settled(takes_off=takes_off),
            recovered=batch.recovered,
            following=following,
        )

    def _settled(self, *, takes_off: bool) -> Sequence[Row]:
        """Rows that are no rejects: those that ask about former addresses of keys change nothing there."""
        rows = [row for row in self.delivered if takes_off or row.former_of is None]
        return [*rows, *(row for row in self.withheld if row.former_of is None)]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows ended how."""
        return {"delivered": len(self.delivered), "rejected": len(self.refused), "withheld": len(self.withheld)}

    def sentence(self, batch: Batch) -> str:
        """The result for logs, after the batch's number."""
        none = "to be split" if batch.rows else "earlier contents removed"
        result = ", ".join(f"{count} {name}" for name, count in self.counts.items() if count) or none
        if batch.recovered and len(self.delivered) < len(batch.rows):
            result += "; rows not delivered come again in the input and are judged then"
        return f"({batch.jobs}, {counted(len(batch.rows), 'row')}) ended: {result}"
