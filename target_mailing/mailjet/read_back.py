"""Checking contacts at Mailjet for rows whose job does not show whether they arrived.

Being on the list does not prove that the name and properties of a row arrived, so all its values are compared.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from mailing_api.counted import counted
from mailing_api.errors import NotFound, PermissionDenied, RequestRefused
from mailing_api.mailjet.answers import opted_out, values_of
from mailing_api.mailjet.client import MailjetClient
from mailing_api.values import boolean, integer, number
from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.one_by_one import take_each_that_works
from target_mailing.delivery.read_back import ReadBack
from target_mailing.destination import Finished, Work
from target_mailing.mailjet.actions import ACTIONS
from target_mailing.mailjet.contact import decoded

__all__ = ["ContactReadBack", "has_effect_of", "has_values", "judged_by_count"]

logger = logging.getLogger("target-mailing.mailjet")

#: Contacts to check if a job reports no errors, but fewer contacts than it was given.
_SAMPLE: Final = 20
#: Greatest accepted probability that a missing contact is not in the sample.
_OVERSIGHT: Final = 0.001


def judged_by_count(client: MailjetClient, lists: Sequence[int], work: Work, job: str, count: int) -> Finished:
    """The end of a batch whose job completed without errors, but counts fewer contacts than it was given.

    The meaning of the number is unverified: contacts given, contacts imported, or nothing if it is 0. So a sample of
    the contacts is checked. If a missing contact might not be in the sample, the batch is split.

    Args:
        client: to check the contacts with.
        lists: the lists that the batch went to.
        work: of the batch.
        job: the job's ID.
        count: the job's number of contacts.
    """
    sent, withheld = work.sent, work.withheld
    reason = f"the job counts {count} of {counted(len(sent), 'contact')}"
    unresolved = Finished(job=job, unresolved=True, reason=reason, withheld=withheld)
    is_conclusive = len(sent) <= _SAMPLE or (count / len(sent)) ** _SAMPLE < _OVERSIGHT
    if work.resumed or not is_conclusive:  # rows of an earlier run have no content to compare; they are sent again
        return unresolved
    sample = sent[:: -(-len(sent) // _SAMPLE)]
    if len(ContactReadBack(unresolved, sample, client, lists).arrived(sample, work)) < len(sample):
        return unresolved
    logger.warning(
        "Job %s of Mailjet completed without errors, but counts %d of %s. A sample of %d was checked and has arrived "
        "completely, so all are treated as delivered",
        job,
        count,
        counted(len(sent), "contact"),
        len(sample),
    )
    return Finished(job=job, withheld=withheld)


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
    return all(_is_same(value, values.get(name)) for name, value in sent.items())


def _is_same(sent: Any, stored: Any) -> bool:
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
