"""Reading rows back from the provider, where no job shows whether they arrived."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from target_mailing.interface.destination import Finished, Step, Work

__all__ = ["ReadBack"]


@dataclass(frozen=True)
class ReadBack(Step):
    """Reads back each doubtful row; a row was delivered if its contact has all of its values.

    Attributes:
        verdict: how the batch ends if none of the rows arrived.
        doubtful: positions of the rows to read back.
    """

    verdict: Finished
    doubtful: Sequence[int]
    name = "read_back"

    def run(self, work: Work) -> Finished:
        """Read the rows back."""
        withheld = {*self.verdict.withheld, *work.withheld}
        settled = {*withheld, *self.arrived([at for at in self.doubtful if at not in withheld], work)}
        rejected = {at: refusal for at, refusal in self.verdict.rejected.items() if at not in settled}
        return msgspec.structs.replace(self.verdict, rejected=rejected, withheld=sorted(withheld))

    @abstractmethod
    def arrived(self, positions: Sequence[int], work: Work) -> Collection[int]:
        """The rows at these positions that arrived completely."""
