"""The step of Amazon SES's route without import jobs, and the one that looks for rows of which no job can tell."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from mailing_api.errors import PermissionDenied, ProviderFault, RequestRefused
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.one_by_one import finished, take_each
from target_mailing.delivery.read_back import ReadBack
from target_mailing.delivery.row_size import refusal_by_size
from target_mailing.destination import Progress, Refusal, Step, Work
from target_mailing.ses.list import SesList

__all__ = ["MAX_ROWS", "Deliver", "ListReadBack"]

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
class ListReadBack(ReadBack):
    """Asks for each doubtful row what the list holds."""

    place: SesList

    def arrived(self, positions: Sequence[int], work: Work) -> Collection[int]:
        """Those of these rows of which all is there; where Amazon SES does not tell, they stay in doubt."""
        try:
            there = self.place.arrived([work.rows[at] for at in positions], work.action)
        except (PermissionDenied, RequestRefused):
            return ()
        return {at for at, is_there in zip(positions, there, strict=True) if is_there}
