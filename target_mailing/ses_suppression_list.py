"""The suppression list of a region: addresses that Amazon SES sends nothing to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from mailing_api.errors import NotFound, RequestRefused
from mailing_api.ses_writing import SesWriter
from target_mailing.batches import Row
from target_mailing.ses_contact_list import refusal_of
from target_mailing.ses_lookup import look_up
from target_mailing.ses_place import ACTIONS, Found
from target_mailing.steps import Refusal

__all__ = ["REASONS", "Suppressed", "SuppressionList"]

REASONS: Final = ("BOUNCE", "COMPLAINT")

#: Records that an import takes, as AWS documents.
_MOST_PUT: Final = 100_000
_MOST_DELETE: Final = 10_000


class Suppressed(msgspec.Struct):
    """What a row says, as it is kept in a batch."""

    email: str
    reason: str = "COMPLAINT"


_decode = msgspec.json.Decoder(Suppressed).decode


class SuppressionList:
    """The account's suppression list of a region; see `ses_place.Place`."""

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

    def lines(self, rows: Sequence[Row], action: str) -> Iterator[bytes]:
        """Addresses, with reasons unless they are taken off."""
        for row in rows:
            found = {"emailAddress": row.email}
            if action != ACTIONS.remove:
                found["reason"] = _decode(row.contact).reason
            yield msgspec.json.encode(found) + b"\n"

    def look(self, rows: Sequence[Row], action: str) -> Found:
        """Nobody is taken off who may not be. Somebody who is asked about may be added, so no opt-out is in the way."""
        if action == ACTIONS.ask:
            return Found((), ())
        if not self._may_remove:
            return Found(range(len(rows)), ())
        reasons = self._reasons([row.email for row in rows])
        return Found((), [at for at, row in enumerate(rows) if row.address not in reasons])

    def deliver(self, row: Row, action: str) -> Refusal | bool:
        """By one call."""
        try:
            if action == ACTIONS.remove:
                if not self._may_remove:
                    return True
                self.writer.unsuppress(row.email)
            elif action != ACTIONS.ask:
                self.writer.suppress(row.email, _decode(row.contact).reason)
        except NotFound:
            pass  # it is not on the list, which is what was wanted
        except RequestRefused as error:
            return refusal_of(error)
        return False

    def arrived(self, rows: Sequence[Row], action: str) -> Sequence[bool]:
        """Whether they are on the list, with their reason, or off it."""
        reasons = self._reasons([row.email for row in rows])
        if action == ACTIONS.remove:
            return [row.address not in reasons for row in rows]
        return [reasons.get(row.address) == _decode(row.contact).reason for row in rows]

    def _reasons(self, emails: Sequence[str]) -> Mapping[str, str]:
        """The reasons of those addresses that are on the list, by folded address."""
        return look_up(emails, ask=self._reason, pages=self._pages, both=lambda one, _: one)

    def _pages(self) -> Iterator[Sequence[tuple[str, str]]]:
        for page in self.writer.client.suppressions(self.writer.region):
            yield [(str(row["EmailAddress"]), str(row["Reason"])) for row in page]

    def _reason(self, email: str) -> str | None:
        try:
            return str(self.writer.client.suppression(self.writer.region, email).get("Reason"))
        except NotFound:
            return None
