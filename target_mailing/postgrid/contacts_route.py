"""The steps of PostGrid's route `contacts`: make or find the contacts, judge the list's job by them, delete the old.

Errors of a job name nobody, and whether those of an earlier one stay is unverified: contacts tell where they are.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, Literal

import msgspec

from mailing_api.counted import counted
from mailing_api.errors import NotFound, ProviderFault, RequestRefused
from mailing_api.postgrid.client import JobWork, PostgridClient
from target_mailing.contacts.consent import Actions
from target_mailing.delivery.one_by_one import take_each, take_each_that_works
from target_mailing.delivery.row_size import refusal_by_size
from target_mailing.destination import Again, Done, Finished, Progress, Refusal, Step, Work
from target_mailing.postgrid.contact import EXTERNAL_ID, EXTERNAL_STREAM, with_reference
from target_mailing.postgrid.list import TargetList
from target_mailing.postgrid.list_job import Follow, ReservedContacts, Submit

__all__ = [
    "ACTIONS",
    "CreateContacts",
    "DeleteContacts",
    "End",
    "FindContacts",
    "FollowOld",
    "Nothing",
    "ReadErrors",
    "ReadOldErrors",
    "SubmitOld",
    "leaving",
    "made",
    "replaced",
]

logger = logging.getLogger("target-mailing.postgrid")

#: PostGrid keeps no opt-outs, so one is kept by being on no list.
ACTIONS: Final = Actions(
    known=frozenset({"addnoforce", "remove", "unsub"}),
    remove="remove",
    ask="ask",
    unsubscribe="unsub",
    respectful={},
    records_opt_outs=False,
    removing_erases_opt_out=False,
    old_first=False,
)

#: The key of a search that only shows whether PostGrid answers.
_NOBODY: Final = "nobody"

#: Why a row's contacts are not known to be where they should be: one is no more, one is elsewhere, or nobody tells.
Wrong = Literal["gone", "elsewhere", "unknown"]


@dataclass(frozen=True)
class Nothing(Step):
    """All that is done for somebody who is only asked about: PostGrid has no opt-outs to ask for."""

    name = "nothing"

    def run(self, work: Work) -> Progress:  # noqa: ARG002 - nothing depends on it
        """Do nothing."""
        return Finished()


@dataclass(frozen=True)
class CreateContacts(Step):
    """Makes each contact, or gets the identical one that is there.

    Where another journal filled the list, too, older contacts of the same row are looked for: they are to leave.
    """

    client: PostgridClient
    mailing_list: TargetList
    name = "contacts"

    def run(self, work: Work) -> Progress:
        """Make one after the other."""
        looks_back = not self.mailing_list.is_known_to(work.journal)
        refused: dict[int, Refusal] = {}
        answered = 0

        def make(at: int) -> list[str]:
            nonlocal answered
            row = work.rows[at]
            try:
                new = str(self.client.create_contact(with_reference(row.contact, row.reference))["id"])
            except (RequestRefused, ProviderFault) as error:
                refused[at] = self._refusal(error, len(row.contact), answered)
                return []
            answered = max(answered, len(row.contact))
            return [new, *(one for one in (found(self.client, row.reference) if looks_back else ()) if one != new)]

        names, failed = take_each(range(len(work.rows)), make, probe=self.mailing_list.look)
        ids = [names.get(at, [])[:1] for at in range(len(work.rows))]
        return Done({"ids": ids}, names={at: each for at, each in names.items() if each}, refused=refused | failed)

    def _refusal(self, error: RequestRefused | ProviderFault, size: int, answered: int) -> Refusal:
        by_size = refusal_by_size(error, size=size, answered=answered, probe=self.mailing_list.look)
        if by_size is None and isinstance(error, ProviderFault):
            raise error
        return by_size or Refusal("refused_by_provider", f"{error.said or error.status}")


@dataclass(frozen=True)
class FindContacts(Step):
    """Looks for contacts to be removed by what their metadata says of the row.

    Those that the journal knows are enough only where no other journal filled the list.
    """

    client: PostgridClient
    mailing_list: TargetList
    name = "find"
    uses_names = True

    def run(self, work: Work) -> Progress:
        """Look for each."""
        is_known = self.mailing_list.is_known_to(work.journal)
        names: dict[int, list[str]] = {}
        refused: dict[int, Refusal] = {}

        def look(at: int) -> None:
            try:
                ids = found(self.client, work.rows[at].reference)
            except RequestRefused as error:
                why = f"looking for the contact: {error.said or error.status}"
                refused[at] = Refusal("refused_by_provider", why)
                return
            if ids:
                names[at] = ids

        unknown = [at for at in range(len(work.rows)) if not (is_known and at in work.names)]
        probe = partial(self.client.contacts_with, EXTERNAL_ID, _NOBODY)
        refused |= take_each(unknown, look, probe=probe, only_reads=True)[1]
        return Done({}, names=names, refused=refused)


def found(client: PostgridClient, reference: tuple[str, ...]) -> list[str]:
    """The contacts that were made for a row; what has its key and not its stream is somebody else's."""
    if not reference:
        return []
    stream, key = reference
    return [
        str(row["id"])
        for row in client.contacts_with(EXTERNAL_ID, key)
        if row["metadata"].get(EXTERNAL_STREAM) == stream
    ]


