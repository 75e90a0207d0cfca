"""The interface between the engine and a provider: a destination with its fields, actions, encoding and steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from target_mailing.contacts.consent import Actions
from target_mailing.contacts.contact import EncodedContact, MappedContact
from target_mailing.contacts.effects import Effect
from target_mailing.contacts.fields import Fields, RowRejected, attempt

__all__ = [
    "Again", "AppendOnlyDestination", "Candidate", "Declining", "DefinesProperties", "Destination", "Done", "Finished",
    "ListsByRow", "ListsJobs", "Progress", "Refusal", "Step", "Work",
]  # fmt: skip


class Refusal(msgspec.Struct, frozen=True):
    """Why a row was refused.

    Attributes:
        code: stable.
        reason: may quote data; for the rejects file only.
        is_unasked: the provider did not answer whether the contact opted out.
    """

    code: str
    reason: str
    is_unasked: bool = False


class Done(msgspec.Struct, frozen=True):
    """The step is done.

    Attributes:
        evidence: the data that a later step, or a later run, needs to continue. Positions under `withheld` are rows
            that are not sent because of consent; those under `absent` are removals of contacts that do not exist.
        names: by position, the provider's IDs of the rows' contacts; the journal keeps them for later batches.
        left: by position, IDs that no longer belong to the contacts; the journal forgets them.
        refused: by position, rows that the provider refused in this step; the others continue. Later steps, also those
            of a later run, find their positions in the evidence under `refused`.
    """

    evidence: dict[str, Any]
    names: Mapping[int, Sequence[str]] = {}
    left: Mapping[int, Sequence[str]] = {}
    refused: Mapping[int, Refusal] = {}


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A job that the provider lists, and that a call whose reply was lost may have started.

    Attributes:
        job: the provider's ID.
        evidence: as in `Done`: from there the batch continues if the job is its own.
        is_certain: it names something that only this batch has; the other attributes do not matter then.
        has_ended: it changes no further contact.
        is_clean: it has ended without errors.
        count: rows that it counts now; None if the provider does not say.
    """

    job: str
    evidence: dict[str, Any]
    is_certain: bool = False
    has_ended: bool = False
    is_clean: bool = False
    count: int | None = None


class Again(msgspec.Struct, frozen=True):
    """The step has no result yet: take it again later.

    Attributes:
        after: seconds until then; None to poll at the pace of `poll_interval` and `poll_max_interval`.
        rewind: the results of earlier steps may be outdated by then: begin at the step's `again_from`, which finds its
            own previous evidence.
        maybe_done: for a step that is not repeatable: it is unknown whether it was done, which is harmless. Else it was
            not done.
        is_crowded: the provider refused the job because too many are under way.
        progress: how far the job is, by anything that changes only when it moves on; None if that does not show.
        is_missing: the provider does not know the job.
    """

    after: float | None = None
    rewind: bool = False
    maybe_done: bool = False
    is_crowded: bool = False
    progress: Hashable = None
    is_missing: bool = False


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """The batch has ended at the provider. Rows not named here were delivered.

    Attributes:
        job: the provider's ID of the job.
        rejected: by position in the batch, rows that the provider refused.
        withheld: positions of rows that were not sent because of consent.
        resend: positions of rows with an unknown result; sending them again is harmless.
        unresolved: it is unknown which rows failed: those neither rejected nor withheld must be split.
        absent: rows that are unresolved, or to be sent again, certainly did not arrive.
        reason: for rows that stay unresolved.
        most_read: how many rows that stay unresolved are read back at most; None for all of them.
        effects: by position, the effects on delivered rows, where the provider reports more than the action implies.
        without_contact: positions of removals that change nothing, since there is no contact; only a plan reads them.
    """

    job: str | None = None
    rejected: Mapping[int, Refusal] = {}
    withheld: Sequence[int] = ()
    resend: Sequence[int] = ()
    unresolved: bool = False
    absent: bool = False
    reason: str = ""
    most_read: int | None = None
    effects: Mapping[int, Effect] = {}
    without_contact: Sequence[int] = ()


Progress = Done | Again | Finished


