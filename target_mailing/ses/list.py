"""Where contacts go at Amazon SES: what its steps ask of the contact list and of the suppression list alike."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from mailing_api.errors import ProviderFault, RequestRefused
from mailing_api.ses.words import is_invalid
from mailing_api.ses.writer import SesWriter
from target_mailing.contacts.consent import Actions
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.one_by_one import why_failing
from target_mailing.destination import Refusal
from target_mailing.row import Row

__all__ = ["ACTIONS", "Found", "SesList", "refusal_of", "respelled", "spelling_of"]

ACTIONS: Final = Actions(
    known=frozenset({"addnoforce", "addforce", "remove", "unsub"}),
    remove="remove",
    ask="ask",
    unsubscribe="unsub",
    decline="decline",
    respectful={"addforce": "addnoforce"},
    removing_erases_opt_out=True,
)


class Found(msgspec.Struct, frozen=True):
    """What was found of rows that are to be removed, or only asked about, by position.

    Attributes:
        withheld: they stay, for the sake of consent.
        absent: they are not there.
        refused: Amazon SES does not take a question about them.
        spelled: how Amazon SES spells the others, where that differs from the row's spelling; see `spelling_of`.
    """

    withheld: Sequence[int] = ()
    absent: Sequence[int] = ()
    refused: Mapping[int, Refusal] = {}
    spelled: Mapping[int, Sequence[int]] = {}


def spelling_of(email: str, there: str) -> list[int]:
    """Which letters of an address have the other case there. Evidence outlives its batch, so it holds no address."""
    letters = [at for at, (ours, theirs) in enumerate(zip(email, there, strict=False)) if ours != theirs]
    return letters if respelled(email, letters) == there else []


def respelled(email: str, letters: Collection[int]) -> str:
    """The address with the case of these letters changed."""
    return "".join(one.swapcase() if at in letters else one for at, one in enumerate(email))


def refusal_of(error: RequestRefused | ProviderFault) -> Refusal:
    """Why a row was refused; raises the error where the row is not to blame.

    A `ProviderFault` is one of a contact that fails by itself; see `take_each_that_works`.
    """
    if isinstance(error, ProviderFault):
        return Refusal("refused_by_provider", f"looking for the contact: {why_failing(error)}")
    if not is_invalid(error):
        raise error
    return Refusal("refused_by_provider", error.said or str(error.code))


class SesList(Protocol):
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

    def lines(
        self, rows: Sequence[Row], action: str, effects: dict[int, Effect], refused: dict[int, Refusal]
    ) -> Iterator[bytes]:
        """The lines of an import job's file, with what is there and is to stay.

        Args:
            rows: of the file.
            action: of all of them.
            effects: takes up what the lines will do, by position, as far as that is known.
            refused: takes up rows without a line, by position: Amazon SES fails to tell what is there of them.
        """

    def probe(self) -> object:
        """A read about nobody in particular, like those about one contact.

        Raises:
            MailingError: no such contact, or no answer.
        """

    def look(self, rows: Sequence[Row]) -> Found:
        """Who of those that are asked about opted out, and who is not there; nothing is written."""

    def hold_back(self, rows: Sequence[Row]) -> Found:
        """Who of those to be removed may not be, and who is not there; whoever stays is sent nothing any more."""

    def deliver(self, row: Row, action: str) -> Refusal | Effect | bool:
        """Deliver one row by calls of its own; why it is refused, what was done if that is known, or if it is withheld.

        Raises:
            MailingError: nothing that this row is to blame for.
        """

    def arrived(self, rows: Sequence[Row], action: str) -> Sequence[bool]:
        """Whether all that each of these rows asks for is there."""
