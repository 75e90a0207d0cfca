"""Steps without import jobs: delivering row by row, and looking up rows whose result is unknown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from mailing_api.errors import PermissionDenied, ProviderFault, RequestRefused
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.one_by_one import finished, take_each
from target_mailing.delivery.read_back import ReadBack
from target_mailing.delivery.row_size import refusal_by_size
from target_mailing.interface.destination import Finished, Progress, Refusal, Step, Work
from target_mailing.ses.list import ACTIONS, SesList

__all__ = ["MAX_ROWS", "Deliver", "ListReadBack"]

#: The most rows in a batch. At one call a second a batch takes a while, and after a kill it is sent again as a whole.
MAX_ROWS: Final = 100


@dataclass(frozen=True)
class Deliver(Step):
    """Delivers row by row, each with its own outcome. Repeatable: the same call again changes nothing."""

    ses_list: SesList
    name = "contacts"
    sends = True

    def run(self, work: Work) -> Progress:
        """Deliver all rows."""
        largest = 0

        def take(at: int) -> Refusal | Effect | bool:
            nonlocal largest
            row = work.rows[at]
            size = len(row.content)
            try:
                result = self.ses_list.deliver(row, work.action)
            except (RequestRefused, ProviderFault) as error:
                refusal = refusal_by_size(error, size=size, answered=largest, probe=self._probe_size)
                if refusal is None:
                    raise
                return refusal
            largest = max(largest, size)
            return result

        return finished(*take_each(range(len(work.rows)), take, probe=self.ses_list.probe))

    def foresee(self, work: Work) -> Progress:
        """The same, by the writer of a plan, which sends nothing."""
        progress = self.run(work)
        if work.action != ACTIONS.remove or not isinstance(progress, Finished):
            return progress
        unknown = [at for at, row in enumerate(work.rows) if not self.ses_list.would_change(row.email)]
        ended = {*progress.withheld, *progress.rejected}
        return msgspec.structs.replace(progress, without_contact=[at for at in unknown if at not in ended])

    def more_calls(self, work: Work) -> int:  # noqa: ARG002
        """They are counted one by one."""
        return 0

    def _probe_size(self) -> None:
        """Make a call that sends nothing of a row."""
        writer = self.ses_list.writer
        next(iter(writer.client.contact_lists(writer.region)), None)


@dataclass(frozen=True)
class ListReadBack(ReadBack):
    """Looks up the contact of each doubtful row in the list."""

    ses_list: SesList

    def arrived(self, positions: Sequence[int], work: Work) -> Collection[int]:
        """Those of these rows that arrived; none if Amazon SES refuses to answer, so that they stay in doubt."""
        try:
            there = self.ses_list.arrived([work.rows[at] for at in positions], work.action)
        except (PermissionDenied, RequestRefused):
            return ()
        return {at for at, is_there in zip(positions, there, strict=True) if is_there}
