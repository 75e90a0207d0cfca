"""What Mailjet says of one contact now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from mailing_api.errors import RequestRefused
from mailing_api.mailjet.answers import id_of, opted_out
from mailing_api.mailjet.client import PAGE_SIZE, MailjetClient
from mailing_api.mailjet.contacts import ContactCalls
from mailing_api.values import boolean, integer, seconds_of

__all__ = ["today"]

#: Lists that are shown where no list is set.
_MOST_LISTS: Final = 20


def today(client: MailjetClient, lists: Sequence[int], names: Sequence[str]) -> list[str]:
    """The state of a contact.

    Args:
        client: of the account.
        lists: of the settings, 0 for one that does not exist yet; none for all lists of the contact.
        names: spellings of the address.

    Raises:
        MailingError: Mailjet could not be asked.
    """
    row = _find(client, names)
    if row is None:
        return ["there is no contact with this address"]
    number = id_of(row)
    made = seconds_of(row.get("CreatedAt"))
    said = [f"contact {number}, made {made}" if made else f"contact {number}", _exclusion(row)]
    rows = _memberships(client, number)
    if not lists:
        return [*said, *_of_all(rows)]
    return [*said, *(_of_list(rows, one) for one in lists)]


def _find(client: MailjetClient, names: Sequence[str]) -> dict[str, Any] | None:
    calls = ContactCalls(client)
    for name in names:
        with suppress(RequestRefused):  # a spelling that Mailjet accepts for no contact
            if (row := calls.find(name)) is not None:
                return row
    return None


def _memberships(client: MailjetClient, number: int) -> list[dict[str, Any]]:
    """The contact's lists; a filter that Mailjet does not know would be ignored."""
    rows = client.page("listrecipient", {"Contact": number, "Limit": PAGE_SIZE})
    return [row for row in rows if integer(row.get("ContactID")) == number]


def _exclusion(row: Mapping[str, Any]) -> str:
    if not boolean(row.get("IsExcludedFromCampaigns")):
        return "not excluded from campaigns"
    moment = seconds_of(row.get("ExclusionFromCampaignsUpdatedAt"))
    return f"excluded from all campaigns{f', {moment}' if moment else ''}"


def _of_list(rows: Sequence[Mapping[str, Any]], list_id: int) -> str:
    if not list_id:
        return "the list does not exist yet"
    row = next((row for row in rows if integer(row.get("ListID")) == list_id), None)
    return f"not on list {list_id}" if row is None else _membership(row)


def _of_all(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from map(_membership, rows[:_MOST_LISTS])
    if not rows:
        yield "on no list"
    if len(rows) > _MOST_LISTS:
        yield f"and {len(rows) - _MOST_LISTS} more lists"


def _membership(row: Mapping[str, Any]) -> str:
    name = f"list {row.get('ListID')}"
    if opted_out(row) is not False:
        moment = seconds_of(row.get("UnsubscribedAt"))
        return f"unsubscribed from {name}{f', {moment}' if moment else ''}"
    moment = seconds_of(row.get("SubscribedAt"))
    return f"subscribed to {name}{f', since {moment}' if moment else ''}"
