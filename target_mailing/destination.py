"""What a destination is to the engine: fields, actions, an encoding, and a list of resumable steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from target_mailing.contacts.consent import Actions
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.effects import Effect
from target_mailing.contacts.fields import Fields
from target_mailing.row import Row

__all__ = [
    "Again",
    "AppendOnlyDestination",
    "Declining",
    "DefinesProperties",
    "Destination",
    "Done",
    "Finished",
    "ListsByRow",
    "Progress",
    "Refusal",
    "Step",
    "Work",
]


class Refusal(msgspec.Struct, frozen=True):
    """Why a row was not taken.

    Attributes:
        code: stable.
        reason: may quote data; for the rejects file only.
        is_unasked: the provider refused to tell whether the contact opted out.
    """

    code: str
    reason: str
    is_unasked: bool = False


class Done(msgspec.Struct, frozen=True):
    """The step is done.

    Attributes:
        evidence: what a later step, or a later run, needs to go on. Positions under `withheld` are of rows that are
            not sent, for the sake of consent, whatever becomes of the others; those under `absent` of rows that need
            not be sent, since who is to leave is not there.
        certain: where a step of unknown effect was found to be done: nobody else can have done it.
        names: by position, what the provider calls the rows' contacts; the journal keeps it for later batches.
        left: by position, such names that stand for the contacts no more; the journal forgets them.
        refused: by position, rows that the provider refused in this step; the others go on. Later steps, also those of
            a later run, find their positions in the evidence under `refused`.
    """

    evidence: dict[str, Any]
    certain: bool = False
    names: Mapping[int, Sequence[str]] = {}
    left: Mapping[int, Sequence[str]] = {}
    refused: Mapping[int, Refusal] = {}


class Again(msgspec.Struct, frozen=True):
    """The step has no result yet: take it again later.

    Attributes:
        after: seconds until then; None to poll at the pace of `poll_interval` and `poll_max_interval`.
        rewind: what earlier steps found may be old by then: begin at the step's `again_from`, which finds in the
            evidence what it noted itself the last time.
        maybe_done: of a step that is not repeatable: nobody knows whether it was done, which does no harm. Else nothing
            was done.
    """

    after: float | None = None
    rewind: bool = False
    maybe_done: bool = False


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """The batch has ended at the provider. Rows not named here were delivered.

    Attributes:
        job: the provider's name for the work.
        rejected: by position in the batch, rows that the provider refused.
        withheld: positions of rows that were not sent, for the sake of consent.
        resend: positions of rows of which nobody can tell; sending them again does no harm.
        unresolved: nobody can tell which rows failed: those neither rejected nor withheld are to be split.
        absent: whatever is unresolved, or to be sent again, certainly did not arrive.
        reason: for rows that stay unresolved.
        effects: by position, what was done to rows that were delivered, where it is known better than by the action.
    """

    job: str | None = None
    rejected: Mapping[int, Refusal] = {}
    withheld: Sequence[int] = ()
    resend: Sequence[int] = ()
    unresolved: bool = False
    absent: bool = False
    reason: str = ""
    effects: Mapping[int, Effect] = {}


Progress = Done | Again | Finished


class Work(msgspec.Struct, kw_only=True):
    """What a step is given.

    Attributes:
        action: what is to be done with every row; it may be the destination's `ask`.
        rows: the batch.
        evidence: of the steps done so far, by step.
        polls: how often this step said `Again`.
        maybe_done: this step said that it may have been done before.
        begun_at: when this step was first begun (Unix seconds).
        known: what the steps of all batches of this destination noted, as far as the journal remembers.
        resumed: the batch is of an earlier run: its rows have no content, and come again in the input.
        names: for a step that `uses_names`: by position, what the provider calls the rows' contacts, as far as known.
        journal: a name for this journal, the same in each run; "" for one that ends with the run.
    """

    action: str
    rows: Sequence[Row]
    evidence: Mapping[str, dict[str, Any]]
    polls: int = 0
    maybe_done: bool = False
    begun_at: float = 0.0
    known: Sequence[Mapping[str, Any]] = ()
    resumed: bool = False
    names: Mapping[int, Sequence[str]] = {}
    journal: str = ""

    @property
    def refused(self) -> set[int]:
        """Positions of rows that an earlier step did not let pass."""
        return {at for noted in self.evidence.values() for at in noted.get("refused", ())}

    @property
    def withheld(self) -> list[int]:
        """Positions of rows that an earlier step withheld, for the sake of consent."""
        return [at for noted in self.evidence.values() for at in noted.get("withheld", ())]

    @property
    def sent(self) -> list[int]:
        """Positions of the rows that a job is given: no earlier step withheld or refused them, or had no need of it."""
        absent = {at for noted in self.evidence.values() for at in noted.get("absent", ())}
        left_out = {*self.withheld, *self.refused, *absent}
        return [at for at in range(len(self.rows)) if at not in left_out]


class Step(ABC):
    """One call, or one watch, of a batch.

    Attributes:
        name: under which the journal keeps it.
        repeatable: taking the step twice has the effect of taking it once.
        watches: the step only looks at a job under way, so its time-outs are those of jobs.
        sends: a repeatable step by which rows arrive, so that after a kill some of them may have.
        prepares: a step that is not repeatable, by which no row arrives: if nobody can tell whether it was done, no row
            is in doubt.
        again_from: the earlier step from which taking this one again begins; None for itself.
        uses_names: it needs `Work.names`.
        spares_shared: it removes what the rows' contacts were called before, so that these names are only those that
            no other contact has which a key has. For all steps of a removal they are those that no other key has.
    """

    name: str
    repeatable: bool = True
    watches: bool = False
    sends: bool = False
    prepares: bool = False
    again_from: str | None = None
    uses_names: bool = False
    spares_shared: bool = False

    @abstractmethod
    def run(self, work: Work) -> Progress:
        """Take the step. Called from another thread.

        Raises:
            MailingError: it failed; with `maybe_done`, nobody knows whether it had its effect.
        """

    def undo(self, work: Work) -> None:  # noqa: B027 - most leave nothing
        """Clear away what the step, taken or only begun, left for this batch, which goes no further.

        Called from another thread, for each step that was taken: of a batch that ends before it was submitted, or that
        is given up. It may be called again. Whatever it raises is told in the log only.
        """

    def recover(self, work: Work) -> Done | None:  # noqa: ARG002 - only a step that is not repeatable needs it
        """Find out whether a step of unknown effect was done: its evidence, or None if the provider cannot tell."""
        return None


class Destination(ABC):
    """Somewhere contacts go: one list, or one account. What only some destinations have, protocols below describe.

    Attributes:
        name: provider, account and list; stable, since the journal remembers by it.
        actions: what can be done with a contact.
        fields: what it takes.
    """

    name: str
    actions: Actions
    fields: Fields

    @property
    @abstractmethod
    def places(self) -> Collection[str]:
        """The lists that contacts go to, each for one run at a time: names without the account's label."""

    @abstractmethod
    def encode(self, contact: MappedContact, action: str) -> bytes:
        """A contact in the provider's own form; equal contacts give equal bytes.

        Raises:
            RowRejected: it cannot be delivered; never for one that is deleted.
        """

    def overlay(self, earlier: bytes, later: bytes) -> bytes:  # noqa: ARG002 - most often a row says all of a contact
        """The contact that has the effect of the earlier followed by the later."""
        return later

    @abstractmethod
    def parts(self, action: str, rows: list[Row]) -> Sequence[tuple[str, list[Row]]]:
        """The batches that these rows go in, each with its route: a name that the journal keeps for later runs."""

    @abstractmethod
    def steps(self, action: str, route: str) -> Sequence[Step]:
        """The steps of a batch on that route, in order; the last ones say `Finished`."""

    def can_resume(self, route: str, begun: Collection[str]) -> bool:  # noqa: ARG002 - most often nothing is in the way
        """Whether a batch that an earlier run left unfinished on that route may be gone on with.

        Args:
            route: that the journal kept.
            begun: the names of the steps that were begun.

        Raises:
            ConfigurationError: it may, but these settings do not allow it.
        """
        return True

    def read_back(self, verdict: Finished, doubtful: Sequence[int]) -> Step | None:  # noqa: ARG002
        """A step that looks for rows which the verdict rejects only because no job can tell whether they arrived.

        It says `Finished`: the verdict, without those that are there. None where the provider cannot be asked.
        """
        return None