class Work(msgspec.Struct, kw_only=True):
    """The input of a step.

    Attributes:
        action: the action for every row; it may be the destination's `ask`.
        rows: the contacts of the batch.
        evidence: of the steps done so far, by step.
        polls: how often this step returned `Again`.
        maybe_done: this step returned before that it may have been done.
        begun_at: when this step was first started (Unix seconds).
        lost_at: when its reply was lost, at the latest (Unix seconds); 0 if it was not.
        missing: how often in a row the provider did not know the job.
        missing_since: when it did not know it for the first of these times (Unix seconds).
        known: the evidence of the steps of all batches of this destination, as far as the journal remembers.
        resumed: the batch is from an earlier run: its rows have no content, and come again in the input.
        changed: for a step that `uses_changed`: positions of rows whose content the provider did not have before, as
            far as the journal knows.
        names: for a step that `uses_names`: by position, the provider's IDs of the rows' contacts, as far as known.
        journal: an identifier of this journal, the same in each run; "" for one that ends with the run.
        is_last: no step follows.
    """

    action: str
    rows: Sequence[EncodedContact]
    evidence: Mapping[str, dict[str, Any]]
    polls: int = 0
    maybe_done: bool = False
    begun_at: float = 0.0
    lost_at: float = 0.0
    missing: int = 0
    missing_since: float = 0.0
    known: Sequence[Mapping[str, Any]] = ()
    resumed: bool = False
    changed: Sequence[int] = ()
    names: Mapping[int, Sequence[str]] = {}
    journal: str = ""
    is_last: bool = False

    @property
    def refused(self) -> set[int]:
        """Positions of rows that an earlier step refused."""
        return {at for noted in self.evidence.values() for at in noted.get("refused", ())}

    @property
    def withheld(self) -> list[int]:
        """Positions of rows that an earlier step withheld because of consent."""
        return [at for noted in self.evidence.values() for at in noted.get("withheld", ())]

    @property
    def sent(self) -> list[int]:
        """Positions of the rows to send: those that no earlier step withheld, refused or found absent."""
        absent = {at for noted in self.evidence.values() for at in noted.get("absent", ())}
        left_out = {*self.withheld, *self.refused, *absent}
        return [at for at in range(len(self.rows)) if at not in left_out]

    @property
    def contacts(self) -> Iterator[EncodedContact]:
        """The contacts of the rows to send, in order; those on disk are read some at a time."""
        sent = self.sent
        return iter(self.rows) if len(sent) == len(self.rows) else (self.rows[at] for at in sent)


class Step(ABC):
    """One call for a batch, or the polling of its job.

    Attributes:
        name: its name in the journal.
        repeatable: taking the step twice has the effect of taking it once.
        watches: the step only polls a job, so its time-outs are those of jobs.
        started_by: the step whose evidence has the ID of the job that this one polls, under `job`.
        sends: a repeatable step that delivers rows, so that after a kill some of them may have arrived.
        prepares: a step that is not repeatable and delivers no row: if it is unknown whether it was done, no row is in
            doubt.
        is_known_by_count: nothing but the number of its rows tells its job from those of other batches.
        again_from: the earlier step at which a repetition of this one begins; None for itself.
        uses_changed, uses_names: it needs `Work.changed`, `Work.names`.
        only_reads: it changes nothing at the provider, so that a plan takes it as a run does.
        spares_shared: it removes former contacts, so `Work.names` holds only IDs that belong to no other contact with a
            key. In all steps of a removal it holds those that belong to no other key.
    """

    name: str
    repeatable: bool = True
    watches: bool = False
    sends: bool = False
    prepares: bool = False
    is_known_by_count: bool = False
    again_from: str | None = None
    started_by: str | None = None
    uses_changed: bool = False
    uses_names: bool = False
    only_reads: bool = False
    spares_shared: bool = False

    @abstractmethod
    def run(self, work: Work) -> Progress:
        """Take the step. Called from another thread.

        Raises:
            MailingError: it failed; with `maybe_done`, it is unknown whether it had an effect.
        """

    def foresee(self, work: Work) -> Progress:
        """The result of `run` if the provider accepts everything; nothing is written. Some steps have their own."""
        done = Finished(withheld=work.withheld) if work.is_last else Done({})
        return self.run(work) if self.only_reads else done

    def more_calls(self, work: Work) -> int:  # noqa: ARG002 - most often one
        """How many calls `run` makes besides those of `foresee` if nothing goes wrong; a job is polled once."""
        return 0 if self.only_reads else 1

    def undo(self, work: Work) -> None:  # noqa: B027 - most leave nothing
        """Remove what the step, done or only started, left at the provider for this batch, which ends here.

        Called from another thread, for each step of a batch that ends before it was submitted, or that is abandoned. It
        may be called again. Its errors are only logged.
        """

    def recover(self, work: Work) -> Sequence[Candidate] | None:  # noqa: ARG002 - a step that is repeatable has none
        """List the jobs that a call of unknown effect may have started, but none that `Work.known` names.

        Called from another thread, again and again until it is known whose the jobs are.

        Returns:
            The jobs; None if the provider does not list such jobs.
        """
        return None


