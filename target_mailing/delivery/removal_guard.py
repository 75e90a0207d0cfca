"""The guard of `max_removals`: whether the removals of a run may be made, once it is known how many they are."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from mailing_api.counted import counted
from target_mailing.delivery.allowance import Allowance
from target_mailing.delivery.errors import TooManyRemovalsError
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.removal_limit import RemovalLimit
from target_mailing.journal.journal import Journal
from target_mailing.journal.removals import Counts

__all__ = ["Held", "RemovalGuard"]

logger = logging.getLogger("target-mailing.delivery")

#: A key that names nobody: a whole number, or a UUID.
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
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


class _Leaving(msgspec.Struct, frozen=True):
    """Contacts that are to leave a destination.

    Attributes:
        queue: of the destination.
        counts: how many they are.
        known: contacts that the destination had before, of which the limit may be a share.
        is_contents: they are of earlier contents, which are replaced, and not of rows that wait.
    """

    queue: DestinationQueue
    counts: Counts
    known: int
    is_contents: bool = False


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
        #: By destination, earlier contents that may leave.
        self.replaced_contacts: dict[str, int] = {}
        self._journal = journal
        self._limit = limit
        self._allowance = Allowance(journal, allowed)
        #: Queues whose removals are allowed beyond the limit, and not all made yet.
        self._allowed: list[_Leaving] = []
        self._is_used = False
        #: By queue, how many contacts its destination had before the run.
        self._known: dict[DestinationQueue, int] = {}
        #: By queue whose earlier contents are replaced, the allowance under which they leave; 0 for the limit.
        self._replaced: dict[DestinationQueue, int] = {}
        #: Key columns by stream, for messages.
        self.key_columns: Mapping[str, Sequence[str]] = {}
        #: Whether it is known which removals may be made.
        self.is_judged = False
        #: Why removals may not be made, once that is known.
        self.error: TooManyRemovalsError | None = None

    @property
    def is_limited(self) -> bool:
        """Whether removals wait."""
        return not self._limit.is_unlimited

    @property
    def removals_held(self) -> int:
        """Contacts that were not taken off because they are too many."""
        return sum(held.removed + held.moved for held in self.held.values())

    def begins(self, queue: DestinationQueue) -> None:
        """Nothing was delivered to a destination yet in this run: the limit may be a share of its contacts."""
        if self.is_limited and self._limit.count is None:
            self._known[queue] = self._journal.known(queue.destination.name)

    def judge(self, queues: Collection[DestinationQueue], replaced: Mapping[DestinationQueue, float]) -> None:
        """All rows but those that wait have ended, and none will come: allow the removals, or set `error`.

        Args:
            queues: of all destinations.
            replaced: those whose earlier contents are to leave, which were delivered before these moments (Unix
                seconds) and not again.
        """
        self.is_judged = True
        leaving = [
            _Leaving(one, one.removals.counts(), self._base(one, self._known.get(one, 0)))
            for one in queues
            if one.removals.is_waiting
        ]
        for queue, before in replaced.items():
            size = self._journal.removals.expect_contents(self._id(queue), before)
            leaving.append(_Leaving(queue, queue.removals.counts(), self._base(queue, size), is_contents=True))
        beyond = [one for one in leaving if self.is_limited and self._limit.is_exceeded(one.counts, one.known)]
        allowance, covered = self._allow(beyond, [one for one in leaving if one not in beyond])
        for one in leaving:
            if allowance and self._id(one.queue) in covered:
                self._open(one, allowance)
                self._allowed.append(one)
                self._is_used = True
            elif one not in beyond:
                self._open(one, 0)
            elif not one.is_contents:
                one.queue.removals.refuse()

    def made(self) -> None:
        """Some rows may have ended: note once all removals were made that `allow_removals_once` allowed."""
        if self._allowance.is_under_way:
            self._allowed = [one for one in self._allowed if one.is_contents or not one.queue.is_empty()]
            if not self._allowed:
                self._allowance.end()

    def allowance_of(self, queue: DestinationQueue) -> int:
        """The allowance under which earlier contents leave; 0 for the limit."""
        return self._replaced.get(queue, 0)

    def replaced(self, queue: DestinationQueue) -> None:
        """Earlier contents have left."""
        self._allowed = [one for one in self._allowed if one.queue is not queue]
        self.made()

    def remember(self, queues: Collection[DestinationQueue]) -> None:
        """The run has ended and nothing failed: note that it had the setting `allow_removals_once`."""
        self._allowance.remember([self._id(queue) for queue in queues])
        if self._allowance.number and not self._is_used:
            logger.warning(
                "Setting `allow_removals_once` is not needed: the removals are within `max_removals`. Unset it"
            )

    def _id(self, queue: DestinationQueue) -> int:
        return self._journal.hashes.destination_id(queue.destination.name)

    def _base(self, queue: DestinationQueue, known: int) -> int:
        return self._allowance.base(self._id(queue), known) if self._limit.count is None else 0

    def _open(self, one: _Leaving, allowance: int) -> None:
        if one.is_contents:
            self._replaced[one.queue] = allowance
            self.replaced_contacts[one.queue.destination.name] = one.counts.now
        else:
            one.queue.removals.open(allowance)

    def _allow(self, beyond: Sequence[_Leaving], within: Sequence[_Leaving]) -> tuple[int, Collection[int]]:
        """What `allow_removals_once` allows, as of `Allowance.judge`; the error if it does not allow enough."""
        numbers = [{self._id(one.queue): one.counts.now for one in some} for some in (beyond, within)]
        allowance, covered = self._allowance.judge(*numbers)
        if allowance:
            may = counted(sum(count for some in numbers for one, count in some.items() if one in covered), "contact")
            earlier = f", besides {self._allowance.made} in earlier runs" if self._allowance.made else ""
            logger.warning("Setting `allow_removals_once`: %s may leave, in this run only%s", may, earlier)
        elif beyond:
            self._allowance.note_bases({self._id(one.queue): one.known for one in beyond})
            self.error = TooManyRemovalsError(self._message(beyond))
            for one in beyond:
                rows = [(self._row(*row), row[2]) for row in one.queue.removals.sample]
                self.held[one.queue.destination.name] = self._held(one, rows)
        return allowance, covered

    def _message(self, beyond: Sequence[_Leaving]) -> str:
        parts = [self._part(one) for one in beyond]
        sample = "; ".join(self._row(*row) for one in beyond for row in one.queue.removals.sample[:_NAMED])
        first = f" The first rows that take somebody off: {sample}." if sample else ""
        rows = [one.queue for one in beyond if not one.is_contents]
        if self._is_plan:
            done = "A delivery would make none of these, deliver all other rows, and fail."
            if not rows:
                done = "In a delivery nobody would leave, the rows would be added beside them, and it would fail."
        elif rows:
            held = ", and no STATE passes them" if any(queue.removals.sample for queue in rows) else ""
            done = f"None of these was made; all other rows were delivered{held}."
            if any(queue.removals.absent.total() for queue in rows):
                done += " Who is absent is found again by the next whole input."
        else:
            done = "Nobody has left; the rows of this run were added beside them, and no STATE is written."
        return f"Setting `max_removals`: {' '.join(parts)} {done} {self._remedy()}{first}"

    def _held(self, one: _Leaving, sample: Sequence[tuple[str, bytes]]) -> Held:
        counts, removals = one.counts, one.queue.removals
        lately, most = counts.lately_removed + counts.lately_moved, self._limit.most(one.known)
        parts = (removals.lines, counts.removals, removals.absent.total(), counts.moves)
        return Held(*parts, lately, most, self._allowance.needed, sample)

    def _remedy(self) -> str:
        needed, number, made = self._allowance.needed, self._allowance.number, self._allowance.made
        if number == needed:
            allowed = f"run once without `allow_removals_once: {needed}`, which is used up, then once more with it"
        else:
            was = f" instead of {number}" if number else ""
            besides = f", which counts the {made} that left when a run was allowed before" if made else ""
            allowed = f"set `allow_removals_once: {needed}`{was} for one run{besides}"
        return f"If the removals are wrong, correct the source; if they are right, {allowed}."

    def _part(self, one: _Leaving) -> str:
        destination, counts, known = _named(one.queue), one.counts, one.known
        unsubscribed = 0 if one.is_contents else min(one.queue.removals.unsubscribed, counts.removals)
        kinds = [
            f"{counted(number, 'contact')} would be {what}"
            for number, what in (
                (counts.removals - unsubscribed, "removed"),
                (unsubscribed, "unsubscribed"),
                (counts.moves, "moved to a new address"),
            )
            if number
        ]
        lately = counts.lately_removed + counts.lately_moved
        earlier = f" ({lately} more left within the last 24 hours)" if lately else ""
        mirrored = _mirrored(one.queue)
        most = self._limit.most(known)
        share = "" if self._limit.count is not None else f" ({self._limit} of its {known} in the journal"
        least = share and (", but at least 20)" if most > self._limit.share * known else ")")
        return f"{destination}: {' and '.join(kinds)}{mirrored}{earlier}; the limit is {most}{share}{least}."

    def _row(self, stream: str, line: int, record: bytes) -> str:
        """A row by its key, or by its line alone where the key may say who that is."""
        values: Mapping[str, Any] = msgspec.json.decode(record)
        key = {name: str(values[name]) for name in self.key_columns.get(stream, ()) if name in values}
        is_number = all(map(_NUMBER.fullmatch, key.values()))
        shown = "".join(f", {name} {value}" for name, value in key.items()) if is_number else ""
        return f"stream {stream!r}, line {line}{shown}"


def _mirrored(queue: DestinationQueue) -> str:
    """How many would be removed because streams do not name them."""
    parts = []
    for stream, number in queue.removals.absent.items():
        strangers = queue.removals.strangers[stream]
        verb = "does not name" if strangers else "no longer names"
        of_them = f" ({strangers} of whom came otherwise: `mirror_scope: list`)" if strangers else ""
        parts += [f", {number} because the input of stream {stream!r} {verb} them{of_them}"] if number else []
    return "".join(parts)


def _named(queue: DestinationQueue) -> str:
    """A destination, by the lists in the settings, too."""
    names = ", ".join(map(repr, queue.settings.lists))
    return f"list {names} ({queue.destination.name})" if names else queue.destination.name