# Whom the list's jobs name, row by row


def made(work: Work) -> list[list[str]]:
    """The contacts that were made."""
    return [list(each) for each in work.evidence["contacts"]["ids"]]


def leaving(work: Work) -> list[list[str]]:
    """The contacts by which the rows are known; of those that PostGrid does not look for nobody knows them all."""
    refused = work.refused
    return [[] if at in refused else list(work.names.get(at, ())) for at in range(len(work.rows))]


def replaced(work: Work) -> list[list[str]]:
    """What the contacts were called before: PostGrid made them anew, or we forgot them. Who did not come has none."""
    new = {one for each in made(work) for one in each}
    stays = work.refused.union(_noted("wrong", work), _noted("doubtful", work))
    return [[] if at in stays else [one for one in each if one not in new] for at, each in enumerate(leaving(work))]


@dataclass(frozen=True)
class ReadErrors(Step):
    """Where a job may not have gone well, looks for each contact whether it is where it should be; begins the next.

    Its evidence: `wrong`, positions of rows to be sent again at the end, and `doubtful`, of those that are not.
    """

    client: PostgridClient
    mailing_list: str
    work: JobWork
    is_last: bool
    name = "errors"
    again_from = "submit"
    after: ClassVar[str] = "submit"
    followed: ClassVar[str] = "follow"

    def run(self, work: Work) -> Progress:
        """Judge the job."""
        submitted, followed = work.evidence[self.after], work.evidence[self.followed]
        wrong = self._wrong(work)
        if rest := set(submitted["rest"]):
            if not wrong:
                return Again(0.0, rewind=True)
            wrong |= {at: "elsewhere" for at, each in enumerate(submitted["ids"]) if not rest.isdisjoint(each)}
        sent = [at for at in range(len(work.rows)) if at not in work.refused]
        reason = followed["trouble"] or "a contact was deleted before the list's job"
        doubtful: list[int] = []
        if not followed["shown"]:  # perhaps it only begins later, so that one more is worth it
            doubtful = [at for at, why in wrong.items() if why != "gone" and work.rows[at].resubmitted]
        elif len(wrong) == len(sent) and "gone" not in wrong.values():
            if len(sent) > 1 or "unknown" not in wrong.values():
                absent = "failed" in submitted and "unknown" not in wrong.values()
                return Finished(unresolved=True, absent=absent, reason=reason)
            doubtful = sent
        noted = {"wrong": sorted(wrong.keys() - set(doubtful)), "doubtful": doubtful, "reason": reason} if wrong else {}
        if self.is_last or (wrong and len(wrong) == len(sent)):
            return _finished(msgspec.structs.replace(work, evidence={**work.evidence, self.name: noted}))
        return Done(noted)

    def _wrong(self, work: Work) -> dict[int, Wrong]:
        """The rows that are not known to be where they should be, by position."""
        submitted, followed = work.evidence[self.after], work.evidence[self.followed]
        ids = {at: each for at, each in enumerate(submitted["ids"]) if each and at not in work.refused}
        gone = set(submitted["gone"]) if self.work == "addContacts" else set()
        wrong: dict[int, Wrong] = {at: "gone" for at, each in ids.items() if not gone.isdisjoint(each)}
        if not followed["trouble"]:
            return wrong
        left = [at for at in ids if at not in wrong]
        if "failed" in submitted:
            for at in left:  # an earlier job may yet do what this one did not
                wrong[at] = "unknown" if submitted["lost"] or work.rows[at].resubmitted else "elsewhere"
            return wrong
        rest = set(submitted["rest"])
        probe = partial(self.client.contacts_with, EXTERNAL_ID, _NOBODY)
        told, failing = take_each_that_works(left, lambda at: self._why_wrong(ids[at], rest), probe=probe)
        wrong |= {at: why for at, why in told.items() if why is not None}
        return wrong | dict.fromkeys(failing, "unknown")

    def _why_wrong(self, contacts: Sequence[str], rest: set[str]) -> Wrong | None:
        """Why a row is wrong, as far as a job has named its contacts."""
        return next((why for one in contacts if one not in rest and (why := self._where(one)) is not None), None)

    def _where(self, contact: str) -> Wrong | None:
        is_added = self.work == "addContacts"
        try:
            lists = self.client.contact(contact).get("mailingLists")
        except NotFound:
            return "gone" if is_added else None
        if lists is None:  # which PostGrid may not tell
            return "unknown"
        on = {one.get("id") if isinstance(one, dict) else one for one in lists}
        return None if (self.mailing_list in on) == is_added else "elsewhere"


