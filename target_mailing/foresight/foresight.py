"""What a plan finds out beside the outcomes: jobs and calls, and for some rows what would become of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any, Protocol, runtime_checkable

import msgspec

from mailing_api.errors import MailingError
from mailing_api.http.read_only import ReadOnly
from target_mailing.contacts.contact import EncodedContact
from target_mailing.contacts.effects import Effect, effect_of
from target_mailing.interface.destination import Destination, Finished, Progress, Step, Work

__all__ = ["FollowedBatch", "Foresight", "Sample", "Seen", "ShowsContacts", "masked"]


@runtime_checkable
class ShowsContacts(Protocol):
    """A destination whose provider shows the fields of a contact."""

    def changes(self, contact: EncodedContact) -> Mapping[str, tuple[Any, Any]]:
        """The fields that a row would change, by the names that people know: the values before and after.

        Called from another thread.

        Raises:
            MailingError: the provider could not be asked.
        """


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row of a plan, as it is shown.

    Attributes:
        destination: where it goes; "" for a row that goes nowhere.
        contact: its address, or its key where it has none; masked, unless contacts are shown.
        fields: names of the fields that would change; None where the provider cannot be asked.
        before: their values at the provider, if contacts are shown.
        after: their values afterwards, if contacts are shown.
    """

    destination: str
    contact: str
    fields: list[str] | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class FollowedBatch(msgspec.Struct):
    """A batch whose jobs a run would follow.

    Attributes:
        destination: its name.
        route: of the batch.
        rows: how many it has.
        steps: the names of those that follow a job, in order.
    """

    destination: str
    route: str
    rows: int
    steps: list[str]


class Candidate(msgspec.Struct, frozen=True):
    """A row that may be shown.

    Attributes:
        at: its position in its batch.
        row: its contact.
        destination: where it goes.
        is_sent: and not withheld.
    """

    at: int
    row: EncodedContact
    destination: Destination
    is_sent: bool


class Seen(msgspec.Struct, frozen=True):
    """What a step showed.

    Attributes:
        destination: its name.
        step: its name.
        rows: of its batch.
        calls: that a run would make besides those of the plan.
        jobs: that it would follow.
        contacts: how many contacts it would change, by effect.
        samples: rows that may be shown, the first ones of each kind.
    """

    destination: str
    step: str
    rows: int
    calls: int
    jobs: int
    contacts: Mapping[str, int]
    samples: list[tuple[str, Candidate]]


