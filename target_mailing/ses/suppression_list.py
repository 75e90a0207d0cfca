"""The suppression list of a region: addresses to which Amazon SES sends no mail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from mailing_api.errors import NotFound, RequestRefused, UnreadableAnswer
from mailing_api.ses.words import suppression_reason
from mailing_api.ses.writer import SesWriter
from target_mailing.contacts.contact import EncodedContact
from target_mailing.interface.destination import Refusal
from target_mailing.ses.list import ACTIONS, Checked, Positions, different_case
from target_mailing.ses.listing import Listing
from target_mailing.ses.lookup import NOBODY, LookedUp, look_up
from target_mailing.ses.refusals import refusal_of

__all__ = ["REASONS", "Suppressed", "SuppressionList"]

REASONS: Final = ("BOUNCE", "COMPLAINT")

#: Records in an import job, as AWS documents.
_MOST_PUT: Final = 100_000
_MOST_DELETE: Final = 10_000


class Suppressed(msgspec.Struct):
    """The content of a row, as a batch holds it; or an address on the list."""

    email: str
    reason: str = "COMPLAINT"

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Suppressed:
        """The address of an answer.

        Raises:
            UnreadableAnswer: it shows no address.
        """
        email = row.get("EmailAddress")
        if not isinstance(email, str):
            raise UnreadableAnswer("Amazon SES: a suppression is not in the form that AWS documents.")
        return cls(email, suppression_reason(row))


_decode = msgspec.json.Decoder(Suppressed).decode


class SuppressionList:
    """The account's suppression list of a region; see `SesList`."""

    kind = "SUPPRESSION_LIST"

    def __init__(self, writer: SesWriter, *, may_remove: bool) -> None:
        """Take whether addresses may be removed from the list."""
        self.writer = writer
        self._may_remove = may_remove
        self._listing = Listing(self._pages)

    def destination(self, action: str) -> Mapping[str, Any]:
        """The `ImportDestination` of an import job."""
        operation = "DELETE" if action == ACTIONS.remove else "PUT"
        return {"SuppressionListDestination": {"SuppressionListImportAction": operation}}

    def most_rows(self, action: str) -> int:
        """The most records in one import job."""
        return _MOST_DELETE if action == ACTIONS.remove else _MOST_PUT

    def read(self, rows: Iterable[EncodedContact], action: str) -> None:
        """Nothing: no line depends on what is there."""

    def lines(
        self,
        rows: Iterable[EncodedContact],
        action: str,
        there: LookedUp[Any] | None,  # noqa: ARG002 - no address is read
        effects: Positions,  # noqa: ARG002 - likewise
    ) -> Iterator[bytes]:
        """Addresses, with their reasons unless they are removed."""
        for row in rows:
            members = {"emailAddress": row.email}
            if action != ACTIONS.remove:
                members["reason"] = _decode(row.content).reason
            yield msgspec.json.encode(members) + b"\n"

    def check(self, rows: Sequence[EncodedContact]) -> Checked:  # noqa: ARG002 - all of them may be added
        """Find nothing: the list holds no opt-outs."""
        return Checked()

    def prepare_removal(self, rows: Sequence[EncodedContact]) -> Checked:
        """Find the addresses that are not on the list; all are withheld if none may be removed."""
        if not self._may_remove:
            return Checked(withheld=range(len(rows)))
        there = self._look_up(rows)
        listed = {at: there.found[row.address] for at, row in enumerate(rows) if row.address in there.found}
        refused = {
            at: refusal_of(there.refused[row.address]) for at, row in enumerate(rows) if row.address in there.refused
        }
        return Checked(
            absent=[at for at in range(len(rows)) if at not in listed and at not in refused],
            refused=refused,
            spelled={
                at: letters
                for at, suppressed in listed.items()
                if (letters := different_case(rows[at].email, suppressed.email))
            },
        )

    def deliver(self, row: EncodedContact, action: str) -> Refusal | bool:
        """Deliver by one call."""
        try:
            if action == ACTIONS.remove:
                if not self._may_remove:
                    return True
                self._remove(row)
            elif action != ACTIONS.ask:
                self.writer.suppress(row.email, _decode(row.content).reason)
        except RequestRefused as error:
            return refusal_of(error)
        return False

    def _remove(self, row: EncodedContact) -> None:
        for spelling in dict.fromkeys((row.email, row.address)):
            self.writer.unsuppress(self._as_found(spelling))

    def _as_found(self, email: str) -> Callable[[], Mapping[str, Any] | None]:
        """Names an address to be removed, as long as the list has it as at first: it may be suppressed again."""
        first: list[Any] = []

        def members() -> Mapping[str, Any] | None:
            try:
                listed = self.writer.client.suppression(self.writer.region, email).get("LastUpdateTime")
            except NotFound:
                return None
            first.append(listed)
            return {"EmailAddress": email} if listed == first[0] else None

        return members

    def would_change(self, email: str) -> bool:  # noqa: ARG002
        """It is not known."""
        return True

    def arrived(self, rows: Sequence[EncodedContact], action: str) -> Sequence[bool]:
        """Whether the addresses are on the list, with their reasons, or no longer on it."""
        there = self._look_up(rows)
        if action == ACTIONS.remove:
            return [row.address not in there.found and row.address not in there.refused for row in rows]
        listed = ((row, there.found.get(row.address)) for row in rows)
        return [each is not None and each.reason == _decode(row.content).reason for row, each in listed]

    def _look_up(self, rows: Sequence[EncodedContact]) -> LookedUp[Suppressed]:
        """Find the addresses of these rows on the list."""
        emails = [row.email for row in rows]
        return look_up(emails, read=self._read, listing=self._listing, both=lambda first, _: first, probe=self.probe)

    def probe(self) -> object:
        """Read an address that is not on the list."""
        return self._read(NOBODY)

    def _pages(self) -> Iterator[Sequence[tuple[str, Suppressed]]]:
        for page in self.writer.client.suppressions(self.writer.region):
            yield [(listed.email, listed) for listed in map(Suppressed.of, page)]

    def _read(self, email: str) -> Suppressed | None:
        try:
            row = self.writer.client.suppression(self.writer.region, email)
        except NotFound:
            return None
        return Suppressed.of({"EmailAddress": email} | row)
