"""Checking contacts at Mailjet for rows whose job does not show whether they arrived.

Being on the list does not prove that the name and properties of a row arrived, so all its values are compared.
"""

from __future__ import annotations

import logging
import random
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
from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.one_by_one import take_each_that_works
from target_mailing.delivery.read_back import ReadBack
from target_mailing.interface.destination import Finished, Refusal, Work
from target_mailing.mailjet.actions import ACTIONS
from target_mailing.mailjet.contact import decoded

__all__ = ["ContactReadBack", "has_effect_of", "has_values", "is_same", "judged_by_count"]

logger = logging.getLogger("target-mailing.mailjet")

#: Contacts that are checked of a job that reports no errors, but fewer contacts than it was given.
_SAMPLE: Final = 20
#: Of these, contacts that are checked before it is seen whether any is missing.
_AT_A_TIME: Final = 5
#: Greatest accepted probability that none of the missing contacts is in the sample.
_OVERSIGHT: Final = 0.001


def judged_by_count(client: MailjetClient, lists: Sequence[int], work: Work, job: str, count: int) -> Finished:
    """The end of a batch whose job completed without errors, but counts fewer contacts than it was given.

    The meaning of the number is unverified: contacts given, contacts imported, or nothing if it is 0. So a few of the
    contacts are checked that Mailjet did not have before. If a missing contact might not be among these, the batch is
    split, and each part is judged by the count of its own job. No more contacts are checked at the end of splitting.

    Args:
        client: to check the contacts with.
        lists: the lists that the batch went to.
        work: of the batch.
        job: the job's ID.
        count: the job's number of contacts.
    """
    sent, withheld = work.sent, work.withheld
    reason = f"the job counts {count} of {counted(len(sent), 'contact')}"
    unresolved = Finished(job=job, unresolved=True, reason=reason, withheld=withheld, most_read=_SAMPLE)
    new = {*work.changed, *(at for at in sent if work.rows[at].resubmitted)}
    judged = [at for at in sent if at in new] or sent
    is_whole = len(judged) <= _SAMPLE
    # Rows of an earlier run have no content to compare; they are sent again.
    if work.resumed or not (is_whole or (count / len(judged)) ** _SAMPLE < _OVERSIGHT):
        return unresolved
    sample = judged if is_whole else sorted(random.sample(judged, _SAMPLE))
    reader, missing = ContactReadBack(unresolved, sample, client, lists), list[int]()
    for begin in range(0, len(sample), _AT_A_TIME):
        some = sample[begin : begin + _AT_A_TIME]
        missing += sorted({*some}.difference(reader.arrived(some, work)))
        if missing and not is_whole:
            return unresolved
    if not missing:
        logger.warning(
            "Job %s of Mailjet completed without errors, but counts %d of %s. A sample of %d was checked and has "
            "arrived completely, so all are treated as delivered",
            job,
            count,
            counted(len(sent), "contact"),
            len(sample),
        )
    # What is missing is sent once more.
    refused = {at: Refusal("not_imported", reason) for at in missing if work.rows[at].resubmitted}
    resend = [at for at in missing if at not in refused]
    return msgspec.structs.replace(unresolved, unresolved=False, rejected=refused, resend=resend)


@dataclass(frozen=True)
class ContactReadBack(ReadBack):
    """Reads each doubtful contact, by up to three calls.

    Attributes:
        lists: the lists that the batch went to; none if it only went to the account.
    """

    client: MailjetClient
    lists: Sequence[int]

    def arrived(self, positions: Sequence[int], work: Work) -> Collection[int]:
        """The rows that arrived completely; a row stays in doubt if Mailjet fails for it."""
        answers, _ = take_each_that_works(
            positions,
            lambda position: self._has_arrived(work.rows[position], work.action),
            probe=partial(self.client.memberships, 1),
        )
        return {position for position, has_arrived in answers.items() if has_arrived}

    def _has_arrived(self, row: EncodedContact, action: str) -> bool:
        try:
            if action in ACTIONS.account_wide:
                return self._is_excluded(row) is (action not in ACTIONS.only_forced)
            memberships = self.client.memberships(row.email)
            return has_effect_of(action, self.lists, memberships) and (action == ACTIONS.remove or self._holds(row))
        except NotFound:
            return action == ACTIONS.remove
        except (PermissionDenied, RequestRefused):
            return False  # still in doubt

    def _is_excluded(self, row: EncodedContact) -> bool | None:
        """Whether a contact is excluded from all campaigns; None if Mailjet's value is neither true nor false."""
        try:
            return boolean(self.client.one("contact", row.email).get("IsExcludedFromCampaigns"))
        except ValueError:
            return None

    def _holds(self, row: EncodedContact) -> bool:
        """Whether the contact at Mailjet has the name and the properties of the row."""
        contact = decoded(row.content)
        if contact.Name is not None and self.client.one("contact", row.email).get("Name") != contact.Name:
            return False
        if not contact.Properties:
            return True
        return has_values(contact.Properties, values_of(self.client.one("contactdata", row.email)))


def has_effect_of(action: str, lists: Sequence[int], memberships: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a contact's memberships of all these lists are as the action makes them."""
    flags = {integer(row.get("ListID")): opted_out(row) for row in memberships}
    if action == ACTIONS.remove:
        return flags.keys().isdisjoint(lists)
    if action == ACTIONS.unsubscribe:
        return all(flags.get(list_id) is True for list_id in lists)
    if action in ACTIONS.respectful:  # an action that undoes opt-outs
        return all(flags.get(list_id) is False for list_id in lists)
    return action in ACTIONS.respectful.values() and flags.keys() >= set(lists)


def has_values(sent: Mapping[str, Any], stored: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the values from `contactdata`, all of them strings, are those sent; None is no value."""
    values = {str(item.get("Name")): item.get("Value") for item in stored}
    return all(is_same(value, values.get(name)) for name, value in sent.items())


def is_same(sent: Any, stored: Any) -> bool:
    """Whether a value from `contactdata`, a string, is the value that is sent."""
    if sent is None or sent == "":
        return stored is None or stored == ""
    try:
        if isinstance(sent, bool):
            return boolean(stored) is sent
        if isinstance(sent, (int, float)):
            return (integer(stored) if isinstance(sent, int) else number(stored)) == sent
    except (ValueError, OverflowError):
        return False
    return bool(stored == sent)
