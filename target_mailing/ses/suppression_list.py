"""The suppression list of a region: addresses that Amazon SES sends nothing to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from mailing_api.errors import NotFound, RequestRefused, UnreadableAnswer
from mailing_api.ses.words import suppression_reason
from mailing_api.ses.writer import SesWriter
from target_mailing.contacts.effects import Effect
from target_mailing.destination import Refusal
from target_mailing.row import Row
from target_mailing.ses.list import ACTIONS, Found, refusal_of, spelling_of
from target_mailing.ses.lookup import NOBODY, LookedUp, look_up

__all__ = ["REASONS", "Suppressed", "SuppressionList"]

REASONS: Final = ("BOUNCE", "COMPLAINT")

#: Records that an import takes, as AWS documents.
_MOST_PUT: Final = 100_000
_MOST_DELETE: Final = 10_000


class Suppressed(msgspec.Struct):
    """What a row says, as it is kept in a batch; or what is on the list."""

    email: str
    reason: str = "COMPLAINT"


_decode = msgspec.json.Decoder(Suppressed).decode


class SuppressionList:
    """The account's suppression list of a region; see `ses_place.SesList`."""

    kind = "SUPPRESSION_LIST"

    def __init__(self, writer: SesWriter, *, may_remove: bool) -> None:
        """Take whether addresses may be taken off it."""
        self.writer = writer
        self._may_remove = may_remove

    def destination(self, action: str) -> Mapping[str, Any]:
        """This list."""
        what = "DELETE" if action == ACTIONS.remove else "PUT"
        return {"SuppressionListDestination": {"SuppressionListImportAction": what}}

    def most_rows(self, action: str) -> int:
        """Records that one import job takes."""
        return _MOST_DELETE if action == ACTIONS.remove else _MOST_PUT

    def lines(
        self,
        rows: Sequence[Row],
        action: str,
        effects: dict[int, Effect],  # noqa: ARG002 - nobody is looked for
        refused: dict[int, Refusal],  # noqa: ARG002 - likewise
    ) -> Iterator[bytes]:
        """Addresses, with reasons unless they are taken off."""
        for row in rows:
            found = {"emailAddress": row.email}
            if action != ACTIONS.remove:
                found["reason"] = _decode(row.contact).reason
            yield msgspec.json.encode(found) + b"\n"

    def look(self, rows: Sequence[Row]) -> Found:  # noqa: ARG002 - whoever is asked about may be added
        """No opt-out is in the way."""
        return Found()

    def hold_back(self, rows: Sequence[Row]) -> Found:
        """Nobody is taken off who may not be."""
        if not self._may_remove:
            return Found(withheld=range(len(rows)))
        listed = self._look_up(rows)
        there = {at: one for at, row in enumerate(rows) if (one := listed.found.get(row.address)) is not None}
        refused = {at: refusal_of(why) for at, row in enumerate(rows) if (why := listed.refused.get(row.address))}
        return Found(
            absent=[at for at in range(len(rows)) if at not in there and at not in refused],
            refused=refused,
            spelled={at: found for at, one in there.items() if (found := spelling_of(rows[at].email, one.email))},
        )

    def deliver(self, row: Row, action: str) -> Refusal | bool:
        """By one call."""
        try:
            if action == ACTIONS.remove:
                if not self._may_remove:
                    return True
                self._take_off(row)
            elif action != ACTIONS.ask:
                self.writer.suppress(row.email, _decode(row.contact).reason)
        except RequestRefused as error:
            return refusal_of(error)
        return False

    def _take_off(self, row: Row) -> None:
        for spelling in dict.fromkeys((row.email, row.address)):
            with suppress(NotFound):  # which is what was wanted
                self.writer.unsuppress(spelling)

    def arrived(self, rows: Sequence[Row], action: str) -> Sequence[bool]:
        """Whether they are on the list, with their reason, or off it."""
        listed = self._look_up(rows)
        if action == ACTIONS.remove:
            return [row.address not in listed.found and row.address not in listed.refused for row in rows]
        found = ((row, listed.found.get(row.address)) for row in rows)
        return [one is not None and one.reason == _decode(row.contact).reason for row, one in found]

    def _look_up(self, rows: Sequence[Row]) -> LookedUp[Suppressed]:
        """Those of these addresses that are on the list."""
        emails = [row.email for row in rows]
        return look_up(emails, ask=self._ask, pages=self._pages, both=lambda one, _: one, probe=self.probe)

    def probe(self) -> object:
        """Whether nobody in particular is on the list."""
        return self._ask(NOBODY)

    def _pages(self) -> Iterator[Sequence[tuple[str, Suppressed]]]:
        for page in self.writer.client.suppressions(self.writer.region):
            listed = [_shown(row) for row in page]
            yield [(one.email, one) for one in listed]

    def _ask(self, email: str) -> Suppressed | None:
        try:
            row = self.writer.client.suppression(self.writer.region, email)
        except NotFound:
            return None
        return _shown({"EmailAddress": email} | row)


def _shown(row: Mapping[str, Any]) -> Suppressed:
    """From what a look-up or a listing shows.

    Raises:
        UnreadableAnswer: it shows no address.
    """
    email = row.get("EmailAddress")
    if not isinstance(email, str):
        raise UnreadableAnswer("Amazon SES: a suppression is not in the form that AWS documents.")
    return Suppressed(email, suppression_reason(row))
