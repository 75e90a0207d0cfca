"""The steps of PostGrid's route `contacts`: make or find the contacts, submit the list's job, follow it, its errors.

A list takes one job at a time, a job has no ID, and one that failed ends like any other: only the list's errors tell.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from mailing_api.errors import MailingError, NotFound, RequestRefused
from mailing_api.postgrid import JobWork, MailingList, PostgridClient
from target_mailing.consent import Actions
from target_mailing.postgrid_contact import EXTERNAL_ID, EXTERNAL_STREAM, with_reference
from target_mailing.postgrid_list import TargetList
from target_mailing.steps import Again, Done, Finished, Progress, Refusal, Step, Work

__all__ = [
    "ACTIONS",
    "CreateContacts",
    "DeleteContacts",
    "FindContacts",
    "Follow",
    "FollowOld",
    "Nothing",
    "Polls",
    "ReadErrors",
    "ReadOldErrors",
    "Submit",
    "SubmitOld",
]

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

#: Seconds during which a list that looks untouched is taken for one whose job has not begun yet.
_JOB_APPEARS_WITHIN: Final = 10.0
#: Refusals of a job that mean a busy list, or that something is wrong with it: which is which is unverified.
_PERHAPS_BUSY: Final = frozenset({400, 409, 422})


@dataclass(frozen=True)
class Polls:
    """Seconds between two looks at a list: longer each time, up to the longest, and never all at once."""

    interval: float
    longest: float

    def again(self, polls: int) -> Again:
        """When to look again, after so many looks."""
        wait = min(self.longest, self.interval * 1.5 ** min(polls, 40))
        return Again(wait * random.uniform(0.8, 1.2))  # noqa: S311


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
        ids: list[str | None] = []
        old: dict[int, list[str]] = {}
        refused: dict[int, Refusal] = {}
        for at, row in enumerate(work.rows):
            try:
                ids.append(str(self.client.create_contact(with_reference(row.contact, row.reference))["id"]))
            except RequestRefused as error:
                ids.append(None)
                refused[at] = Refusal("refused_by_provider", f"{error.said or error.status}")
                continue
            if looks_back and (before := [one for one in found(self.client, row.reference) if one != ids[-1]]):
                old[at] = before
        names = {at: [one, *old.get(at, ())] for at, one in enumerate(ids) if one is not None}
        return Done({"ids": [[one] if one else [] for one in ids]}, names=names, refused=refused)


@dataclass(frozen=True)
class FindContacts(Step):
    """Looks for contacts to be removed of which the journal knows no ID, by what their metadata says of the row."""

    client: PostgridClient
    name = "find"
    uses_names = True

    def run(self, work: Work) -> Progress:
        """Look for each."""
        names = {
            at: ids
            for at, row in enumerate(work.rows)
            if at not in work.names and row.reference and (ids := found(self.client, row.reference))
        }
        return Done({}, names=names)


def found(client: PostgridClient, reference: tuple[str, ...]) -> list[str]:
    """The contacts that were made for a row."""
    if not reference:
        return []
    stream, key = reference
    return [
        str(row["id"])
        for row in client.contacts_with(EXTERNAL_ID, key)
        if row["metadata"].get(EXTERNAL_STREAM, stream) == stream
    ]


@dataclass(frozen=True)
class Submit(Step):
    """Starts the list's job as soon as the list takes one.

    Whether a call whose reply was lost began a job cannot be told, since jobs have no ID and others may work on the
    list, too. So it is made again when the list is free: who is on it already stays, who is gone stays gone.
    """

    client: PostgridClient
    mailing_list: str
    work: JobWork
    polls: Polls
    name = "submit"
    repeatable = False
    uses_names = True

    def run(self, work: Work) -> Progress:
        """Wait, or post the job."""
        before = self._look()
        ids = self.ids(work)
        if not any(ids):
            return self.nothing(work)
        if before.busy:
            return self.polls.again(work.polls)
        flat = list(dict.fromkeys(one for each in ids for one in each))
        ended = self._post(flat, work)
        if ended is not None:
            return ended
        return Done({"job": self.mailing_list, "ids": ids, "before": before.updated_at, "errors": before.errors})

    def _post(self, ids: list[str], work: Work) -> Progress | None:
        """Post the job; says how it ends where it was not taken."""
        for attempt in range(3):
            try:
                self.client.submit_job(self.mailing_list, self.work, ids)
            except RequestRefused as error:
                if error.status not in _PERHAPS_BUSY:
                    raise
                if self._look().busy:
                    return self.polls.again(work.polls)
                if attempt == 1:  # it was not busy both times: perhaps it does not take a contact that is gone
                    ids = [one for one in ids if self.exists(one)]
                if not ids and self.work.startswith("remove"):
                    return self.nothing(work)
                if attempt == 2 or not ids:
                    return Finished(unresolved=True, reason=f"the job was refused ({error.code or error.status})")
            else:
                break
        return None

    def ids(self, work: Work) -> list[list[str]]:
        """The contacts of each row."""
        if self.work == "removeContacts":
            return [list(work.names.get(at, ())) for at in range(len(work.rows))]
        return [list(each) for each in work.evidence["contacts"]["ids"]]

    def nothing(self, work: Work) -> Progress:  # noqa: ARG002 - what comes after it may matter elsewhere
        """What it means that there is nobody to be put on the list, or to be taken off it."""
        return Finished()

    def _look(self) -> MailingList:
        try:
            return self.client.mailing_list(self.mailing_list)
        except MailingError as error:
            error.maybe_done = False  # no job was begun by looking
            raise

    def exists(self, contact: str) -> bool:
        """Whether a contact is there."""
        try:
            self.client.contact(contact)
        except NotFound:
            return False
        except MailingError as error:
            error.maybe_done = False
            raise
        return True


@dataclass(frozen=True)
class Follow(Step):
    """Looks at the list until its job has ended."""

    client: PostgridClient
    mailing_list: str
    polls: Polls
    name = "follow"
    watches = True
    after: ClassVar[str] = "submit"

    def run(self, work: Work) -> Progress:
        """Look once."""
        submitted = work.evidence[self.after]
        if submitted.get("none"):
            return Done({"errors": []})
        now = self.client.mailing_list(self.mailing_list)
        untouched = now.updated_at is not None and now.updated_at == submitted["before"]
        if now.busy or (untouched and time.time() - work.begun_at < _JOB_APPEARS_WITHIN):
            return self.polls.again(work.polls)
        return Done({"errors": list(now.errors)})


@dataclass(frozen=True)
class ReadErrors(Step):
    """Where the list tells of errors, looks for each contact whether it is where it should be.

    Errors name nobody, and whether those of an earlier job stay is unverified.
    """

    client: PostgridClient
    mailing_list: str
    work: JobWork
    is_last: bool
    name = "errors"
    after: ClassVar[str] = "submit"
    followed: ClassVar[str] = "follow"

    def run(self, work: Work) -> Progress:
        """Judge the job."""
        errors = work.evidence[self.followed]["errors"]
        if not errors:
            return Finished() if self.is_last else Done({})
        wrong = self._wrong(work.evidence[self.after]["ids"], work.refused)
        if not wrong:
            return Finished() if self.is_last else Done({})
        reason = f"the list's job ended with {', '.join(sorted(set(errors)))}"
        if len(wrong) == len(work.rows) - len(work.refused):
            return Finished(unresolved=True, reason=reason)
        return Finished(resend=wrong, reason=reason)

    def _wrong(self, ids: Sequence[Sequence[str]], refused: set[int]) -> list[int]:
        """Positions of rows that are not known to be where they should."""
        return [
            at
            for at, each in enumerate(ids)
            if at not in refused and not all(self._is_right(contact) for contact in each)
        ]

    def _is_right(self, contact: str) -> bool:
        is_added = self.work == "addContacts"
        try:
            lists = self.client.contact(contact).get("mailingLists")
        except NotFound:
            return not is_added
        if lists is None:  # which PostGrid may not tell
            return False
        return (self.mailing_list in {one.get("id") if isinstance(one, dict) else one for one in lists}) == is_added


class SubmitOld(Submit):
    """Takes off the list what the rows' contacts were called before: PostGrid made them anew, or we forgot them.

    Of a row that was refused nothing new came, so what was there stays.
    """

    name = "submit_old"
    spares_shared = True

    def ids(self, work: Work) -> list[list[str]]:
        """The old contacts of each row."""
        made = {one for each in work.evidence["contacts"]["ids"] for one in each}
        refused = work.refused
        names = {at: names for at, names in work.names.items() if at not in refused}
        return [[one for one in names.get(at, ()) if one not in made] for at in range(len(work.rows))]

    def nothing(self, work: Work) -> Progress:  # noqa: ARG002 - there are none
        """Nobody is replaced."""
        return Done({"none": True, "ids": []})


class FollowOld(Follow):
    """Looks at the list until those are off it."""

    name = "follow_old"
    after = "submit_old"


class ReadOldErrors(ReadErrors):
    """Judges the job that took them off."""

    name = "errors_old"
    after = "submit_old"
    followed = "follow_old"


@dataclass(frozen=True)
class DeleteContacts(Step):
    """Deletes contacts that were taken off the list, if they are known to be on no other."""

    client: PostgridClient
    after: str
    name = "delete"

    def run(self, work: Work) -> Progress:
        """Delete one after the other."""
        for contact in dict.fromkeys(one for each in work.evidence[self.after]["ids"] for one in each):
            try:
                if self.client.contact(contact).get("mailingLists") == []:
                    self.client.delete_contact(contact)
            except NotFound:
                continue
        return Finished()
