"""The step of Amazon SES's route without import jobs, and the one that looks for rows of which no job can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from mailing_api.errors import PermissionDenied, ProviderFault, RequestRefused
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.one_by_one import finished, take_each
from target_mailing.delivery.row_size import refusal_by_size
from target_mailing.destination import Finished, Progress, Refusal, Step, Work
from target_mailing.ses.list import SesList

__all__ = ["MAX_ROWS", "Deliver", "ReadBack"]

#: Rows of a batch at most: at a call a second, a batch is what comes again after a kill.
MAX_ROWS: Final = 100


@dataclass(frozen=True)
class Deliver(Step):
    """Delivers row by row, each with its outcome in the answers. All its calls converge, so it may be taken again."""

    place: SesList
    name = "contacts"
    sends = True

    def run(self, work: Work) -> Progress:
        """Deliver them all."""
        answered = 0

        def take(at: int) -> Refusal | Effect | bool:
            nonlocal answered
            row = work.rows[at]
            size = len(row.contact)
            end: Refusal | Effect | bool
            try:
                end = self.place.deliver(row, work.action)
            except (RequestRefused, ProviderFault) as error:
                by_size = refusal_by_size(error, size=size, answered=answered, probe=self._look)
                if by_size is None:
                    raise
                end = by_size
            else:
                answered = max(answered, size)
            return end

        return finished(*take_each(range(len(work.rows)), take, probe=self.place.probe))

    def _look(self) -> None:
        """A call that takes nothing of a row along."""
        writer = self.place.writer
        next(iter(writer.client.contact_lists(writer.region)), None)


@dataclass(frozen=True)
class ReadBack(Step):
    """Asks what is there of each doubtful row; those of which all is there were delivered.

    Attributes:
        verdict: how the batch ends if none of the rows is found.
        doubtful: positions of the rows to look for.
    """

    place: SesList
    verdict: Finished
    doubtful: Sequence[int]
    name = "read_back"

    def run(self, work: Work) -> Progress:
        """Look for the rows."""
        withheld = {*self.verdict.withheld, *work.evidence.get("consent", {}).get("withheld", ())}
        asked = [at for at in self.doubtful if at not in withheld]
        try:
            arrived = self.place.arrived([work.rows[at] for at in asked], work.action)
        except (PermissionDenied, RequestRefused):
            arrived = [False] * len(asked)  # which leaves them in doubt
        found = {at for at, is_there in zip(asked, arrived, strict=True) if is_there}
        rejected = {at: why for at, why in self.verdict.rejected.items() if at not in found | withheld}
        return msgspec.structs.replace(self.verdict, rejected=rejected, withheld=sorted(withheld))
