"""What Amazon SES says of one address now: on the contact list, and on the suppression list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mailing_api.errors import NotFound, PermissionDenied, RequestRefused
from mailing_api.ses.client import SesClient
from mailing_api.ses.words import suppression_reason
from mailing_api.values import seconds_of
from target_mailing.ses.contact import State

__all__ = ["on_contact_list", "on_suppression_list"]


def on_contact_list(client: SesClient, region: str, name: str, spellings: Sequence[str]) -> Iterator[str]:
    """The state of a contact, whose address may be spelled in several ways.

    Raises:
        MailingError: Amazon SES could not be asked.
    """
    row = _first(spellings, lambda email: client.contact(region, name, email))
    if row is None:
        yield "not on the contact list"
        return
    state = State.of(row)
    times = {"since": row.get("CreatedTimestamp"), "changed": row.get("LastUpdatedTimestamp")}
    known = [f"{word} {moment}" for word, value in times.items() if (moment := seconds_of(value))]
    yield ", ".join(["on the contact list", *known])
    yield f"{'unsubscribed from everything' if state.unsubscribed else 'not unsubscribed'} (UnsubscribeAll)"
    for topic, status in sorted(state.topics.items()):
        yield f"topic {topic}: {status}"


def on_suppression_list(client: SesClient, region: str, spellings: Sequence[str]) -> Iterator[str]:
    """Whether an address is suppressed.

    Raises:
        MailingError: Amazon SES could not be asked.
    """
    try:
        row = _first(spellings, lambda email: client.suppression(region, email))
    except PermissionDenied:
        yield "whether it is suppressed is unknown: ses:GetSuppressedDestination is not permitted"
        return
    if row is None:
        yield "not on the suppression list"
        return
    moment = seconds_of(row.get("LastUpdateTime"))
    yield f"on the suppression list ({suppression_reason(row) or 'no reason'}){f', since {moment}' if moment else ''}"


def _first(spellings: Sequence[str], read: Callable[[str], Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The first answer that there is; spellings that Amazon SES refuses name nobody."""
    for email in spellings:
        with suppress(NotFound, RequestRefused):
            return read(email)
    return None