class Foresight:
    """Collects what steps show. One thread owns it; others only call `look`.

    Attributes:
        most: rows of each kind that are shown.
        jobs: that a run would follow, by destination.
        followed: the batches with these jobs, by number.
        contacts: that it would change, by destination and effect; former addresses of rows are among them.
        samples: rows by kind.
    """

    def __init__(self, gate: ReadOnly, *, most: int, shows_contacts: bool) -> None:
        """Begin with nothing.

        Args:
            gate: counts the plan's own calls, and those that are foreseen one by one.
            most: rows of each kind that are shown.
            shows_contacts: in the clear.
        """
        self._gate = gate
        self.most = most
        self._shows_contacts = shows_contacts
        self._more_calls = 0
        self.jobs: Counter[str] = Counter()
        self.followed: dict[int, FollowedBatch] = {}
        self.contacts: dict[str, Counter[str]] = {}
        self.samples: dict[str, list[Sample]] = {}
        #: By kind, those that come first, by batch and position.
        self._candidates: dict[str, dict[tuple[int, int], Candidate]] = {}

    @property
    def would_change(self) -> bool:
        """Whether a run would change any contact, of a row that it delivers or of one that is rejected besides."""
        return any(
            count and effect != Effect.LOOKED_UP
            for effects in self.contacts.values()
            for effect, count in effects.items()
        )

    @property
    def calls(self) -> int:
        """Calls that a run would make with one look at each job."""
        return self._gate.calls + self._more_calls

    def look(self, destination: Destination, step: Step, work: Work, progress: Progress) -> Seen:
        """What a step shows that was foreseen. Called from another thread."""
        calls = step.more_calls(work)
        contacts: Mapping[str, int] = {}
        samples: list[tuple[str, Candidate]] = []
        if isinstance(progress, Finished) and not work.resumed:
            usual = str(effect_of(destination.actions, work.action))
            contacts = _effects(work, progress, usual)
            samples = [*_candidates(destination, work, progress, usual, most=self.most)]
        jobs = int(step.watches and calls > 0)
        return Seen(destination.name, step.name, len(work.rows), calls, jobs, contacts, samples)

    def note(self, seen: Seen, batch: int, route: str) -> None:
        """Take what a step of the batch of this number and route showed."""
        self._more_calls += seen.calls
        if seen.jobs:
            self.jobs[seen.destination] += seen.jobs
            followed = self.followed.setdefault(batch, FollowedBatch(seen.destination, route, seen.rows, []))
            followed.steps.append(seen.step)
        self.contacts.setdefault(seen.destination, Counter()).update(seen.contacts)
        for kind, one in seen.samples:
            first = self._candidates.setdefault(kind, {})
            first[batch, one.at] = one
            if len(first) > self.most:
                del first[max(first)]

    def look_at_samples(self, *, asks: bool) -> None:
        """Show the first rows of each kind, in the order of the batches, whichever was foreseen first.

        Args:
            asks: whether the provider is queried for their fields.
        """
        for kind, first in self._candidates.items():
            for _, one in sorted(first.items(), key=itemgetter(0)):
                self._add(kind, self._sample(one, asks=asks and one.is_sent))
        self._candidates.clear()

    def note_reject(self, stream: str, code: str, record: bytes) -> None:
        """Take a rejected row, of this stream; only its columns are shown."""
        kind = f"rejected ({code})"
        if self._is_wanted(kind):
            row = msgspec.json.decode(record)
            after = {"stream": stream, **row} if self._shows_contacts else None
            self._add(kind, Sample("", stream, sorted(row), None, after))

    def note_held(self, destination: str, row: str, record: bytes) -> None:
        """Take a removal that would be held back, by what may be shown of its row; its record is shown on request."""
        after = msgspec.json.decode(record) if self._shows_contacts else None
        self._add("held", Sample(destination, row, None, None, after))

    def _add(self, kind: str, sample: Sample) -> None:
        if self._is_wanted(kind):
            self.samples.setdefault(kind, []).append(sample)

    def _is_wanted(self, kind: str) -> bool:
        return len(self.samples.get(kind, ())) < self.most

    def _sample(self, one: Candidate, *, asks: bool) -> Sample:
        destination, row = one.destination, one.row
        name = row.email or (row.reference[-1] if row.reference else "")
        contact = name if self._shows_contacts else masked(name)
        if not (asks and isinstance(destination, ShowsContacts)):
            return Sample(destination.name, contact)
        try:
            with self._gate.aside():
                changes = destination.changes(row)
        except MailingError:  # a delivery does not look, so this is no reason to fail
            return Sample(destination.name, contact)
        if not self._shows_contacts:
            return Sample(destination.name, contact, sorted(changes))
        before, after = ({name: values[at] for name, values in changes.items()} for at in (0, 1))
        return Sample(destination.name, contact, sorted(changes), before, after)


def _candidates(
    destination: Destination, work: Work, finished: Finished, usual: str, *, most: int
) -> Iterator[tuple[str, Candidate]]:
    """The first rows of each kind, at most so many; `usual` is the kind of most rows."""
    withheld, taken = set(finished.withheld), Counter[str]()
    kinds = {usual, *map(str, finished.effects.values()), *(["withheld"] if withheld else [])} if most else set()
    for at in range(len(work.rows) if kinds else 0):
        kind = "withheld" if at in withheld else str(finished.effects.get(at, usual))
        taken[kind] += 1
        if taken[kind] <= most:
            yield kind, Candidate(at, work.rows[at], destination, at not in withheld)
        elif all(taken[one] >= most for one in kinds):
            return


def _effects(work: Work, finished: Finished, usual: str) -> Counter[str]:
    """The rows of a batch that change a contact, by effect; `usual` is that of its action."""
    effects = Counter(map(str, finished.effects.values()))
    without = {at for noted in work.evidence.values() for at in noted.get("absent", ())} | {*finished.without_contact}
    rest = len(work.rows) - len(finished.withheld) - len(finished.rejected) - len(without) - effects.total()
    effects[usual] += rest
    return effects


def masked(name: str) -> str:
    """An address, or a key, of which only its first letter and its domain are left."""
    local, at, domain = name.rpartition("@")
    return f"{(local or domain)[:1]}***{at}{domain if at else ''}"