class Destination(ABC):
    """A list or an account that receives contacts. The protocols below describe what only some destinations have.

    Attributes:
        name: provider, account and list; stable, since it identifies the destination in the journal.
        actions: its actions on contacts.
        fields: its fields.
    """

    name: str
    actions: Actions
    fields: Fields

    @property
    @abstractmethod
    def places(self) -> Collection[str]:
        """The lists that receive contacts, each locked for one run at a time: names without the account's label."""

    @abstractmethod
    def encode(self, contact: MappedContact, action: str) -> bytes:
        """A contact in the provider's own form; equal contacts give equal bytes.

        Raises:
            RowRejected: it cannot be delivered; never for one that is deleted.
        """

    def encode_all(self, contacts: Sequence[MappedContact], action: str) -> list[bytes | RowRejected]:
        """Many contacts: for each, what `encode` returns or raises."""
        return [attempt(self.encode, contact, action) for contact in contacts]

    def overlay(self, earlier: bytes, later: bytes) -> bytes:  # noqa: ARG002 - most often a row holds the whole contact
        """The contact with the effect of the earlier one followed by the later one."""
        return later

    @abstractmethod
    def parts(self, action: str, rows: Sequence[EncodedContact]) -> Sequence[tuple[str, Sequence[int]]]:
        """These rows divided into batches: the positions of each, and its route, which the journal keeps."""

    @abstractmethod
    def steps(self, action: str, route: str) -> Sequence[Step]:
        """The steps of a batch on that route, in order; the last one returns `Finished`."""

    def can_resume(self, route: str, begun: Collection[str]) -> bool:  # noqa: ARG002 - most often it may
        """Whether an unfinished batch of an earlier run on that route may be resumed.

        Args:
            route: from the journal.
            begun: the names of the steps that were started.

        Raises:
            ConfigurationError: it may, but these settings do not allow it.
        """
        return True

    def read_back(self, verdict: Finished, doubtful: Sequence[int]) -> Step | None:  # noqa: ARG002
        """A step that looks for rows which the verdict rejects only because no job reports whether they arrived.

        It returns `Finished`: the verdict without the rows that arrived. None where the provider cannot be asked.
        """
        return None


@runtime_checkable
class DefinesProperties(Protocol):
    """A destination in whose account a property must be defined before contacts can have it."""

    def create_properties(self, types: Mapping[str, Collection[str]]) -> None:
        """Define properties of these names, for values of these types (see `column_types`); `fields` then has them."""


@runtime_checkable
class Declining(Protocol):
    """A destination that stores which topics its contacts opted out of (`Actions.decline`), but only of existing ones.

    The journal remembers the topics of other people until they are added.
    """

    def declined(self, contact: bytes) -> Collection[str]:
        """The topics that a contact, as `encode` returned it, opted out of: stable names without personal data."""

    def declining(self, contact: bytes, names: Collection[str]) -> bytes:
        """A contact, as `encode` returned it, that opts out of these topics, too, unless it may undo that."""


@runtime_checkable
class ListsJobs(Protocol):
    """A destination whose provider lists its jobs, so that one call shows which of them still run."""

    def running_jobs(self, jobs: Collection[str]) -> Mapping[str, Again | None]:
        """Those of these jobs that the listing shows: `Again` for one that still runs, None for one that has ended.

        Called from another thread.

        Raises:
            MailingError: the provider could not be asked.
        """


@runtime_checkable
class ListsByRow(Protocol):
    """A destination whose rows name the lists that their action is for."""

    def actions_on_lists(self, contact: bytes) -> Mapping[str, str]:
        """By list, the action on a contact, as `encode` returned it."""

    def opted_out(self, contact: bytes, lists: Collection[str]) -> bytes:
        """A contact, as `encode` returned it, that opted out of these lists by earlier rows of the run.

        It is not added to them, unless its row may undo that, and not removed from them.
        """

    def only_opt_outs(self, contact: bytes) -> bytes:
        """Of a contact, as `encode` returned it, only its opt-outs from lists; empty if it has none."""


@runtime_checkable
class AppendOnlyDestination(Protocol):
    """A destination whose contacts cannot be changed or removed, and would exist twice if they were sent again.

    A row that would need one of these is rejected. All contacts can be replaced as a whole.

    Attributes:
        name, actions: as of each destination.
        replaces_contents: each run delivers the complete contents: earlier contacts are removed when it has succeeded.
        holds_since: contacts that were confirmed before this moment (Unix seconds) no longer exist there; 0 for never.
    """

    name: str
    actions: Actions
    replaces_contents: bool
    holds_since: float

    def closing(self) -> Sequence[Step]:
        """The steps at the end of a run in which rows were delivered, and every row has its outcome.

        They exist where contents are replaced. They run before the run's STATE is written, without rows. The first one
        finds what is to leave; nobody leaves before the second one begins. If the run is stopped before their end, they
        are not resumed: the next run has its own.
        """
