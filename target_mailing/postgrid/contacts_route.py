"""The steps of PostGrid's route `contacts`: create or find contacts, judge the list's job by them, delete the old ones.

A job's errors name no contact, and whether they stay after the next job is unverified: contacts show their lists.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final, Literal

import msgspec

from mailing_api.counted import counted
from mailing_api.errors import NotFound, ProviderFault, RateLimited, RequestRefused, UnreadableAnswer
from mailing_api.postgrid.answers import Row
from mailing_api.postgrid.client import JobWork, PostgridClient
from target_mailing.delivery.one_by_one import take_each, take_each_that_works
from target_mailing.delivery.row_size import refusal_by_size
from target_mailing.interface.destination import Again, Done, Finished, Progress, Refusal, Step, Work
from target_mailing.postgrid.contact import EXTERNAL_ID, EXTERNAL_STREAM, with_reference
from target_mailing.postgrid.list import TargetList
from target_mailing.postgrid.list_job import ReservedContacts

__all__ = [
    "CreateContacts",
    "DeleteContacts",
    "End",
    "FindContacts",
    "ReadErrors",
    "created",
    "leaving",
    "replaced",
    "rows_of",
]

logger = logging.getLogger("target-mailing.postgrid")

#: The key of a search that only shows whether PostGrid answers.
_NOBODY: Final = "nobody"

#: Why a row's contacts may not be where they should: one was deleted, one is elsewhere, or PostGrid does not show it.
Wrong = Literal["gone", "elsewhere", "unknown"]


def _search(client: PostgridClient) -> Callable[[], object]:
    return partial(client.contacts_with, EXTERNAL_ID, _NOBODY)


@dataclass(frozen=True)
class CreateContacts(Step):
    """Creates each contact, or gets the identical existing one.

    If another journal filled the list, too, older contacts of the same row are looked up: they must leave.
    """

    client: PostgridClient
    mailing_list: TargetList
    name = "contacts"

    def run(self, work: Work) -> Progress:
        """Create one after the other."""
        looks_back = not self.mailing_list.is_known_to(work.journal)
        probe = self.mailing_list.read
        answered = 0

        def create(position: int) -> list[str] | Refusal:
            nonlocal answered
            row = work.rows[position]
            try:
                new = str(self.client.create_contact(with_reference(row.content, row.reference))["id"])
            except (RequestRefused, ProviderFault) as error:
                by_size = refusal_by_size(error, size=len(row.content), answered=answered, probe=probe)
                if by_size is None and isinstance(error, ProviderFault):
                    raise
                return by_size or Refusal("refused_by_provider", error.said or error.code_or_status)
            answered = max(answered, len(row.content))
            older = contacts_of(self.client, row.reference) if looks_back else ()
            return [new, *(contact for contact in older if contact != new)]

        results, failed = take_each(range(len(work.rows)), create, probe=probe)
        names, refused = _named(results)
        ids = [names.get(position, [])[:1] for position in range(len(work.rows))]
        return Done({"ids": ids}, names=names, refused=refused | failed)

    def more_calls(self, work: Work) -> int:
        """The list is read, perhaps marked, and each contact created."""
        return 1 + self.mailing_list.calls_to_mark(work.journal) + len(work.rows)

    def foresee(self, work: Work) -> Progress:
        """Equal contacts would be one, so their IDs follow from their contents."""
        contents = [with_reference(row.content, row.reference) for row in work.rows]
        ids = [[f"foreseen_{hashlib.blake2b(content, digest_size=16).hexdigest()}"] for content in contents]
        return Done({"ids": ids, "foreseen": True}, names=dict(enumerate(ids)))


@dataclass(frozen=True)
class FindContacts(Step):
    """Looks up contacts to remove by the row's reference in their metadata.

    The contacts in the journal are enough only if no other journal filled the list.
    """

    client: PostgridClient
    mailing_list: TargetList
    name = "find"
    uses_names = True

    def run(self, work: Work) -> Progress:
        """Look up one after the other."""
        is_known = self.mailing_list.is_known_to(work.journal)

        def find(position: int) -> list[str] | Refusal:
            try:
                return contacts_of(self.client, work.rows[position].reference)
            except RequestRefused as error:
                reason = f"looking up the contact was refused: {error.said or error.code_or_status}"
                return Refusal("refused_by_provider", reason)

        unknown = [position for position in range(len(work.rows)) if not (is_known and position in work.names)]
        results, failed = take_each(unknown, find, probe=_search(self.client), only_reads=True)
        names, refused = _named(results)
        return Done({}, names=names, refused=refused | failed)

    def more_calls(self, work: Work) -> int:
        """The list is read, perhaps marked, and contacts that are not known are looked up."""
        marks = self.mailing_list.calls_to_mark(work.journal)
        return 1 + marks + sum(position not in work.names for position in range(len(work.rows)))


def _named(results: Mapping[int, list[str] | Refusal]) -> tuple[dict[int, list[str]], dict[int, Refusal]]:
    """The rows with contacts, and the rows that were refused."""
    names = {position: result for position, result in results.items() if result and not isinstance(result, Refusal)}
    return names, {position: result for position, result in results.items() if isinstance(result, Refusal)}


def contacts_of(client: PostgridClient, reference: tuple[str, ...]) -> list[str]:
    """The contacts that were created for a row; see `rows_of`."""
    return [str(row["id"]) for row in rows_of(client, reference)]


def rows_of(client: PostgridClient, reference: tuple[str, ...]) -> list[Row]:
    """The same as PostGrid shows them; a contact with the key of the row, but another stream, is not among them."""
    if not reference:
        return []
    stream, key = reference
    found = client.contacts_with(EXTERNAL_ID, key)
    return [row for row in found if row["metadata"].get(EXTERNAL_STREAM) == stream]


# The contacts for the list's jobs, row by row


def created(work: Work) -> list[list[str]]:
    """The contacts that were created."""
    return list(work.evidence["contacts"]["ids"])


def leaving(work: Work) -> list[list[str]]:
    """The known contacts of the rows; none for a row whose look-up PostGrid refused, since others may exist."""
    refused = work.refused
    return [[] if position in refused else list(work.names.get(position, ())) for position in range(len(work.rows))]


def replaced(work: Work) -> list[list[str]]:
    """The former contacts of rows that have a new one on the list; a plan takes the new ones for the former ones."""
    if "foreseen" in work.evidence["contacts"]:
        return [[] for _ in work.rows]
    new = {*chain(*created(work))}
    stays = work.refused.union(_noted("wrong", work), _noted("doubtful", work))
    return [
        [] if position in stays else [contact for contact in contacts if contact not in new]
        for position, contacts in enumerate(leaving(work))
    ]


@dataclass(frozen=True)
class ReadErrors(Step):
    """If a job may have failed, checks whether each contact is where it should be; begins the next job.

    Its evidence: `wrong`, positions of rows to send again at the end; `doubtful`, positions of rows not to send again;
    `reason`.
    """

    client: PostgridClient
    mailing_list: str
    work: JobWork
    is_last: bool
    name: str = "errors"
    again_from: str = "submit"
    followed: str = "follow"

    def run(self, work: Work) -> Progress:
        """Judge the job."""
        submitted, followed = work.evidence[self.again_from], work.evidence[self.followed]
        wrong = self._wrong(work)
        if rest := set(submitted["rest"]):
            if not wrong:
                return Again(0.0, rewind=True)
            wrong |= {
                position: "elsewhere"
                for position, contacts in enumerate(submitted["ids"])
                if not rest.isdisjoint(contacts)
            }
        sent = work.sent
        reason = followed["trouble"] or "a contact was deleted before the list's job"
        doubtful: list[int] = []
        if not followed["shown"]:  # the job may begin later, so it is posted once more
            doubtful = [
                position for position, why in wrong.items() if why != "gone" and work.rows[position].resubmitted
            ]
        elif len(wrong) == len(sent) and "gone" not in wrong.values():
            if len(sent) > 1 or "unknown" not in wrong.values():
                absent = "failed" in submitted and "unknown" not in wrong.values()
                return Finished(unresolved=True, absent=absent, reason=reason)
            doubtful = sent
        noted = {"wrong": sorted(wrong.keys() - set(doubtful)), "doubtful": doubtful, "reason": reason} if wrong else {}
        if self.is_last or (wrong and len(wrong) == len(sent)):
            return _finished(msgspec.structs.replace(work, evidence={**work.evidence, self.name: noted}))
        return Done(noted)

    def more_calls(self, work: Work) -> int:  # noqa: ARG002
        """After a job that succeeded, no contact is read."""
        return 0

    def _wrong(self, work: Work) -> dict[int, Wrong]:
        """The rows whose contacts may not be where they should, by position."""
        submitted, followed = work.evidence[self.again_from], work.evidence[self.followed]
        ids = {
            position: contacts
            for position, contacts in enumerate(submitted["ids"])
            if contacts and position not in work.refused
        }
        gone = set(submitted["gone"]) if self.work == "addContacts" else set()
        wrong: dict[int, Wrong] = {
            position: "gone" for position, contacts in ids.items() if not gone.isdisjoint(contacts)
        }
        if not followed["trouble"]:
            return wrong
        others = [position for position in ids if position not in wrong]
        if "failed" in submitted:
            for position in others:  # an earlier job may still do its work
                wrong[position] = "unknown" if submitted["lost"] or work.rows[position].resubmitted else "elsewhere"
            return wrong
        rest = set(submitted["rest"])  # which a later job names
        named = {position: [contact for contact in ids[position] if contact not in rest] for position in others}
        results, failing = take_each_that_works(
            others, lambda position: self._why(named[position]), probe=_search(self.client)
        )
        wrong |= {position: why for position, why in results.items() if why is not None}
        return wrong | dict.fromkeys(failing, "unknown")

    def _why(self, contacts: Collection[str]) -> Wrong | None:
        return next(filter(None, map(self._why_one, contacts)), None)

    def _why_one(self, contact: str) -> Wrong | None:
        is_added = self.work == "addContacts"
        try:
            lists = self.client.contact(contact).get("mailingLists")
        except NotFound:
            return "gone" if is_added else None
        if lists is None:  # PostGrid may not show them
            return "unknown"
        on = {each.get("id") if isinstance(each, dict) else each for each in lists}
        return None if (self.mailing_list in on) == is_added else "elsewhere"


def _noted(name: Literal["wrong", "doubtful"], work: Work) -> list[int]:
    """Positions of rows in the evidence of all steps."""
    return [position for noted in work.evidence.values() for position in noted.get(name, ())]


def _finished(work: Work) -> Finished:
    """The end of a batch, with the rows that its steps found wrong."""
    reason = "; ".join(noted["reason"] for noted in work.evidence.values() if "wrong" in noted)
    rejected: Mapping[int, Refusal] = dict.fromkeys(_noted("doubtful", work), Refusal("unconfirmed", reason))
    return Finished(resend=_noted("wrong", work), rejected=rejected, reason=reason)


@dataclass(frozen=True)
class DeleteContacts(Step):
    """Deletes contacts that left the list, if they are on no other and not reserved.

    Deleted contacts are then no longer those of their rows.
    """

    client: PostgridClient
    after: str
    reserved: ReservedContacts
    name = "delete"

    def run(self, work: Work) -> Progress:
        """Delete one after the other."""
        ids = work.evidence[self.after]["ids"]
        old = list(dict.fromkeys(chain(*ids)))
        results, failing = take_each_that_works(
            range(len(old)), lambda index: self._delete(old[index]), probe=_search(self.client)
        )
        if failing:
            logger.warning(
                "%s not deleted: PostGrid answered HTTP 5xx at each attempt",
                counted(len(failing), "contact that left the list was", "contacts that left the list were"),
            )
        gone = {old[index] for index, is_gone in results.items() if is_gone}
        left = {position: [contact for contact in contacts if contact in gone] for position, contacts in enumerate(ids)}
        return Done({}, left={position: contacts for position, contacts in left.items() if contacts})

    def more_calls(self, work: Work) -> int:
        """Each contact is read, and deleted."""
        return 2 * len({*chain(*work.evidence[self.after]["ids"])})

    def _delete(self, contact: str) -> bool:
        """Delete a contact, if that is allowed; whether it is gone."""
        with self.reserved.spared(contact) as is_spared:
            if is_spared:
                return False
            attempt = 0
            while True:  # it may be on a list again when a failed call is repeated
                try:
                    lists = self.client.contact(contact).get("mailingLists")
                except NotFound:
                    return True
                if lists != []:
                    return False
                try:
                    self.client.delete_contact(contact)
                except (RateLimited, ProviderFault, UnreadableAnswer) as error:
                    attempt += 1
                    self.client.rest(error, attempt)
                else:
                    return True


@dataclass(frozen=True)
class End(Step):
    """Ends the batch, with the rows that earlier steps found wrong, if there are any."""

    name: str = "end"
    only_reads = True

    def run(self, work: Work) -> Progress:
        """Finish."""
        return _finished(work)
