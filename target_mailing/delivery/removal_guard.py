"""The guard of `max_removals`: whether the removals of a run may be made, once it is known how many they are."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from mailing_api.counted import counted
from target_mailing.delivery.errors import TooManyRemovalsError
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.removal_limit import RemovalLimit
from target_mailing.delivery.removals import Removals
from target_mailing.journal.journal import Journal
from target_mailing.journal.removals import Counts

__all__ = ["Held", "RemovalGuard"]

logger = logging.getLogger("target-mailing.delivery")

#: Rows with removals that are named in an error.
_NAMED: Final = 5


class Held(msgspec.Struct, frozen=True):
    """Removals of a destination that may not be made.

    Attributes:
        rows: of the input that wait, those behind removals included.
        removed: contacts that would be removed.
        absent: those of them that a whole input no longer names.
        moved: contacts that would be moved to a new address.
        lately: contacts that left within the last 24 hours, and count, too.
        limit: how many may leave.
        allow_removals_once: the value of that setting that would allow all of this run, at every destination.
        sample: some rows, each by what a message may show of it, and its record.
    """

    rows: int
    removed: int
    absent: int
    moved: int
    lately: int
    limit: int
    allow_removals_once: int
    sample: Sequence[tuple[str, bytes]]


class RemovalGuard:
    """Opens the removals of all destinations, or of those that are within the limit."""

    def __init__(
        self, journal: Journal, limit: RemovalLimit, allowed: int, *, is_plan: bool = False, most_shown: int = 0
    ) -> None:
        """Judge by the settings.

        Args:
            journal: counts the removals.
            limit: the setting `max_removals`.
            allowed: the setting `allow_removals_once`; 0 if it is unset.
            is_plan: nothing is done; the messages say what a delivery would do.
            most_shown: rows of each destination that are kept for a plan, and are not only named in a message.
        """
        self._is_plan = is_plan
        self.most_shown = most_shown
        #: By destination, what may not be done.
        self.held: dict[str, Held] = {}
        self._journal = journal
        self._limit = limit
        self._allowed = allowed
        self._is_used = False
        #: Key columns by stream, for messages.
        self.key_columns: Mapping[str, Sequence[str]] = {}
        #: Why removals were not made, once that is known.
        self.error: TooManyRemovalsError | None = None
        if journal.removals.used_allowance not in {0, allowed}:
            journal.removals.note_used_allowance(0)

    @property
    def is_limited(self) -> bool:
        """Whether removals wait."""
        return not self._limit.is_unlimited

    @property
    def removals_held(self) -> int:
        """Contacts that were not taken off because they are too many."""
        return sum(held.removed + held.moved for held in self.held.values())

    def is_pending(self, queues: Collection[DestinationQueue]) -> bool:
        """Whether rows wait for a judgement."""
        return self.error is None and any(queue.removals.is_waiting for queue in queues)

    def judge(self, queues: Collection[DestinationQueue]) -> None:
        """All rows but those that wait have ended, and none will come: allow the removals, or set `error`."""
        waiting = {queue: queue.removals.counts(self._allowed) for queue in queues if queue.removals.is_waiting}
        known = {queue: self._journal.known(queue.destination.name) for queue in waiting}
        beyond = {queue: counts for queue, counts in waiting.items() if self._limit.is_exceeded(counts, known[queue])}
        needed = sum(counts.now + counts.allowed for counts in beyond.values())
        if beyond and not self._allows(needed):
            self.error = TooManyRemovalsError(self._message(beyond, known, needed))
            for queue, counts in beyond.items():
                rows = [(self._row(*row), row[2]) for row in queue.removals.sample]
                self.held[queue.destination.name] = self._held(counts, known[queue], needed, queue.removals, rows)
        elif self._allowed and not beyond:
            logger.warning(
                "Setting `allow_removals_once` is not needed: the removals are within `max_removals`. Unset it"
            )
        for queue in waiting:
            if queue in beyond and self.error is not None:
                queue.removals.refuse()
            else:
                queue.removals.open(self._allowed if queue in beyond else 0)

    def judge_contents(self, destination: str, before: float) -> None:
        """Let the contacts leave that a destination had before this moment, and has not got again (Unix seconds).

        Raises:
            TooManyRemovalsError: they are too many.
        """
        removals, number = self._journal.removals, self._journal.hashes.destination_id(destination)
        known = removals.expect_contents(number, before)
        counts = removals.counts(number, allowance=self._allowed)
        needed, is_beyond = counts.now + counts.allowed, self._limit.is_exceeded(counts, known)
        if self.is_limited and is_beyond and not self._allows(needed):
            part = self._part(destination, counts, known, (), {})
            self.held[destination] = self._held(counts, known, needed, None, ())
            done = "Nobody has left; the rows of this run were added beside them, and no STATE is written."
            if self._is_plan:
                done = "In a delivery nobody would leave, the rows would be added beside them, and it would fail."
            raise TooManyRemovalsError(f"Setting `max_removals`: {part} {done} {self._remedy(needed)}")
        removals.note_contents(number, before, allowance=self._allowed if is_beyond else 0)

    def remember(self) -> None:
        """All rows have ended and nothing failed: an allowance is used up until a run without it."""
        if self._is_used:
            self._journal.removals.note_used_allowance(self._allowed)

    def _allows(self, needed: int) -> bool:
        """Whether the setting `allow_removals_once` allows so many."""
        if self._allowed != needed or self._journal.removals.used_allowance == needed:
            return False
        self._is_used = True
        logger.warning("Setting `allow_removals_once`: %s may leave, in this run only", counted(needed, "contact"))
        return True

    def _message(
        self, beyond: Mapping[DestinationQueue, Counts], known: Mapping[DestinationQueue, int], needed: int
    ) -> str:
        parts = [
            self._part(
                queue.destination.name, counts, known[queue], queue.removals.sample[:_NAMED], queue.removals.absent
            )
            for queue, counts in beyond.items()
        ]
        held = ", and no STATE passes them" if any(queue.removals.sample for queue in beyond) else ""
        done = f"None of these was made; all other rows were delivered{held}."
        if self._is_plan:
            done = "A delivery would make none of these, deliver all other rows, and fail."
        elif any(queue.removals.absent.total() for queue in beyond):
            done += " Who is absent is found again by the next whole input."
        return f"Setting `max_removals`: {' '.join(parts)} {done} {self._remedy(needed)}"

    def _held(
        self, counts: Counts, known: int, needed: int, removals: Removals | None, sample: Sequence[tuple[str, bytes]]
    ) -> Held:
        rows, absent = (0, 0) if removals is None else (removals.lines, removals.absent.total())
        lately = counts.lately_removed + counts.lately_moved
        return Held(rows, counts.removals, absent, counts.moves, lately, self._limit.most(known), needed, sample)

    def _remedy(self, needed: int) -> str:
        if self._allowed == needed:
            allowed = f"run once without `allow_removals_once: {needed}`, which is used up, then once more with it"
        else:
            was = f" instead of {self._allowed}" if self._allowed else ""
            allowed = f"set `allow_removals_once: {needed}`{was} for one run"
        return f"If the removals are wrong, correct the source; if they are right, {allowed}."

    def _part(
        self,
        destination: str,
        counts: Counts,
        known: int,
        rows: Sequence[tuple[str, int, bytes]],
        absent: Mapping[str, int],
    ) -> str:
        kinds = [
            f"{counted(number, 'contact')} would be {what}"
            for number, what in ((counts.removals, "removed"), (counts.moves, "moved to a new address"))
            if number
        ]
        lately = counts.lately_removed + counts.lately_moved
        earlier = f" ({lately} more left within the last 24 hours)" if lately else ""
        mirrored = "".join(
            f", {number} because the input of stream {stream!r} no longer names them"
            for stream, number in absent.items()
            if number
        )
        most = self._limit.most(known)
        share = "" if self._limit.count is not None else f" ({self._limit} of its {known} in the journal"
        least = share and (", but at least 20)" if most > self._limit.share * known else ")")
        sample = "; ".join(self._row(*row) for row in rows)
        first = f" The first: {sample}." if sample else ""
        return f"{destination}: {' and '.join(kinds)}{mirrored}{earlier}; the limit is {most}{share}{least}.{first}"

    def _row(self, stream: str, line: int, record: bytes) -> str:
        """A row by its key, or by its line alone where the key may be an address."""
        values: Mapping[str, Any] = msgspec.json.decode(record)
        key = [f"{name} {values[name]}" for name in self.key_columns.get(stream, ()) if name in values]
        shown = "" if not key or any("@" in one for one in key) else f", {', '.join(key)}"
        return f"stream {stream!r}, line {line}{shown}"
