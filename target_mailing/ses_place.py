"""Where contacts go at Amazon SES: what its steps ask of the contact list and of the suppression list alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from mailing_api.ses_writing import SesWriter
from target_mailing.batches import Row
from target_mailing.consent import Actions
from target_mailing.steps import Refusal

__all__ = ["ACTIONS", "Found", "Place"]

ACTIONS: Final = Actions(
    known=frozenset({"addnoforce", "addforce", "remove", "unsub"}),
    remove="remove",
    ask="ask",
    unsubscribe="unsub",
    respectful={"addforce": "addnoforce"},
    removing_erases_opt_out=True,
)


class Found(msgspec.Struct, frozen=True):
    """What was found of rows that are to be removed, by position.

    Attributes:
        withheld: they stay, for the sake of consent.
        absent: they are not there.
    """

    withheld: Sequence[int]
    absent: Sequence[int]


class Place(Protocol):
    """The contact list, or the suppression list, of a region.

    Attributes:
        writer: the calls.
        kind: as `ImportDestinationType` calls it.
    """

    writer: SesWriter
    kind: str

    def destination(self, action: str) -> Mapping[str, Any]:
        """`ImportDestination` of an import job."""

    def most_rows(self, action: str) -> int:
        """Records that one import job takes."""

    def lines(self, rows: Sequence[Row], action: str) -> Iterator[bytes]:
        """The lines of an import job's file, with what is there and is to stay."""

    def look(self, rows: Sequence[Row], action: str) -> Found:
        """Who of those to be removed, or only asked about, opted out, and who is not there."""

    def deliver(self, row: Row, action: str) -> Refusal | bool:
        """Deliver one row by calls of its own; why it is refused, or whether it is withheld.

        Raises:
            MailingError: nothing that this row is to blame for.
        """

    def arrived(self, rows: Sequence[Row], action: str) -> Sequence[bool]:
        """Whether all that each of these rows asks for is there."""