@runtime_checkable
class DefinesProperties(Protocol):
    """A destination in whose account a property must be defined before contacts can have it."""

    def create_properties(self, types: Mapping[str, Collection[str]]) -> None:
        """Define properties of these names, for values of these types (see `column_types`); `fields` then has them."""


@runtime_checkable
class Declining(Protocol):
    """A destination that keeps what its contacts declined (`Actions.decline`), but of nobody who is not there.

    The journal remembers what others declined until they are added.
    """

    def declined(self, contact: bytes) -> Collection[str]:
        """What a contact, as `encode` gave it, declines: stable names, which tell nothing of a person."""

    def declining(self, contact: bytes, names: Collection[str]) -> bytes:
        """A contact, as `encode` gave it, that declines these, too, as far as it is not to undo that."""


@runtime_checkable
class ListsByRow(Protocol):
    """A destination whose rows name the lists that their action is for.

    Its `encode` adds to no list of which an earlier row of the run opted the contact out.
    """

    def actions_on_lists(self, contact: MappedContact, action: str) -> Mapping[str, str]:
        """By list, what is done there with a row's contact."""


@runtime_checkable
class AppendOnlyDestination(Protocol):
    """A destination whose contacts can neither change nor leave, and would be there twice if they were sent again.

    Whatever asks for one of these is rejected. All contacts can be replaced as a whole.

    Attributes:
        name: as of each destination.
        actions: as of each destination.
        replaces_contents: each run delivers all that is to be there: what was there before leaves when it has ended
            well.
        holds_since: what was confirmed before this moment (Unix seconds) is not there any more; 0 where that cannot be.
    """

    name: str
    actions: Actions
    replaces_contents: bool
    holds_since: float

    def closing(self) -> Sequence[Step]:
        """The steps that end a run in which rows were delivered, and every row has its outcome.

        Where contents are replaced. The steps are taken before the run's STATE leaves, and given no rows. A run that
        is stopped before their end does not go on with them later: the next one has its own.
        """
