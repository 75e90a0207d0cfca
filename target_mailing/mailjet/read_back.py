"""Looking at Mailjet, contact by contact, for rows of which no job can tell whether they arrived.

Being on the list does not prove that a row's name and properties came with it, so all that it asked for is compared.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from mailing_api.counted import counted
from mailing_api.errors import NotFound, PermissionDenied, RequestRefused
from mailing_api.mailjet.answers import opted_out, values_of
from mailing_api.mailjet.client import MailjetClient
from mailing_api.values import boolean, integer, number
from target_mailing.delivery.one_by_one import take_each_that_works
from target_mailing.delivery.read_back import ReadBack
from target_mailing.destination import Finished, Progress, Refusal, Work
from target_mailing.mailjet.json_route import ACTIONS, ReadErrors
from target_mailing.row import Row

__all__ = ["ContactReadBack", "JudgeJob", "holds_values", "is_as_asked", "judged_by_count"]

logger = logging.getLogger("target-mailing.mailjet")

#: Contacts that are looked for where a job that says nothing of errors tells of fewer contacts than it was given.
_SAMPLE: Final = 20
#: The chance at most that none of those that are looked for is one that was left out.
_OVERSIGHT: Final = 0.001


@dataclass(frozen=True)
class JudgeJob(ReadErrors):
    """Reads the error file of a job; or looks for contacts, where it went well and counts too few of them.

    Attributes:
        lists: to which the batch went.
    """

    lists: Sequence[int]

    def run(self, work: Work) -> Progress:
        """Read the file, or look."""
        count = work.evidence["follow"].get("count")
        if count is None:
            return super().run(work)
        return judged_by_count(self.client, self.lists, work, str(work.evidence["submit"]["job"]), count)


def judged_by_count(client: MailjetClient, lists: Sequence[int], work: Work, job: str, count: int) -> Finished:
    """How a batch ends whose job completed without errors, and tells of fewer contacts than it was given.

    What the number means is unverified: contacts given, contacts imported, or nothing, if it is 0. So contacts are
    looked for. Where some might be missing that these do not show, the batch is split.

    Args:
        client: asks for them.
        lists: to which the batch went.
        work: of the batch.
        job: the job's ID.
        count: that it tells.
    """
    sent, withheld = work.sent, work.withheld
    told = f"it tells of {counted(count, 'contact')}, and was given {len(sent)}"
    unresolved = Finished(job=job, unresolved=True, reason=told, withheld=withheld)
    is_telling = len(sent) <= _SAMPLE or (count / len(sent)) ** _SAMPLE < _OVERSIGHT
    if work.resumed or not is_telling:  # rows of an earlier run come again, and are sent again
        return unresolved
    sample = sent[:: -(-len(sent) // _SAMPLE)]
    doubt = Finished(job=job, rejected=dict.fromkeys(sample, Refusal("unconfirmed", told)), withheld=withheld)
    if ContactReadBack(doubt, sample, client, lists).run(work).rejected:
        return unresolved
    logger.warning(
        "Job %s of Mailjet has completed without errors, but %s. %d of them were looked for and are there with all "
        "that was sent, so all count as delivered",
        job,
        told,
        len(sample),
    )
    return Finished(job=job, withheld=withheld)


@dataclass(frozen=True)
class ContactReadBack(ReadBack):
    """Asks for each doubtful row what Mailjet holds, by at most three calls.

    Attributes:
        lists: to which the batch went; none where it only went to the account.
    """

    client: MailjetClient
    lists: Sequence[int]

    def arrived(self, positions: Sequence[int], work: Work) -> Collection[int]:
        """Those of these rows of which all is there; one that Mailjet fails for stays in doubt."""
        answers, _ = take_each_that_works(
            positions,
            lambda at: self._is_there(work.rows[at], work.action),
            probe=partial(self.client.memberships, 1),
        )
        return {at for at, is_there in answers.items() if is_there}

    def _is_there(self, row: Row, action: str) -> bool:
        if action in ACTIONS.account_wide:
            return self._is_excluded(row) is (action not in ACTIONS.only_forced)
        try:
            memberships = self.client.memberships(row.email)
        except NotFound:
            return action == ACTIONS.remove
        except (PermissionDenied, RequestRefused):
            return False  # which leaves it in doubt
        if not is_as_asked(action, self.lists, memberships):
            return False
        return action == ACTIONS.remove or self._holds(row)

    def _is_excluded(self, row: Row) -> bool | None:
        """Whether a contact is excluded from all campaigns; None where that is not told."""
        try:
            return boolean(self.client.one("contact", row.email).get("IsExcludedFromCampaigns"))
        except (NotFound, PermissionDenied, RequestRefused, ValueError):
            return None

    def _holds(self, row: Row) -> bool:
        """Whether the contact, which exists, has the name and the properties that the row has."""
        asked = msgspec.json.decode(row.contact)
        try:
            if "Name" in asked and self.client.one("contact", row.email).get("Name") != asked["Name"]:
                return False
            if "Properties" not in asked:
                return True
            return holds_values(asked["Properties"], values_of(self.client.one("contactdata", row.email)))
        except (NotFound, PermissionDenied, RequestRefused):
            return False


def is_as_asked(action: str, lists: Sequence[int], memberships: Sequence[Mapping[str, Any]]) -> bool:
    """Whether somebody's memberships are on all of these lists what the action makes of them."""
    flags = {integer(row.get("ListID")): opted_out(row) for row in memberships}
    if action == ACTIONS.remove:
        return not any(one in flags for one in lists)
    if action == ACTIONS.unsubscribe:
        return all(flags.get(one) is True for one in lists)
    if action in ACTIONS.respectful:  # an action that undoes opt-outs
        return all(flags.get(one) is False for one in lists)
    return action in ACTIONS.respectful.values() and all(one in flags for one in lists)


def holds_values(asked: Mapping[str, Any], told: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the values that `contactdata` tells, all of them as text, are those asked for; None is none."""
    values = {str(item.get("Name")): item.get("Value") for item in told}
    return all(_is_same(value, values.get(name)) for name, value in asked.items())


def _is_same(asked: Any, told: Any) -> bool:
    if asked is None or asked == "":
        return told is None or told == ""
    try:
        if isinstance(asked, bool):
            return boolean(told) is asked
        if isinstance(asked, (int, float)):
            return (integer(told) if isinstance(asked, int) else number(told)) == asked
    except (ValueError, OverflowError):
        return False
    return bool(told == asked)