def _noted(name: Literal["wrong", "doubtful"], work: Work) -> list[int]:
    """Positions of rows that steps found so."""
    return [at for noted in work.evidence.values() for at in noted.get(name, ())]


def _finished(work: Work) -> Finished:
    """The end of a batch of which steps may have found rows wrong."""
    reason = "; ".join(noted["reason"] for noted in work.evidence.values() if "wrong" in noted)
    rejected: Mapping[int, Refusal] = dict.fromkeys(_noted("doubtful", work), Refusal("unconfirmed", reason))
    return Finished(resend=_noted("wrong", work), rejected=rejected, reason=reason)


class SubmitOld(Submit):
    """Takes contacts off the list that were replaced. Of a row that was refused nothing new came: its old ones stay."""

    name = "submit_old"
    spares_shared = True


class FollowOld(Follow):
    """Looks at the list until those are off it, and then do not stand for their rows any more."""

    name = "follow_old"
    after = "submit_old"

    def run(self, work: Work) -> Progress:
        """Look once."""
        progress = super().run(work)
        if not isinstance(progress, Done) or progress.evidence["trouble"]:
            return progress
        submitted = work.evidence[self.after]
        rest = set(submitted["rest"])
        left = {at: [one for one in each if one not in rest] for at, each in enumerate(submitted["ids"])}
        return msgspec.structs.replace(progress, left=left)


class ReadOldErrors(ReadErrors):
    """Judges the job that took them off."""

    name = "errors_old"
    again_from = "submit_old"
    after = "submit_old"
    followed = "follow_old"


@dataclass(frozen=True)
class DeleteContacts(Step):
    """Deletes contacts that were taken off the list, if they are on no other, and not about to be.

    Those that are gone then do not stand for their rows any more.
    """

    client: PostgridClient
    after: str
    joining: ReservedContacts
    name = "delete"

    def run(self, work: Work) -> Progress:
        """Delete one after the other."""
        contacts = list(dict.fromkeys(one for each in work.evidence[self.after]["ids"] for one in each))
        probe = partial(self.client.contacts_with, EXTERNAL_ID, _NOBODY)
        taken, failing = take_each_that_works(range(len(contacts)), lambda at: self._delete(contacts[at]), probe=probe)
        if failing:
            logger.warning(
                "%s not deleted: PostGrid answered HTTP 5xx each time it was asked",
                counted(len(failing), "contact that left the list is", "contacts that left the list are"),
            )
        gone = {contacts[at] for at, is_gone in taken.items() if is_gone}
        ids = enumerate(work.evidence[self.after]["ids"])
        return Done({}, left={at: left for at, each in ids if (left := [one for one in each if one in gone])})

    def _delete(self, contact: str) -> bool:
        """Whether it is gone."""
        with self.joining.spared(contact) as is_spared:
            if is_spared:
                return False
            try:
                is_alone = self.client.contact(contact).get("mailingLists") == []
            except NotFound:
                return True
            if is_alone:
                self.client.delete_contact(contact)
            return is_alone


class End(Step):
    """Tells how the batch ended, of which earlier steps may have found rows wrong."""

    name = "end"

    def run(self, work: Work) -> Progress:
        """Nothing is done."""
        return _finished(work)
