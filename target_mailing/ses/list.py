"""The lists of Amazon SES: the operations that the contact list and the suppression list share."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from mailing_api.ses.writer import SesWriter
from target_mailing.contacts.consent import Actions
from target_mailing.contacts.contact import EncodedContact
from target_mailing.contacts.effects import Effect
from target_mailing.interface.destination import Refusal
from target_mailing.ses.lookup import LookedUp

__all__ = ["ACTIONS", "Checked", "Positions", "SesList", "different_case", "with_case"]

ACTIONS: Final = Actions(
    known=frozenset({"addnoforce", "addforce", "remove", "unsub"}),
    remove="remove",
    ask="ask",
    unsubscribe="unsub",
    decline="decline",
    respectful={"addforce": "addnoforce"},
    removing_erases_opt_out=True,
)

#: Positions by effect. There may be hundreds of thousands, for which a dictionary takes many times the memory.
Positions: TypeAlias = "dict[Effect, array[int]]"


class Checked(msgspec.Struct, frozen=True):
    """The result of checking rows before they are removed, or where they are only checked, by position.

    Attributes:
        withheld: rows that are not sent because of consent.
        absent: rows without a contact at Amazon SES.
        refused: rows whose check Amazon SES refuses.
        spelled: for the other rows whose address Amazon SES has in another letter case: see `different_case`.
    """

    withheld: Sequence[int] = ()
    absent: Sequence[int] = ()
    refused: Mapping[int, Refusal] = {}
    spelled: Mapping[int, Sequence[int]] = {}


def different_case(email: str, listed: str) -> list[int]:
    """The positions of letters whose case differs in the listed address. Evidence outlives its batch: no address."""
    letters = [at for at, (ours, theirs) in enumerate(zip(email, listed, strict=False)) if ours != theirs]
    return letters if with_case(email, letters) == listed else []


def with_case(email: str, letters: Collection[int]) -> str:
    """An address with the case of these letters changed."""
    return "".join(letter.swapcase() if at in letters else letter for at, letter in enumerate(email))


class SesList(Protocol):
    """The contact list or the suppression list of a region.

    Attributes:
        writer: the calls.
        kind: its `ImportDestinationType`.
    """

    writer: SesWriter
    kind: str

    def destination(self, action: str) -> Mapping[str, Any]:
        """The `ImportDestination` of an import job."""

    def most_rows(self, action: str) -> int:
        """The most records in one import job."""

    def read(self, rows: Iterable[EncodedContact], action: str) -> LookedUp[Any] | None:
        """What is there of the rows of an import job; None if their lines do not depend on it.

        Rows whose contact Amazon SES fails for are among the refused ones.
        """

    def lines(
        self, rows: Iterable[EncodedContact], action: str, there: LookedUp[Any] | None, effects: Positions
    ) -> Iterator[bytes]:
        """The lines of an import job's object, with the parts of each contact that the row does not change.

        Args:
            rows: of the object; those that `there` refuses have no line.
            action: of all of them.
            there: what `read` returned.
            effects: filled with the positions of the lines that have an effect, in order, where that is known.
        """

    def probe(self) -> object:
        """Read a contact that does not exist, by the call that reads one contact.

        Raises:
            MailingError: no such contact, or no answer.
        """

    def check(self, rows: Sequence[EncodedContact]) -> Checked:
        """Find the contacts that opted out, and the rows without a contact; nothing is written."""

    def prepare_removal(self, rows: Sequence[EncodedContact]) -> Checked:
        """Find the contacts that may not be removed, and the rows without a contact; contacts that stay get no mail."""

    def deliver(self, row: EncodedContact, action: str) -> Refusal | Effect | bool:
        """Deliver one row by calls for its contact; returns its refusal, its effect if known, or if it is withheld.

        Raises:
            MailingError: an error that is not the row's fault.
        """

    def would_change(self, email: str) -> bool:
        """Whether the plan would have changed the contact so far; True where that is not known."""

    def arrived(self, rows: Sequence[EncodedContact], action: str) -> Sequence[bool]:
        """Whether the contact of each row is as the row requests."""
